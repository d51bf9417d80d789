//! The memory of tapes of single numbers: records, one after the other, and the handles that name them.
//!
//! An operation of two numbers takes few nanoseconds, so where the next record goes is kept in thread-local memory: reached through a
//! handle, the count of records would be read right after it was written, once for each record, a chain that takes as long as everything
//! else (docs/decisions/009). Each thread knows its tapes by a seat: a handle holds the number of the seat beside that of the record. A
//! handle borrows its `Records` and cannot leave the thread; so where a handle is, its seat is theirs, and they are where they were.
#![allow(unsafe_code)]
use std::{
    cell::{Cell, RefCell, UnsafeCell},
    marker::PhantomData,
    ops::Range,
    ptr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What a tape stores.
pub trait Stored: Copy {
    /// How deep tapes are nested in it: the tapes of each depth have a head of their own, so that working on a number of a tape
    /// whose numbers are on another one does not change heads.
    const DEPTH: usize;
    /// What fills memory that is not in use.
    fn nothing() -> Self;
}

/// Where a thread writes.
struct Head {
    /// The seat, in the upper half, or [`NOBODY`].
    seat: Cell<u64>,
    /// The next record, and the first one without room.
    len: Cell<usize>,
    end: Cell<usize>,
    /// Where record 0 would be, if all records lay as those of the piece that is written now.
    base: Cell<*mut u8>,
}

const DEPTHS: usize = 3;

/// The seat of no handle, not even of those that name no record.
const NOBODY: u64 = u64::MAX << 32;

/// The tapes of a thread.
#[derive(Default)]
struct Seats {
    /// Of the thread; 0 before its first seat is taken.
    thread: u64,
    taken: Vec<Seat>,
    free: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Seat {
    /// Of the `Records`; 0 for none.
    id: u64,
    at: *const (),
    /// How many records it had when another took its head.
    len: usize,
}

thread_local! {
    static HEADS: [Head; DEPTHS] = const {
        [const { Head { seat: Cell::new(NOBODY), len: Cell::new(0), end: Cell::new(0), base: Cell::new(ptr::null_mut()) } }; DEPTHS]
    };
    static SEATS: RefCell<Seats> = const { RefCell::new(Seats { thread: 0, taken: Vec::new(), free: Vec::new() }) };
}

/// A number that nothing else has, and not 0.
fn fresh() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Relaxed) + 1
}

/// Reads or writes a field of the head for `R`.
macro_rules! head {
    ($r:ty, $field:ident) => {
        HEADS.with(|heads| heads[depth::<$r>()].$field.get())
    };
    ($r:ty, $field:ident = $value:expr) => {{
        let value = $value;
        HEADS.with(|heads| heads[depth::<$r>()].$field.set(value));
    }};
}

const fn depth<R: Stored>() -> usize {
    if R::DEPTH < DEPTHS { R::DEPTH } else { DEPTHS - 1 }
}

/// Records of a first piece of memory, as long as the longest recording so far, and of further ones behind it until the next
/// recording: a doubling vector would hold three times its length while it grows. `more` is what the owner keeps beside them.
pub struct Records<R: Stored, X> {
    id: u64,
    /// The thread where they took their last seat; 0 for none.
    thread: Cell<u64>,
    /// Their seat there.
    seat: Cell<usize>,
    first: Vec<Cell<R>>,
    /// Written through the head only.
    further: UnsafeCell<Vec<Vec<Cell<R>>>>,
    longest: Cell<usize>,
    /// What is kept beside the records.
    pub more: X,
}

/// Records of the first piece of a new tape, and those of a further piece.
const FIRST: usize = 1 << 8;
const PIECE: usize = 1 << 16;

/// A record of some `Records`, or none.
pub struct Handle<'t, R: Stored, X> {
    /// The seat in the upper half, the record in the lower one; 0 for none.
    at: u64,
    of: PhantomData<&'t Records<R, X>>,
}
impl<R: Stored, X> Clone for Handle<'_, R, X> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<R: Stored, X> Copy for Handle<'_, R, X> {}
impl<R: Stored, X> PartialEq for Handle<'_, R, X> {
    /// Whether they name one record; none is like none.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<'t, R: Stored, X> Handle<'t, R, X> {
    /// No record.
    pub const NONE: Self = Self { at: 0, of: PhantomData };

    /// Whether it names no record.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.at >> 32 == 0
    }

    /// The number of the record.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self.at as u32
    }

    /// Whether both name records of the same `Records`, or none.
    #[inline]
    pub fn beside(self, other: Self) -> bool {
        (self.at ^ other.at) >> 32 == 0
    }

    /// Whose record it is.
    #[inline]
    pub fn records(self) -> Option<&'t Records<R, X>> {
        let seat = (self.at >> 32) as usize;
        let at = SEATS.with_borrow(|seats| Some(seats.taken[seat.checked_sub(1)?].at));
        // SAFETY: a handle is made by `Records` of its types alone, which it borrows for 't: they are alive and have not moved since
        // they made it (`activate` notes the address, by the borrow that the handle has). No other can have taken the seat
        // (`Seats` gives away what is free), and a handle does not leave its thread: it is not `Send`, as `Records` is not `Sync`.
        at.map(|at| unsafe { &*at.cast() })
    }

    /// A new record, of the tape that both handles belong to; calls `foreign` if they have none in common.
    #[inline]
    pub fn push(self, other: Self, record: R, foreign: fn() -> !) -> Self {
        let mut pen = Pen::take();
        let at = pen.write(self, other, record, foreign);
        pen.put();
        at
    }

    #[cold]
    #[inline(never)]
    fn make_room(self, at: usize) {
        head!(R, len = at);
        self.records().expect("a tape").grow();
    }

    /// Takes the head for the tape of both, and gives its next record.
    #[cold]
    #[inline(never)]
    fn settle(self, other: Self, at: usize, foreign: fn() -> !) -> usize {
        head!(R, len = at);
        match self.records() {
            Some(records) if self.beside(other) => {
                records.activate();
                head!(R, len)
            }
            _ => foreign(),
        }
    }
}

