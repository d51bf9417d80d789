//! The cells, lane by lane: forward and reverse side by side.
//!
//! Slopes are taken from the outputs, `s (1 - s)` and `(1 - y)(1 + y)`: beside what a cell keeps, its reverse computes no exponential but
//! that of tanh(c). The rules of `formula` judge them in tests.
use super::layout::Planes;
use crate::formula::Number;

/// The gates of a cell: before the nonlinearities, after them, or their cotangents.
pub(super) type Gates<L> = [L; 4];

/// What a step makes.
pub(super) struct Step<L> {
    /// What the reverse needs.
    pub(super) keep: Gates<L>,
    /// The cell state of an LSTM.
    pub(super) c: L,
    pub(super) h: L,
}

/// What its reverse makes.
pub(super) struct Back<L> {
    /// The cotangents of the gates before the nonlinearities.
    pub(super) z_bar: Gates<L>,
    /// The cotangent of the step before that bypasses the products: of `c` for an LSTM, of `h` for a GRU.
    pub(super) carry: L,
    /// The whole cotangent of the state at this step: of `c` for an LSTM, of `h` otherwise.
    pub(super) state_bar: L,
}

/// A cell; `before` is `c` of the step before for an LSTM, `h` otherwise.
pub(super) trait Cell: Copy + Send + Sync {
    const KIND: Kind;
    /// Which planes the input's product fills, and which the state's.
    const X: Planes;
    const H: Planes;
    /// Whether its reverse hands a carry on.
    const CARRIES: bool;
    /// Whether its reverse needs the state before.
    const NEEDS_BEFORE: bool;
    /// Planes whose means are reported, by name.
    const REPORTED: &'static [(&'static str, usize)];
    /// What a gate does to its sum by itself. (Apart from `forward`: a loop over one nonlinearity keeps its constants in registers.)
    fn gate<L: Number>(plane: usize, z: L) -> L;
    /// From gates to states.
    fn forward<L: Number>(gates: Gates<L>, before: L) -> Step<L>;
    /// `h_bar` is the whole cotangent of `h`, `carry` what the step after handed on (for a GRU it is part of `h_bar` already).
    fn backward<L: Number>(keep: Gates<L>, before: L, c: L, h_bar: L, carry: L) -> Back<L>;
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Rnn,
    Lstm,
    Gru,
}

/// `s (1 - s)` for `s = sigmoid(z)`.
#[inline(always)]
fn sigmoid_slope<L: Number>(s: L) -> L {
    s * (s.lit(1.0) - s)
}

/// `1 - y^2` for `y = tanh(z)`, in the form that keeps more digits near 1.
#[inline(always)]
fn tanh_slope<L: Number>(y: L) -> L {
    (y.lit(1.0) - y) * (y.lit(1.0) + y)
}

/// Gates `i, f, g, o`.
#[derive(Clone, Copy)]
pub(super) struct Lstm;

const ALL: Planes = Planes { first: 0, gates: &[0, 1, 2, 3], of: 4 };

impl Cell for Lstm {
    const KIND: Kind = Kind::Lstm;
    const X: Planes = ALL;
    const H: Planes = ALL;
    const CARRIES: bool = true;
    const NEEDS_BEFORE: bool = true;
    const REPORTED: &'static [(&'static str, usize)] = &[("i", 0), ("f", 1), ("o", 3)];
    #[inline(always)]
    fn gate<L: Number>(plane: usize, z: L) -> L {
        if plane == 2 { z.tanh() } else { z.sigmoid() }
    }
    #[inline(always)]
    fn forward<L: Number>([i, f, g, o]: Gates<L>, c: L) -> Step<L> {
        let c = f * c + i * g;
        Step { keep: [i, f, g, o], c, h: o * c.tanh() }
    }
    #[inline(always)]
    fn backward<L: Number>([i, f, g, o]: Gates<L>, before: L, c: L, h_bar: L, carry: L) -> Back<L> {
        let y = c.tanh();
        let c_bar = h_bar * o * tanh_slope(y) + carry;
        let i_bar = c_bar * g * sigmoid_slope(i);
        let f_bar = c_bar * before * sigmoid_slope(f);
        let g_bar = c_bar * i * tanh_slope(g);
        let o_bar = h_bar * y * sigmoid_slope(o);
        Back { z_bar: [i_bar, f_bar, g_bar, o_bar], carry: c_bar * f, state_bar: c_bar }
    }
}

/// Planes `n_x, r, z, n_h`: the gate `n` has a part from the input and one from the state, which `r` multiplies.
#[derive(Clone, Copy)]
pub(super) struct Gru;

impl Cell for Gru {
    const KIND: Kind = Kind::Gru;
    const X: Planes = Planes { first: 0, gates: &[2, 0, 1], of: 4 };
    const H: Planes = Planes { first: 1, gates: &[0, 1, 2], of: 4 };
    const CARRIES: bool = true;
    const NEEDS_BEFORE: bool = true;
    const REPORTED: &'static [(&'static str, usize)] = &[("r", 1), ("z", 2)];
    #[inline(always)]
    fn gate<L: Number>(plane: usize, z: L) -> L {
        if plane == 1 || plane == 2 { z.sigmoid() } else { z }
    }
    #[inline(always)]
    fn forward<L: Number>([x, r, z, before_n]: Gates<L>, h: L) -> Step<L> {
        let n = (r * before_n + x).tanh();
        Step { keep: [n, r, z, before_n], c: h, h: z * (h - n) + n }
    }
    #[inline(always)]
    fn backward<L: Number>([n, r, z, before_n]: Gates<L>, h: L, _: L, h_bar: L, _: L) -> Back<L> {
        let n_bar = h_bar * (z.lit(1.0) - z) * tanh_slope(n);
        let z_bar = h_bar * (h - n) * sigmoid_slope(z);
        let r_bar = n_bar * before_n * sigmoid_slope(r);
        Back { z_bar: [n_bar, r_bar, z_bar, n_bar * r], carry: h_bar * z, state_bar: h_bar }
    }
}

const ONE: Planes = Planes { first: 0, gates: &[0], of: 1 };

macro_rules! rnn { ($( $(#[$doc:meta])* $name:ident |$z:ident| $phi:expr, |$h:ident| $slope:expr; )*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy)]
    pub(super) struct $name;
    impl Cell for $name {
        const KIND: Kind = Kind::Rnn;
        const X: Planes = ONE;
        const H: Planes = ONE;
        const CARRIES: bool = false;
        const NEEDS_BEFORE: bool = false;
        const REPORTED: &'static [(&'static str, usize)] = &[];
        #[inline(always)]
        fn gate<L: Number>(_: usize, $z: L) -> L {
            $phi
        }
        #[inline(always)]
        fn forward<L: Number>([h, ..]: Gates<L>, _: L) -> Step<L> {
            Step { keep: [h; 4], c: h, h }
        }
        #[inline(always)]
        fn backward<L: Number>([$h, ..]: Gates<L>, _: L, _: L, h_bar: L, carry: L) -> Back<L> {
            Back { z_bar: [h_bar * $slope; 4], carry, state_bar: h_bar }
        }
    }
)* } }
rnn! {
    /// `tanh(z)`
    Tanh |z| z.tanh(), |h| tanh_slope(h);
    /// `max(z, 0)`
    Relu |z| z.relu(), |h| h.step();
    /// `z`
    Linear |z| z, |h| h.lit(1.0);
}
