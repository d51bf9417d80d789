//! Shared memory for the numbers of tensors, on cache lines.
//!
//! Beside `Arc<Vec<T>>` it saves an indirection, the locked instruction with which `Arc::get_mut` shuts out weak
//! references (there are none here), and vector loads that cross a cache line.
#![allow(unsafe_code)]
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fmt,
    marker::PhantomData,
    ops::Deref,
    process,
    ptr::{NonNull, slice_from_raw_parts, slice_from_raw_parts_mut},
    sync::atomic::{AtomicUsize, Ordering, fence},
};

/// A plain number: all zero bits are a value of it, and a cache line is aligned well enough. Sealed.
pub trait Plain: sealed::Sealed + Copy + Send + Sync + 'static {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u32 {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u32 {}
}

/// A counted reference to a list of numbers, or a stretch of it; a clone refers to the same numbers.
pub struct Storage<T: Plain> {
    head: NonNull<Head>,
    /// The stretch, here and not in the head: reading numbers touches no other cache line.
    first: NonNull<T>,
    len: usize,
    owns: PhantomData<T>,
}

/// A list that nobody else refers to, with its numbers unseen: its head, which may lie far from the cache, is not read
/// until somebody shares or drops it.
pub struct Free<T: Plain> {
    head: NonNull<Head>,
    capacity: usize,
    owns: PhantomData<T>,
}

/// The numbers follow it, on the next cache line.
#[repr(C, align(64))]
struct Head {
    owners: AtomicUsize,
    /// So many numbers were allocated, and all have a value.
    capacity: usize,
}

// SAFETY: it is what `Arc<[T]>` is, for numbers, which are `Send` and `Sync`.
unsafe impl<T: Plain> Send for Storage<T> {}
// SAFETY: the same.
unsafe impl<T: Plain> Sync for Storage<T> {}
// SAFETY: it is what `Box<[T]>` is.
unsafe impl<T: Plain> Send for Free<T> {}

impl<T: Plain> Free<T> {
    /// Zeros.
    ///
    /// # Panics
    /// If they would not fit into memory of any size.
    pub fn zeros(capacity: usize) -> Self {
        let layout = layout::<T>(capacity);
        // SAFETY: the layout is not empty: it holds a head.
        let Some(head) = NonNull::new(unsafe { alloc_zeroed(layout) }.cast::<Head>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the memory is fresh, large enough for a head and aligned for it.
        unsafe { head.write(Head { owners: AtomicUsize::new(1), capacity }) };
        Self { head, capacity, owns: PhantomData }
    }

    /// How many numbers there is room for.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The first `len` numbers, after `write` has seen the old ones and put new ones there.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline]
    pub fn filled(self, len: usize, write: impl FnOnce(&mut [T])) -> Storage<T> {
        assert!(len <= self.capacity, "a list is no longer than its capacity");
        // SAFETY: what is one head further is inside the allocation or one past it, and 64 bytes suit every number.
        let first = unsafe { self.head.add(1).cast::<T>() };
        let list = Storage { head: self.head, first, len, owns: PhantomData };
        std::mem::forget(self);
        // SAFETY: the only reference to the list is here; its numbers all have a value.
        write(unsafe { &mut *slice_from_raw_parts_mut(first.as_ptr(), len) });
        list
    }
}

impl<T: Plain> Drop for Free<T> {
    fn drop(&mut self) {
        // SAFETY: this was the only reference; the layout is the one it was allocated with.
        unsafe { dealloc(self.head.as_ptr().cast(), layout::<T>(self.capacity)) };
    }
}

/// A head and `capacity` numbers.
fn layout<T>(capacity: usize) -> Layout {
    let numbers = Layout::array::<T>(capacity).ok();
    let both = numbers.and_then(|numbers| Layout::new::<Head>().extend(numbers).ok());
    both.map(|(layout, _)| layout.pad_to_align()).expect("the size of a shape is checked before")
}

impl<T: Plain> Storage<T> {
    #[inline(always)]
    fn head(&self) -> &Head {
        // SAFETY: the head lives as long as an owner does, and only a sole owner writes to it.
        unsafe { self.head.as_ref() }
    }

    /// How many bytes are allocated for a list of `capacity` numbers.
    #[inline]
    pub fn bytes(capacity: usize) -> usize {
        size_of::<Head>() + (capacity * size_of::<T>()).next_multiple_of(align_of::<Head>())
    }

    /// How many numbers there is room for in the whole list.
    pub fn capacity(&self) -> usize {
        self.head().capacity
    }

    /// The same for all that refer to the same list, and for no other list that lives.
    pub fn id(&self) -> usize {
        self.head.addr().get()
    }