/// The place of the next record: read before it is known whether there will be one, and put back after, so that it can stay in a
/// register along the hot path.
#[derive(Clone, Copy)]
pub struct Pen<R: Stored> {
    at: usize,
    of: PhantomData<R>,
}

impl<R: Stored> Pen<R> {
    /// From the head.
    #[inline(always)]
    pub fn take() -> Self {
        Self { at: head!(R, len), of: PhantomData }
    }

    /// Back to the head.
    #[inline(always)]
    pub fn put(self) {
        head!(R, len = self.at);
    }

    /// Whether both handles belong to the tape that is written, the usual case.
    #[inline(always)]
    pub fn holds<X>(&self, a: Handle<'_, R, X>, b: Handle<'_, R, X>) -> bool {
        let seat = head!(R, seat);
        ((a.at ^ seat) | (b.at ^ seat)) >> 32 == 0
    }

    /// A new record, of the tape that both handles belong to; calls `foreign` if they have none in common.
    ///
    /// The cold paths get numbers alone: a record whose address they took would be written to the stack first.
    #[inline(always)]
    pub fn write<'t, X>(
        &mut self,
        of: Handle<'t, R, X>,
        and: Handle<'t, R, X>,
        record: R,
        foreign: fn() -> !,
    ) -> Handle<'t, R, X> {
        if !self.holds(of, and) {
            self.at = of.settle(and, self.at, foreign);
        }
        let seat = head!(R, seat);
        let at = self.at;
        if at == head!(R, end) {
            of.make_room(at);
        }
        // SAFETY: the head belongs to the seat of this handle, hence to living `Records<R, X>`: `base` with any index from the start of
        // its piece to `end` lies in that piece (`Records::point`), which has not been given back since (`start` and `drop` take
        // the head away). `Cell` lets shared memory be written, and nobody holds a reference into it: `give` copies.
        unsafe { head!(R, base).cast::<R>().wrapping_add(at).write(record) };
        self.at = at + 1;
        Handle { at: seat | at as u64, of: PhantomData }
    }
}

impl<R: Stored, X> Records<R, X> {
    /// None.
    pub fn new(more: X) -> Self {
        let first = vec![Cell::new(R::nothing()); FIRST];
        Self {
            id: fresh(),
            thread: Cell::new(0),
            seat: Cell::new(usize::MAX),
            first,
            further: UnsafeCell::default(),
            longest: Cell::new(0),
            more,
        }
    }

    /// How many there are: none after they came from another thread.
    pub fn count(&self) -> usize {
        let here = SEATS.with_borrow(|seats| self.seated(seats).then(|| seats.taken[self.seat.get()].len));
        here.map_or(0, |len| if head!(R, seat) == self.mark() { head!(R, len) } else { len })
    }

    /// Starts anew with `inputs` records that are never read, and room for as many as there ever were.
    pub fn start(&mut self, inputs: usize) {
        self.activate();
        let room = self.longest.get().max(head!(R, len)).max(inputs);
        self.longest.set(room);
        if room > self.first.len() {
            self.further.get_mut().clear();
            self.first = vec![]; // given back before the longer one is taken
            self.first = vec![Cell::new(R::nothing()); room.next_multiple_of(4 * FIRST)];
        }
        head!(R, len = inputs);
        self.point();
    }

    /// Forgets the records from `len` on.
    pub fn truncate(&self, len: usize) {
        self.activate();
        self.longest.set(self.longest.get().max(head!(R, len)));
        head!(R, len = len.min(head!(R, len)));
        self.point();
    }

    /// Whether a handle names one of these records.
    #[inline]
    pub fn own(&self, handle: Handle<'_, R, X>) -> bool {
        // Where there is a handle, its seat is this thread's.
        !handle.is_none() && (handle.at ^ self.mark()) >> 32 == 0
    }

