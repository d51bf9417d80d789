//! Programs of single numbers, recorded once and repeated: a list of runs of one operation each, and a list of what the
//! cotangents do. One point at a time, or [`WIDE`] points, one in each lane of a slot; both give the same bits.
mod codes;
mod forward;
mod sweep;

use super::dispatch::{Loop, vectorised};
use crate::formula::{Functions, Lane, Lanes, Plain};
use codes::codes;
pub use codes::{CODES, Code};
use forward::Forward;
pub use forward::{Guard, Relation};
pub use sweep::{Kind, Sweep};

/// Points that a wide evaluation takes together.
pub const WIDE: usize = 16;

/// The values of a program: what is computed, in order. Slots hold constants, then inputs, then results in the order of the runs.
#[derive(Debug)]
pub struct Program<F> {
    /// The first slots.
    pub constants: Vec<F>,
    /// How many slots behind those hold the variables.
    pub inputs: usize,
    /// How many slots there are.
    pub slots: usize,
    /// An operation, and how often it stands here, one after the other.
    pub runs: Vec<(Code, u32)>,
    /// What the operations read.
    pub operands: Vec<u32>,
    /// What [`Code::Call`] calls.
    pub calls: Vec<fn(F) -> F>,
    /// What must hold.
    pub guards: Vec<Guard>,
}

/// Which points are evaluated: the variables of all points one after the other, and for each lane the place of its point.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a, F, const L: usize> {
    /// The variables.
    pub x: &'a [F],
    /// The point of each lane.
    pub at: &'a [u32; L],
}

/// Whether zero wins in products of the chain rule: where it does not matter, plain products take less time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Zeros {
    /// As the processor multiplies.
    Plain,
    /// 0 where either is 0.
    Guarded,
}

/// An element type whose programs are compiled here, for `L` points at a time.
pub trait Runs<const L: usize>: Lanes {
    /// All values at some points; at which of them the guards hold.
    fn forward(p: &Program<Self>, x: Points<'_, Self, L>, v: &mut [[Self; L]], zeros: Zeros) -> [bool; L];
    /// The cotangents of the variables, in the first bars.
    fn sweep(s: &Sweep, v: &[[Self; L]], bars: &mut [[Self; L]], zeros: Zeros);
}

/// For one point, and for [`WIDE`].
pub trait Programs: Runs<1> + Runs<WIDE> {}

struct Back<'a, F, const L: usize>(&'a Sweep, &'a [[F; L]], &'a mut [[F; L]], Zeros);

impl<F: Lanes, const L: usize> Loop<F> for Forward<'_, F, L>
where
    Plain<F>: Functions,
{
    type Out = [bool; L];
    // Not the lanes of the processor, which may round products and sums once: every kind gives the bits of a recording.
    #[inline(always)]
    fn run<A: Lane<F>>(self) -> [bool; L] {
        self.all()
    }
}

impl<F: Lanes, const L: usize> Loop<F> for Back<'_, F, L> {
    type Out = ();
    #[inline(always)]
    fn run<A: Lane<F>>(self) {
        let Self(s, v, bars, zeros) = self;
        match zeros {
            Zeros::Plain => s.run(v, bars, |y_bar, d| y_bar * d),
            Zeros::Guarded => s.run(v, bars, forward::guarded),
        }
    }
}

macro_rules! programs { ($($f:ident: $($lanes:expr),*;)*) => { $(
    $(
        impl Runs<{ $lanes }> for $f {
            fn forward(p: &Program<$f>, x: Points<'_, $f, { $lanes }>, v: &mut [[$f; $lanes]], zeros: Zeros) -> [bool; $lanes] {
                vectorised(Forward { p, x, v, zeros })
            }
            fn sweep(s: &Sweep, v: &[[$f; $lanes]], bars: &mut [[$f; $lanes]], zeros: Zeros) {
                vectorised(Back(s, v, bars, zeros));
            }
        }
    )*
    impl Programs for $f {}
)* } }
programs! {
    f32: 1, WIDE;
    f64: 1, WIDE;
}
