//! The recorded paths of a function, and which point takes which.
use super::{Scalar, lower::Path};
use crate::kernel::{Points, Program, Programs, Runs, Sweep, WIDE, Zeros};

/// Paths that are kept.
const KEPT: usize = 8;
/// Programs with more values are evaluated for one point at a time: many points of them leave the processor's caches.
const WIDE_SLOTS: usize = 1 << 13;

/// Paths, the room of each, and the one that was taken last.
pub(super) struct Paths<S> {
    tracks: Vec<Track<S>>,
    last: usize,
    pub(super) recordings: usize,
    /// Points of a batch that fit no path so far, kept.
    left: Vec<u32>,
}

struct Track<S> {
    path: Path<S>,
    one: Room<S, 1>,
    wide: Room<S, WIDE>,
}

/// Where values and derivatives of a batch go, and where its points come from.
pub(super) struct Batch<'a, S> {
    pub(super) x: &'a [S],
    pub(super) values: &'a mut [S],
    pub(super) rows: &'a mut [S],
}

/// Slots and bars for some points at a time, kept.
struct Room<S, const L: usize> {
    v: Lined<S, L>,
    bars: Lined<S, L>,
    ready: bool,
}

/// Numbers from the start of a cache line on: vectors of lanes that lie across two lines take longer.
struct Lined<S, const L: usize> {
    numbers: Vec<S>,
    start: usize,
}

impl<S: Scalar, const L: usize> Lined<S, L> {
    const LINE: usize = 64;

    fn zeros(len: usize) -> Self {
        let numbers = vec![S::zero(); len * L + Self::LINE / size_of::<S>()];
        // The offset may be said to be unknown: then it is a matter of time alone.
        let start = Some(numbers.as_ptr().align_offset(Self::LINE)).filter(|&start| start < numbers.len() - len * L);
        Self { start: start.unwrap_or(0), numbers }
    }

    fn slots(&mut self) -> &mut [[S; L]] {
        self.numbers[self.start..].as_chunks_mut().0
    }
}

impl<S: Scalar + Programs> Paths<S> {
    pub(super) fn new(path: Path<S>) -> Self {
        Self { tracks: vec![Track::new(path)], last: 0, recordings: 1, left: vec![] }
    }

    pub(super) fn inputs(&self) -> usize {
        self.tracks[0].path.program.inputs
    }

    /// Operations and guards of the path that was taken last.
    pub(super) fn size(&self) -> (usize, usize) {
        let Path { program, asked, .. } = &self.tracks[self.last].path;
        let operations = program.slots - program.inputs - program.constants.len();
        (operations, program.guards.len() + asked.len())
    }

    /// The values and derivatives at one point, if it takes a kept path.
    pub(super) fn one(&mut self, batch: &mut Batch<'_, S>) -> bool {
        let (last, kept) = (self.last, self.tracks.len());
        let taken = (0..kept).map(|k| (last + k) % kept).find(|&k| self.tracks[k].one(batch));
        self.last = taken.unwrap_or(last);
        taken.is_some()
    }

    /// One more path; if there are many already, in place of the one after that which was taken last.
    pub(super) fn add(&mut self, path: Path<S>) {
        self.recordings += 1;
        let track = Track::new(path);
        if self.tracks.len() < KEPT {
            self.last = self.tracks.len();
            self.tracks.push(track);
        } else {
            self.last = (self.last + 1) % KEPT;
            self.tracks[self.last] = track;
        }
    }

    /// One point; a new path if it takes no kept one.
    #[track_caller]
    pub(super) fn one_or_new(&mut self, batch: &mut Batch<'_, S>, record: impl Fn(&[S]) -> Path<S>) {
        if !self.one(batch) {
            self.add(record(batch.x));
            assert!(self.tracks[self.last].one(batch), "{UNSTEADY}");
        }
    }

    /// All points, path by path; new paths for those that take no kept one.
    #[track_caller]
    pub(super) fn many(&mut self, points: usize, batch: &mut Batch<'_, S>, record: impl Fn(&[S]) -> Path<S>) {
        let mut left = std::mem::take(&mut self.left);
        left.clear();
        left.extend(0..u32::try_from(points).expect("at most 2^32 points"));
        let (last, kept) = (self.last, self.tracks.len());
        for k in (0..kept).map(|k| (last + k) % kept) {
            if left.is_empty() {
                break;
            }
            let before = left.len();
            self.tracks[k].many(&mut left, batch);
            if left.len() < before {
                self.last = k;
            }
        }
        while let Some(&first) = left.first() {
            let n = self.inputs();
            self.add(record(&batch.x[first as usize * n..][..n]));
            self.tracks[self.last].many(&mut left, batch);
            assert!(left.first() != Some(&first), "{UNSTEADY}");
        }
        self.left = left;
    }
}