    /// Handles of the first records.
    #[inline]
    pub fn handles(&self, count: usize) -> impl Iterator<Item = Handle<'_, R, X>> {
        self.activate();
        let seat = head!(R, seat);
        let count = u32::try_from(count).expect("at most 2^32 variables");
        (0..count).map(move |index| Handle { at: seat | u64::from(index), of: PhantomData })
    }

    /// A new record.
    #[inline]
    pub fn push(&self, record: R) -> Handle<'_, R, X> {
        self.activate();
        let here = Handle { at: head!(R, seat), of: PhantomData };
        here.push(here, record, || unreachable!("one tape"))
    }

    /// The records of `range`, piece by piece from the last one, as slices with the index of their first.
    #[inline(always)]
    pub fn pieces_backwards(&self, range: Range<usize>, mut read: impl FnMut(usize, &[Cell<R>])) {
        // SAFETY: the vector changes in `grow` and `start` alone: the one is called by `push`, which `read` cannot reach for these
        // `Records` but through a handle, and appends pieces (their memory stays where it is; the list may not, so it is not
        // borrowed while `read` runs), the other has the `Records` for itself.
        let further = |k: usize| unsafe { (&*self.further.get()).get(k).map(|piece| ptr::from_ref(piece.as_slice())) };
        let mut end = range.end;
        let pieces = range.end.saturating_sub(self.first.len()).div_ceil(PIECE);
        for k in (0..pieces).rev() {
            let start = self.first.len() + k * PIECE;
            if end > start.max(range.start) {
                let piece = further(k).expect("a piece");
                // SAFETY: as above.
                let piece = unsafe { &*piece };
                read(start.max(range.start), &piece[range.start.saturating_sub(start)..end - start]);
                end = start;
            }
        }
        if end > range.start {
            read(range.start, &self.first[range.start..end]);
        }
    }

    /// The seat as it stands in handles.
    fn mark(&self) -> u64 {
        (self.seat.get() as u64).wrapping_add(1) << 32
    }

    /// Whether their seat is one of this thread. The number of the seat alone does not say so, nor that they were here before.
    fn seated(&self, seats: &Seats) -> bool {
        self.thread.get() != 0 && self.thread.get() == seats.thread
    }

    /// Takes this thread's head, and a seat if it has none here.
    fn activate(&self) {
        SEATS.with_borrow_mut(|seats| {
            let here = ptr::from_ref(self).cast();
            let seat = self.seat.get();
            let seated = self.seated(seats);
            if seated {
                // Also where it did not move: what was noted came of another borrow, which may have ended.
                seats.taken[seat].at = here;
            }
            if seated && head!(R, seat) == self.mark() {
                return;
            }
            if head!(R, seat) != NOBODY {
                seats.taken[(head!(R, seat) >> 32) as usize - 1].len = head!(R, len);
            }
            if !seated {
                let came = self.thread.get() != 0;
                self.seat.set(seats.take(Seat { id: self.id, at: here, len: 0 }, came));
                self.thread.set(seats.thread);
            }
            head!(R, len = seats.taken[self.seat.get()].len);
            head!(R, seat = self.mark());
            self.point();
        });
    }

    /// Points the head at the piece that its next record is in, or at the end of the last one.
    fn point(&self) {
        let at = head!(R, len);
        // SAFETY: as in `pieces_backwards`; nothing else runs here.
        let further = unsafe { &*self.further.get() };
        let (mut start, mut piece) = (0, &self.first);
        for next in further {
            if at < start + piece.len() {
                break;
            }
            (start, piece) = (start + piece.len(), next);
        }
        head!(R, end = start + piece.len());
        head!(R, base = piece.as_ptr().cast::<R>().cast_mut().wrapping_sub(start).cast());
    }

    /// Room behind the last piece.
    fn grow(&self) {
        let at = head!(R, len);
        assert!(at + PIECE < u32::MAX as usize, "scalar tape: more than 2^32 records");
        let pieces = (at - self.first.len()) / PIECE;
        // SAFETY: no reference to the list is alive: `pieces_backwards` and `point` do not hand one out.
        let further = unsafe { &mut *self.further.get() };
        if pieces == further.len() {
            further.push(vec![Cell::new(R::nothing()); PIECE]);
        }
        self.point();
    }
}

impl Seats {
    /// The seat of `Records` that have none now: that of their last stay, if they `came` back, or any.
    fn take(&mut self, seat: Seat, came: bool) -> usize {
        if self.thread == 0 {
            self.thread = fresh();
        }
        let last = if came { self.taken.iter().position(|s| s.id == seat.id) } else { None };
        let k = last.or_else(|| self.free.pop()).unwrap_or(self.taken.len());
        if k == self.taken.len() {
            self.taken.push(seat);
        }
        self.taken[k] = seat;
        k
    }
}

impl<R: Stored, X> Drop for Records<R, X> {
    /// Gives the seat back, if it is on this thread; a seat of another thread stays taken, and no handle has it.
    fn drop(&mut self) {
        let mark = self.mark();
        // The seats are gone at the end of a thread.
        let _ = SEATS.try_with(|seats| {
            let Ok(mut seats) = seats.try_borrow_mut() else { return };
            let seat = self.seat.get();
            if self.seated(&seats) {
                seats.taken[seat].id = 0;
                seats.free.push(seat);
                if head!(R, seat) == mark {
                    head!(R, seat = NOBODY);
                    head!(R, end = 0);
                }
            }
        });
    }
}
