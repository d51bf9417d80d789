use crate::{
    kernel::{Free, Kernels, Plain, Storage},
    tensor::Tensor,
};
use std::cell::RefCell;

/// The list inside gradients.
type List<F> = Vec<Option<Tensor<F>>>;

/// An element type: f32 or f64.
pub trait Real: Kernels + Plain {
    #[doc(hidden)]
    fn take(len: usize) -> Free<Self>;
    #[doc(hidden)]
    fn give(data: Storage<Self>);
    /// How many bytes of tensors this thread uses, and the most since [`Self::restart_peak`]. What one thread takes and
    /// another one gives back is counted where it happens, so the first may be negative.
    #[doc(hidden)]
    fn usage() -> (isize, isize);
    #[doc(hidden)]
    fn restart_peak();
    #[doc(hidden)]
    fn take_list() -> List<Self>;
    #[doc(hidden)]
    fn give_list(list: List<Self>);
}

thread_local! { static POOL_IDS: RefCell<Pool<u32>> = const { RefCell::new(Pool::new()) } }

/// A buffer of class numbers, like [`Real::take`].
pub(super) fn take_ids(len: usize) -> Free<u32> {
    POOL_IDS.try_with(|pool| pool.borrow_mut().take(len)).unwrap_or_else(|_| Free::zeros(len))
}

/// Gives one back, like [`Real::give`].
pub(super) fn give_ids(data: Storage<u32>) {
    if let Some(data) = data.free() {
        let _ = POOL_IDS.try_with(|pool| pool.borrow_mut().give(data));
    }
}

macro_rules! real { ($($f:ident $pool:ident $lists:ident)*) => { $(
    // A generic static cannot exist.
    thread_local! {
        static $pool: RefCell<Pool<$f>> = const { RefCell::new(Pool::new()) };
        static $lists: RefCell<Vec<List<$f>>> = const { RefCell::new(Vec::new()) };
    }

    /// While a thread is torn down its pool is gone: then storage comes from the allocator and returns there.
    impl Real for $f {
        fn take(len: usize) -> Free<Self> {
            $pool.try_with(|pool| pool.borrow_mut().take(len)).unwrap_or_else(|_| Free::zeros(len))
        }
        fn give(data: Storage<Self>) {
            // Two threads dropping at once may both see a count of 2; then the storage is freed, which is correct too.
            if let Some(data) = data.free() {
                let _ = $pool.try_with(|pool| pool.borrow_mut().give(data));
            }
        }
        fn usage() -> (isize, isize) {
            $pool.try_with(|pool| (pool.borrow().used, pool.borrow().peak)).unwrap_or((0, 0))
        }
        fn restart_peak() {
            let _ = $pool.try_with(|pool| {
                let pool = &mut *pool.borrow_mut();
                pool.peak = pool.used;
            });
        }
        fn take_list() -> List<Self> {
            $lists.try_with(|lists| lists.borrow_mut().pop()).ok().flatten().unwrap_or_default()
        }
        fn give_list(mut list: List<Self>) {
            list.clear(); // its tensors go to the pool first
            let _ = $lists.try_with(|lists| {
                // A few: a thread that only drops the gradients of others must not hoard their lists.
                if lists.borrow().len() < 8 {
                    lists.borrow_mut().push(list);
                }
            });
        }
    }
)* } }
real! { f32 POOL_F32 LISTS_F32 f64 POOL_F64 LISTS_F64 }

/// Free buffers of one thread, by size class. It never holds more elements than the thread itself allocated, so
/// a thread that only drops what others made does not hoard.
struct Pool<T: Plain> {
    classes: Vec<Vec<Free<T>>>,
    allocated: usize,
    held: usize,
    /// Bytes taken and not yet given back, and the most of them so far.
    used: isize,
    peak: isize,
}

impl<T: Plain> Pool<T> {
    const fn new() -> Self {
        Self { classes: Vec::new(), allocated: 0, held: 0, used: 0, peak: 0 }
    }

    /// Four sizes per doubling (8, 10, 12, 14, 16, 20, ...): the index of the class that holds `len`, and its size.
    #[inline]
    fn class(len: usize) -> (usize, usize) {
        let last = len.max(8) - 1;
        let shift = last.ilog2() - 2;
        let quarter = last >> shift; // 4..=7
        ((4 * shift) as usize + quarter - 4, (quarter + 1) << shift)
    }

    /// A buffer for `len` elements.
    #[inline]
    fn take(&mut self, len: usize) -> Free<T> {
        let (class, size) = Self::class(len);
        self.used += Storage::<T>::bytes(size) as isize;
        self.peak = self.peak.max(self.used);
        if let Some(data) = self.classes.get_mut(class).and_then(Vec::pop) {
            self.held -= size;
            return data;
        }
        self.allocated += size;
        Free::zeros(size)
    }

    #[inline]
    fn give(&mut self, data: Free<T>) {
        let (class, size) = Self::class(data.capacity());
        self.used -= Storage::<T>::bytes(data.capacity()) as isize;
        // A capacity between two classes was allocated while a thread was torn down.
        if size != data.capacity() || self.held + size > self.allocated {
            return;
        }
        if class >= self.classes.len() {
            self.classes.resize_with(class + 1, Vec::new);
        }
        self.held += size;
        self.classes[class].push(data);
    }
}