    /// Whether nobody else refers to the list.
    #[inline]
    pub fn is_unique(&self) -> bool {
        // Acquire: what former owners did to the numbers happened before.
        self.head().owners.load(Ordering::Acquire) == 1
    }

    /// The numbers for writing, if nobody else refers to the list.
    #[inline]
    pub fn unique(&mut self) -> Option<&mut [T]> {
        // SAFETY: `self` is the only owner, mutably borrowed, so no other reference to the numbers exists or can be
        // made; a stretch lies inside the list, whose numbers all have a value.
        self.is_unique().then(|| unsafe { &mut *slice_from_raw_parts_mut(self.first.as_ptr(), self.len) })
    }

    /// The list, if nobody else refers to it; otherwise lets go of it.
    #[inline]
    pub fn free(self) -> Option<Free<T>> {
        if !self.is_unique() {
            return None;
        }
        let free = Free { head: self.head, capacity: self.head().capacity, owns: PhantomData };
        std::mem::forget(self);
        Some(free)
    }

    /// `len` numbers of these from `start`.
    ///
    /// # Panics
    /// If they are not so many.
    #[inline]
    pub fn stretch(&self, start: usize, len: usize) -> Self {
        assert!(start <= self.len && len <= self.len - start, "a stretch lies inside its list");
        let mut part = self.clone();
        // SAFETY: `start` is inside the numbers or one past them.
        part.first = unsafe { self.first.add(start) };
        part.len = len;
        part
    }
}

impl<T: Plain> Deref for Storage<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: a stretch lies inside the list, whose numbers all have a value; they are written to only through
        // `unique`, which needs the sole owner mutably.
        unsafe { &*slice_from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl<T: Plain> Clone for Storage<T> {
    #[inline]
    fn clone(&self) -> Self {
        // As in `Arc`: relaxed, since the owner that is cloned keeps the list alive; an overflow cannot be survived.
        if self.head().owners.fetch_add(1, Ordering::Relaxed) > isize::MAX as usize {
            process::abort();
        }
        Self { ..*self }
    }
}

impl<T: Plain> Drop for Storage<T> {
    #[inline]
    fn drop(&mut self) {
        if self.head().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What other owners did before they let go happened before the memory is returned.
        fence(Ordering::Acquire);
        drop(Free::<T> { head: self.head, capacity: self.head().capacity, owns: PhantomData });
    }
}

impl<T: Plain + fmt::Debug> fmt::Debug for Storage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Plain + PartialEq> PartialEq for Storage<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl<T: Plain + Eq> Eq for Storage<T> {}

#[cfg(test)]
mod tests {
    use super::{Free, Storage};

    fn zeros<T: super::Plain>(n: usize) -> Storage<T> {
        Free::zeros(n).filled(n, |_| {})
    }

    #[test]
    fn one_owner_writes_and_two_read() {
        let mut a = zeros::<f32>(5);
        a.unique().unwrap()[4] = 3.0;
        let b = a.clone();
        assert!(a.unique().is_none() && !b.is_unique());
        assert_eq!((&*a, &*b), (&[0.0, 0.0, 0.0, 0.0, 3.0][..], &*a));
        let mut c = b.stretch(3, 2).stretch(1, 1);
        drop((a, b));
        assert_eq!(*c, [3.0]);
        c.unique().unwrap()[0] = 4.0;
        let free = c.free().unwrap();
        assert_eq!(free.capacity(), 5);
        let d = free.filled(5, |x| x[0] = 1.0);
        assert_eq!(*d, [1.0, 0.0, 0.0, 0.0, 4.0]);
        let e = d.clone();
        assert!(d.free().is_none() && e.free().is_some());
    }

    #[test]
    fn numbers_begin_on_a_cache_line() {
        for n in [0, 1, 7, 1000] {
            assert_eq!(zeros::<f64>(n).as_ptr() as usize % 64, 0);
            assert_eq!(zeros::<u32>(n).as_ptr() as usize % 64, 0);
        }
    }

    #[test]
    #[should_panic(expected = "no longer than its capacity")]
    fn a_list_stays_inside() {
        drop(Free::<u32>::zeros(4).filled(5, |_| {}));
    }

    #[test]
    #[should_panic(expected = "inside its list")]
    fn a_stretch_stays_inside() {
        drop(zeros::<u32>(4).stretch(2, 2).stretch(1, 2));
    }

    #[test]
    fn threads_share_and_the_last_one_frees() {
        let a = zeros::<u32>(100);
        std::thread::scope(|s| {
            for _ in 0..4 {
                let b = a.clone();
                s.spawn(move || assert_eq!(b.clone().iter().sum::<u32>(), 0));
            }
        });
        assert!(a.is_unique());
    }
}