const UNSTEADY: &str = "scalar::Compiled: the function takes another branch at one and the same point";

impl<S: Scalar + Programs> Track<S> {
    fn new(path: Path<S>) -> Self {
        Self { path, one: Room::new(), wide: Room::new() }
    }

    /// The values and derivatives at one point, if the guards hold there.
    fn one(&mut self, batch: &mut Batch<'_, S>) -> bool {
        self.one.evaluate(&self.path, &[0], 1, batch)[0]
    }

    /// Those at the points of `left` that take this path; the others stay there.
    fn many(&mut self, left: &mut Vec<u32>, batch: &mut Batch<'_, S>) {
        let mut kept = 0;
        let wide = self.path.program.slots <= WIDE_SLOTS;
        let mut k = 0;
        while k < left.len() {
            let n = if wide && left.len() - k > 1 { WIDE.min(left.len() - k) } else { 1 };
            let at: [u32; WIDE] = std::array::from_fn(|q| left[k + q.min(n - 1)]);
            let held = if n > 1 {
                self.wide.evaluate(&self.path, &at, n, batch)
            } else {
                [self.one.evaluate(&self.path, &[at[0]], 1, batch)[0]; WIDE]
            };
            for q in 0..n {
                if !held[q] {
                    left[kept] = at[q];
                    kept += 1;
                }
            }
            k += n;
        }
        left.truncate(kept);
    }
}

impl<S: Scalar + Programs + Runs<L>, const L: usize> Room<S, L> {
    fn new() -> Self {
        Self { v: Lined::zeros(0), bars: Lined::zeros(0), ready: false }
    }

    fn prepare(&mut self, path: &Path<S>) {
        let Program { slots, constants, .. } = &path.program;
        self.v = Lined::zeros(*slots);
        for (slot, &c) in self.v.slots().iter_mut().zip(constants) {
            *slot = [c; L];
        }
        let bars = path.sweeps.iter().map(|sweep| sweep.bars).max().unwrap_or(0);
        self.bars = Lined::zeros(bars);
        self.ready = true;
    }

    /// The values and derivatives at the first `n` of some points, for those where the guards hold; which they are.
    fn evaluate(&mut self, path: &Path<S>, at: &[u32; L], n: usize, batch: &mut Batch<'_, S>) -> [bool; L] {
        if !self.ready {
            self.prepare(path);
        }
        let points = Points { x: batch.x, at };
        let mut held = S::forward(&path.program, points, self.v.slots(), Zeros::Plain);
        for (holds, slot) in &path.asked {
            let v = &self.v.slots()[*slot as usize];
            for q in 0..n {
                held[q] = held[q] && holds(v[q]);
            }
        }
        held[n..].fill(false);
        if !held.contains(&true) {
            return held;
        }
        let results = path.results.len();
        for (k, &slot) in path.results.iter().enumerate() {
            for q in (0..n).filter(|&q| held[q]) {
                batch.values[at[q] as usize * results + k] = self.v.slots()[slot as usize][q];
            }
        }
        // As `Tape::sweep` does: plain products are right if no NaN arrives.
        let arrived = path
            .sweeps
            .iter()
            .enumerate()
            .fold(false, |nan, (k, sweep)| self.row(sweep, (k, results), at, held, batch, Zeros::Plain) | nan);
        if arrived {
            S::forward(&path.program, points, self.v.slots(), Zeros::Guarded);
            for (k, sweep) in path.sweeps.iter().enumerate() {
                self.row(sweep, (k, results), at, held, batch, Zeros::Guarded);
            }
        }
        held
    }

    /// The derivatives of the `k`th result; whether one is NaN.
    fn row(
        &mut self,
        sweep: &Sweep,
        (k, results): (usize, usize),
        at: &[u32; L],
        held: [bool; L],
        batch: &mut Batch<'_, S>,
        zeros: Zeros,
    ) -> bool {
        let bars = self.bars.slots();
        S::sweep(sweep, self.v.slots(), bars, zeros);
        let bars = &mut bars[..sweep.inputs];
        let mut sums = [S::zero(); L];
        for bar in &mut *bars {
            for q in 0..L {
                bar[q] += S::zero(); // not -0, as a sum that began with 0
                sums[q] += bar[q];
            }
        }
        for q in (0..L).filter(|&q| held[q]) {
            let row = &mut batch.rows[(at[q] as usize * results + k) * sweep.inputs..][..sweep.inputs];
            for (gradient, bar) in row.iter_mut().zip(&*bars) {
                *gradient = bar[q];
            }
        }
        bars.fill([S::zero(); L]);
        // Sums of infinities may be NaN as well: then the second try is not needed, and changes nothing.
        (0..L).any(|q| held[q] && sums[q].is_nan())
    }
}
