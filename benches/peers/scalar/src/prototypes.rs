//! Prototypes, to see what tape layouts reach on stable Rust. Not a library: no checks, one thread.
//!
//! A: fixed 24-byte binary records, unary chains folded into the scalar. B: variable arity, with fma and sum scopes.
//! R: record once, replay over L lanes.
#![allow(unsafe_op_in_unsafe_fn, clippy::all, reason = "a sketch, kept as it was measured")]
use crate::objectives::{Number as S, Term};
use std::cell::UnsafeCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

macro_rules! ops {
    ($t:ty, $add:expr, $sub:expr, $mul:expr, $div:expr, $neg:expr) => {
        impl Add for $t {
            type Output = Self;
            #[inline(always)]
            fn add(self, o: Self) -> Self {
                $add(self, o)
            }
        }
        impl Sub for $t {
            type Output = Self;
            #[inline(always)]
            fn sub(self, o: Self) -> Self {
                $sub(self, o)
            }
        }
        impl Mul for $t {
            type Output = Self;
            #[inline(always)]
            fn mul(self, o: Self) -> Self {
                $mul(self, o)
            }
        }
        impl Div for $t {
            type Output = Self;
            #[inline(always)]
            fn div(self, o: Self) -> Self {
                $div(self, o)
            }
        }
        impl Neg for $t {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                $neg(self)
            }
        }
    };
}
/// Folded unary operations: value f(v), derivative d*f'(v), same slot, nothing recorded.
macro_rules! folded {
    ($t:ident) => {
        #[inline(always)]
        fn constant(v: f64) -> Self {
            $t { v, d: 0.0, i: 0 }
        }
        #[inline(always)]
        fn value(self) -> f64 {
            self.v
        }
        #[inline(always)]
        fn plus(self, k: f64) -> Self {
            $t { v: self.v + k, ..self }
        }
        #[inline(always)]
        fn times(self, k: f64) -> Self {
            $t { v: self.v * k, d: self.d * k, i: self.i }
        }
        #[inline(always)]
        fn sub_from(self, k: f64) -> Self {
            $t { v: k - self.v, d: -self.d, i: self.i }
        }
        #[inline(always)]
        fn div_from(self, k: f64) -> Self {
            let r = 1.0 / self.v;
            let v = k * r;
            $t { v, d: -v * r * self.d, i: self.i }
        }
        #[inline(always)]
        fn exp(self) -> Self {
            let v = self.v.exp();
            $t { v, d: self.d * v, i: self.i }
        }
        #[inline(always)]
        fn ln(self) -> Self {
            $t { v: self.v.ln(), d: self.d / self.v, i: self.i }
        }
        #[inline(always)]
        fn sqrt(self) -> Self {
            let v = self.v.sqrt();
            $t { v, d: self.d * 0.5 / v, i: self.i }
        }
        #[inline(always)]
        fn sin(self) -> Self {
            let (s, c) = self.v.sin_cos();
            $t { v: s, d: self.d * c, i: self.i }
        }
        #[inline(always)]
        fn cos(self) -> Self {
            let (s, c) = self.v.sin_cos();
            $t { v: c, d: -self.d * s, i: self.i }
        }
        #[inline(always)]
        fn tanh(self) -> Self {
            let v = self.v.tanh();
            $t { v, d: self.d * (1.0 - v * v), i: self.i }
        }
        #[inline(always)]
        fn relu(self) -> Self {
            let p = self.v > 0.0;
            $t { v: if p { self.v } else { 0.0 }, d: if p { self.d } else { 0.0 }, i: self.i }
        }
    };
}

// ---------- A ----------
#[derive(Clone, Copy)]
pub(crate) struct A {
    v: f64,
    d: f64,
    i: u32,
}
#[derive(Clone, Copy)]
struct Ent {
    d0: f64,
    d1: f64,
    i0: u32,
    i1: u32,
}
struct TapeA {
    ents: Vec<Ent>,
    adj: Vec<f64>,
}
struct Cell1<T>(UnsafeCell<T>);
thread_local! {
    static TA: Cell1<(*mut Ent, usize, usize)> = const { Cell1(UnsafeCell::new((std::ptr::null_mut(), 0, 0))) };
}
#[inline(always)]
fn push_a(v: f64, d0: f64, i0: u32, d1: f64, i1: u32) -> A {
    TA.with(|t| unsafe {
        let t = &mut *t.0.get();
        let n = t.1;
        if n == t.2 {
            grow_a()
        }
        t.0.add(n).write(Ent { d0, d1, i0, i1 });
        t.1 = n + 1;
        A { v, d: 1.0, i: n as u32 }
    })
}
#[cold]
#[inline(never)]
fn grow_a() {
    panic!("prototype tape full")
}
ops!(
    A,
    |a: A, b: A| push_a(a.v + b.v, a.d, a.i, b.d, b.i),
    |a: A, b: A| push_a(a.v - b.v, a.d, a.i, -b.d, b.i),
    |a: A, b: A| push_a(a.v * b.v, a.d * b.v, a.i, b.d * a.v, b.i),
    |a: A, b: A| {
        let r = 1.0 / b.v;
        let q = a.v * r;
        push_a(q, a.d * r, a.i, -b.d * q * r, b.i)
    },
    |a: A| A { v: -a.v, d: -a.d, i: a.i }
);
impl S for A {
    folded!(A);
}

pub(crate) struct ProtoA {
    t: TapeA,
    n: usize,
}
impl ProtoA {
    pub(crate) fn new(cap: usize) -> Self {
        let t = TapeA { ents: vec![Ent { d0: 0.0, d1: 0.0, i0: 0, i1: 0 }; cap], adj: vec![0.0; cap] };
        ProtoA { t, n: 0 }
    }
    pub(crate) fn start(&mut self, x: &[f64]) -> Vec<A> {
        self.n = x.len();
        TA.with(|t| unsafe { *t.0.get() = (self.t.ents.as_mut_ptr(), x.len() + 1, self.t.ents.len()) });
        x.iter().enumerate().map(|(j, &v)| A { v, d: 1.0, i: j as u32 + 1 }).collect()
    }
    pub(crate) fn grad(&mut self, y: A, g: &mut [f64], carry: bool) {
        let len = TA.with(|t| unsafe { (*t.0.get()).1 });
        let adj = &mut self.t.adj[..len];
        adj.fill(0.0);
        adj[y.i as usize] = y.d;
        let ents = &self.t.ents[..len];
        if carry {
            // an operand that is the record just below keeps its adjoint in a register: no store-to-load wait along chains
            let mut c = 0.0;
            for k in (self.n + 1..len).rev() {
                unsafe {
                    let a = *adj.get_unchecked(k) + c;
                    let e = ents.get_unchecked(k);
                    let (p, q) = (a * e.d0, a * e.d1);
                    c = 0.0;
                    if e.i0 as usize == k - 1 {
                        c = p
                    } else {
                        *adj.get_unchecked_mut(e.i0 as usize) += p
                    }
                    if e.i1 as usize == k - 1 { c += q } else { *adj.get_unchecked_mut(e.i1 as usize) += q }
                }
            }
            adj[self.n] += c;
        } else {
            for k in (self.n + 1..len).rev() {
                unsafe {
                    let a = *adj.get_unchecked(k);
                    let e = ents.get_unchecked(k);
                    *adj.get_unchecked_mut(e.i0 as usize) += a * e.d0;
                    *adj.get_unchecked_mut(e.i1 as usize) += a * e.d1;
                }
            }
        }
        g.copy_from_slice(&adj[1..=self.n]);
    }
}

// ---------- B ----------
#[derive(Clone, Copy)]
pub(crate) struct B {
    v: f64,
    d: f64,
    i: u32,
}
pub(crate) struct TapeB {
    d: *mut f64,
    i: *mut u32,
    cnt: *mut u32,
    adj: *mut f64,
    nst: usize,
    nop: usize,
    cap: usize,
}
thread_local! {
    static TB: Cell1<TapeB> = const { Cell1(UnsafeCell::new(TapeB { d: std::ptr::null_mut(), i: std::ptr::null_mut(), cnt: std::ptr::null_mut(), adj: std::ptr::null_mut(), nst: 0, nop: 0, cap: 0 })) };
}
#[inline(always)]
fn tb<R>(f: impl FnOnce(&mut TapeB) -> R) -> R {
    TB.with(|t| f(unsafe { &mut *t.0.get() }))
}
#[inline(always)]
fn push2(v: f64, d0: f64, i0: u32, d1: f64, i1: u32) -> B {
    tb(|t| unsafe {
        let n = t.nop;
        if n + 3 > t.cap {
            grow_a()
        }
        t.d.add(n).write(d0);
        t.d.add(n + 1).write(d1);
        t.i.add(n).write(i0);
        t.i.add(n + 1).write(i1);
        t.nop = n + 2;
        let s = t.nst;
        t.cnt.add(s).write((n + 2) as u32);
        t.nst = s + 1;
        B { v, d: 1.0, i: s as u32 }
    })
}
#[inline(always)]
fn push3(v: f64, d0: f64, i0: u32, d1: f64, i1: u32, d2: f64, i2: u32) -> B {
    tb(|t| unsafe {
        let n = t.nop;
        if n + 3 > t.cap {
            grow_a()
        }
        t.d.add(n).write(d0);
        t.d.add(n + 1).write(d1);
        t.d.add(n + 2).write(d2);
        t.i.add(n).write(i0);
        t.i.add(n + 1).write(i1);
        t.i.add(n + 2).write(i2);
        t.nop = n + 3;
        let s = t.nst;
        t.cnt.add(s).write((n + 3) as u32);
        t.nst = s + 1;
        B { v, d: 1.0, i: s as u32 }
    })
}
ops!(
    B,
    |a: B, b: B| push2(a.v + b.v, a.d, a.i, b.d, b.i),
    |a: B, b: B| push2(a.v - b.v, a.d, a.i, -b.d, b.i),
    |a: B, b: B| push2(a.v * b.v, a.d * b.v, a.i, b.d * a.v, b.i),
    |a: B, b: B| {
        let r = 1.0 / b.v;
        let q = a.v * r;
        push2(q, a.d * r, a.i, -b.d * q * r, b.i)
    },
    |a: B| B { v: -a.v, d: -a.d, i: a.i }
);
impl S for B {
    folded!(B);
    #[inline(always)]
    fn mul_add(self, b: B, s: B) -> B {
        let a = self;
        push3(s.v + a.v * b.v, a.d * b.v, a.i, b.d * a.v, b.i, s.d, s.i)
    }
    fn scoped_sum(x: &[Self], n: usize, term: &impl Term) -> Self {
        let (ms, mo) = tb(|t| unsafe {
            std::slice::from_raw_parts_mut(t.adj, t.nst).fill(0.0);
            (t.nst, t.nop)
        });
        let mut total = 0.0;
        for j in 0..n {
            let e = term.at(x, j);
            total += e.v;
            tb(|t| unsafe {
                std::slice::from_raw_parts_mut(t.adj.add(ms), t.nst - ms).fill(0.0);
                *t.adj.add(e.i as usize) += e.d;
                sweep(t, ms);
                t.nst = ms;
                t.nop = mo;
            });
        }
        tb(|t| unsafe {
            let mut n = mo;
            for k in 1..ms {
                let a = *t.adj.add(k);
                if a != 0.0 {
                    t.d.add(n).write(a);
                    t.i.add(n).write(k as u32);
                    n += 1;
                }
            }
            t.nop = n;
            t.cnt.add(ms).write(n as u32);
            t.nst = ms + 1;
        });
        B { v: total, d: 1.0, i: ms as u32 }
    }
}
#[inline(always)]
unsafe fn sweep(t: &mut TapeB, stop: usize) {
    let (adj, d, i, cnt) = (t.adj, t.d, t.i, t.cnt);
    let mut end = t.nop;
    for k in (stop..t.nst).rev() {
        let start = *cnt.add(k - 1) as usize;
        let a = *adj.add(k);
        let (d, i) = (d.add(start), i.add(start));
        let len = end - start;
        if len == 2 {
            *adj.add(*i as usize) += a * *d;
            *adj.add(*i.add(1) as usize) += a * *d.add(1);
        } else if len == 3 {
            *adj.add(*i as usize) += a * *d;
            *adj.add(*i.add(1) as usize) += a * *d.add(1);
            *adj.add(*i.add(2) as usize) += a * *d.add(2);
        } else {
            for q in 0..len {
                *adj.add(*i.add(q) as usize) += a * *d.add(q);
            }
        }
        end = start;
    }
}
pub(crate) struct ProtoB {
    _mem: (Vec<f64>, Vec<u32>, Vec<u32>, Vec<f64>),
    n: usize,
    cap: usize,
}
impl ProtoB {
    pub(crate) fn new(cap: usize) -> Self {
        let mut m = (vec![0.0; cap * 3], vec![0; cap * 3], vec![0; cap], vec![0.0; cap]);
        tb(|t| {
            *t = TapeB {
                d: m.0.as_mut_ptr(),
                i: m.1.as_mut_ptr(),
                cnt: m.2.as_mut_ptr(),
                adj: m.3.as_mut_ptr(),
                nst: 0,
                nop: 0,
                cap: cap * 3,
            }
        });
        ProtoB { _mem: m, n: 0, cap }
    }
    /// Several tapes take turns.
    pub(crate) fn select(&mut self) {
        let (m, cap) = (&mut self._mem, self.cap);
        tb(|t| {
            *t = TapeB {
                d: m.0.as_mut_ptr(),
                i: m.1.as_mut_ptr(),
                cnt: m.2.as_mut_ptr(),
                adj: m.3.as_mut_ptr(),
                nst: 0,
                nop: 0,
                cap: cap * 3,
            }
        });
    }
    pub(crate) fn start(&mut self, x: &[f64]) -> Vec<B> {
        self.n = x.len();
        tb(|t| {
            t.nst = x.len() + 1;
            t.nop = 0;
            for k in 0..t.nst {
                unsafe { *t.cnt.add(k) = 0 }
            }
        });
        x.iter().enumerate().map(|(j, &v)| B { v, d: 1.0, i: j as u32 + 1 }).collect()
    }
    pub(crate) fn grad(&mut self, y: B, g: &mut [f64]) {
        tb(|t| unsafe {
            std::slice::from_raw_parts_mut(t.adj, t.nst).fill(0.0);
            *t.adj.add(y.i as usize) = y.d;
            sweep(t, self.n + 1);
            g.copy_from_slice(std::slice::from_raw_parts(t.adj.add(1), self.n));
        })
    }
}

// ---------- R: record once, replay over lanes ----------
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(u8)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Fma,
    AddC,
    MulC,
    RSub,
    RDiv,
    Exp,
    Ln,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    Relu,
}
#[derive(Clone, Copy)]
struct Node {
    k: f64,
    a: u32,
    b: u32,
    c: u32,
    op: Op,
}
#[derive(Clone, Copy)]
pub(crate) struct R {
    v: f64,
    i: u32,
}
thread_local! { static TR: UnsafeCell<(Vec<Node>, usize)> = const { UnsafeCell::new((Vec::new(), 0)) }; }
fn rec(v: f64, op: Op, a: u32, b: u32, c: u32, k: f64) -> R {
    TR.with(|t| {
        let t = unsafe { &mut *t.get() };
        t.0.push(Node { k, a, b, c, op });
        R { v, i: (t.1 + t.0.len() - 1) as u32 }
    })
}
ops!(
    R,
    |a: R, b: R| rec(a.v + b.v, Op::Add, a.i, b.i, 0, 0.0),
    |a: R, b: R| rec(a.v - b.v, Op::Sub, a.i, b.i, 0, 0.0),
    |a: R, b: R| rec(a.v * b.v, Op::Mul, a.i, b.i, 0, 0.0),
    |a: R, b: R| rec(a.v / b.v, Op::Div, a.i, b.i, 0, 0.0),
    |a: R| rec(-a.v, Op::MulC, a.i, 0, 0, -1.0)
);
impl S for R {
    fn constant(v: f64) -> R {
        rec(v, Op::MulC, 0, 0, 0, 0.0).plus(v)
    }
    fn value(self) -> f64 {
        self.v
    }
    fn plus(self, k: f64) -> R {
        rec(self.v + k, Op::AddC, self.i, 0, 0, k)
    }
    fn times(self, k: f64) -> R {
        rec(self.v * k, Op::MulC, self.i, 0, 0, k)
    }
    fn sub_from(self, k: f64) -> R {
        rec(k - self.v, Op::RSub, self.i, 0, 0, k)
    }
    fn div_from(self, k: f64) -> R {
        rec(k / self.v, Op::RDiv, self.i, 0, 0, k)
    }
    fn exp(self) -> R {
        rec(self.v.exp(), Op::Exp, self.i, 0, 0, 0.0)
    }
    fn ln(self) -> R {
        rec(self.v.ln(), Op::Ln, self.i, 0, 0, 0.0)
    }
    fn sqrt(self) -> R {
        rec(self.v.sqrt(), Op::Sqrt, self.i, 0, 0, 0.0)
    }
    fn sin(self) -> R {
        rec(self.v.sin(), Op::Sin, self.i, 0, 0, 0.0)
    }
    fn cos(self) -> R {
        rec(self.v.cos(), Op::Cos, self.i, 0, 0, 0.0)
    }
    fn tanh(self) -> R {
        rec(self.v.tanh(), Op::Tanh, self.i, 0, 0, 0.0)
    }
    fn relu(self) -> R {
        rec(self.v.max(0.0), Op::Relu, self.i, 0, 0, 0.0)
    }
    fn mul_add(self, b: R, s: R) -> R {
        let a = self;
        rec(s.v + a.v * b.v, Op::Fma, a.i, b.i, s.i, 0.0)
    }
}

// Elementary functions the compiler can vectorise; good to about 1e-15 over the benchmark's ranges.
#[inline(always)]
fn vexp(x: f64) -> f64 {
    let x = x.max(-700.0).min(700.0);
    let n = (x * std::f64::consts::LOG2_E + 6755399441055744.0) - 6755399441055744.0;
    let r = n.mul_add(-1.9082149292705877e-10, n.mul_add(-6.93147180369123816490e-01, x));
    const C: [f64; 13] = [
        1.0,
        1.0,
        0.5,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362880.0,
        1.0 / 3628800.0,
        1.0 / 39916800.0,
        1.0 / 479001600.0,
    ];
    let mut p = C[12];
    let mut q = 12;
    while q > 0 {
        q -= 1;
        p = p.mul_add(r, C[q]);
    }
    let bits = (n + 6755399441055744.0).to_bits() as i64;
    let e = (bits.wrapping_sub(6755399441055744.0f64.to_bits() as i64)).wrapping_add(1023) << 52;
    p * f64::from_bits(e as u64)
}
#[inline(always)]
fn vln(x: f64) -> f64 {
    let b = x.to_bits();
    let e = ((b.wrapping_sub(0x3fe6a09e667f3bcd)) as i64) >> 52;
    let m = f64::from_bits(b.wrapping_sub((e << 52) as u64));
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p: f64 = 1.0 / 23.0;
    let mut q = 21;
    while q >= 1 {
        p = p.mul_add(z, 1.0 / q as f64);
        q -= 2;
    }
    (e as f64).mul_add(std::f64::consts::LN_2, 2.0 * s * p)
}
#[inline(always)]
fn vsincos(x: f64) -> (f64, f64) {
    let n = (x * std::f64::consts::FRAC_2_PI + 6755399441055744.0) - 6755399441055744.0;
    let r = n.mul_add(-6.12323399573676603587e-17, n.mul_add(-std::f64::consts::FRAC_PI_2, x));
    let z = r * r;
    let mut s: f64 = -1.0 / 1307674368000.0;
    for c in [1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0] {
        s = s.mul_add(z, c);
    }
    s *= r;
    let mut c: f64 = 1.0 / 20922789888000.0;
    for k in
        [-1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0, 1.0 / 40320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0]
    {
        c = c.mul_add(z, k);
    }
    let q = (n + 6755399441055744.0).to_bits() & 3;
    let (a, b) = if q & 1 == 1 { (c, s) } else { (s, c) };
    (if q & 2 == 2 { -a } else { a }, if (q + 1) & 2 == 2 { -b } else { b })
}

/// L points at a time, M adjoint rows (outputs) in one reverse sweep.
pub(crate) struct Replay<const L: usize, const M: usize> {
    nodes: Vec<Node>,
    first: Vec<u8>,
    unused: Vec<u32>,
    n: usize,
    out: Vec<u32>,
    val: Vec<[f64; L]>,
    adj: Vec<[[f64; L]; M]>,
}
impl<const L: usize, const M: usize> Replay<L, M> {
    pub(crate) fn record(x: &[f64], f: impl FnOnce(&[R]) -> Vec<R>) -> Self {
        TR.with(|t| unsafe {
            let t = &mut *t.get();
            t.0.clear();
            t.1 = x.len();
        });
        let xs: Vec<R> = x.iter().enumerate().map(|(i, &v)| R { v, i: i as u32 }).collect();
        let out: Vec<u32> = f(&xs).iter().map(|r| r.i).collect();
        let nodes = TR.with(|t| unsafe { std::mem::take(&mut (*t.get()).0) });
        let tot = nodes.len() + x.len();
        // the reverse sweep stores at an operand's first touch and adds afterwards, so adjoints need no clearing
        let mut seen = vec![false; tot];
        for &o in &out {
            seen[o as usize] = true;
        }
        let mut first = vec![0u8; nodes.len()];
        let mut unused = out.clone();
        for (j, nd) in nodes.iter().enumerate().rev() {
            if !seen[x.len() + j] {
                unused.push((x.len() + j) as u32);
            }
            let k = match nd.op {
                Op::Fma => 3,
                Op::Add | Op::Sub | Op::Mul | Op::Div => 2,
                _ => 1,
            };
            for (q, o) in [nd.a, nd.b, nd.c].into_iter().take(k).enumerate() {
                if !std::mem::replace(&mut seen[o as usize], true) {
                    first[j] |= 1 << q;
                }
            }
        }
        for j in 0..x.len() {
            if !seen[j] {
                unused.push(j as u32);
            }
        }
        Replay { nodes, first, unused, n: x.len(), out, val: vec![[0.0; L]; tot], adj: vec![[[0.0; L]; M]; tot] }
    }
    /// x: L points of n inputs each; g: L blocks of M*n.
    #[inline(never)]
    pub(crate) fn jac(&mut self, x: &[f64], g: &mut [f64]) {
        let n = self.n;
        for j in 0..n {
            for l in 0..L {
                self.val[j][l] = x[l * n + j];
            }
        }
        let v = self.val.as_mut_ptr();
        let mut o = n;
        for nd in &self.nodes {
            unsafe {
                let a = &*v.add(nd.a as usize);
                let b = &*v.add(nd.b as usize);
                let r = &mut *v.add(o);
                macro_rules! l {
                    (|$q:ident| $e:expr) => {
                        for $q in 0..L {
                            r[$q] = $e;
                        }
                    };
                }
                match nd.op {
                    Op::Add => l!(|q| a[q] + b[q]),
                    Op::Sub => l!(|q| a[q] - b[q]),
                    Op::Mul => l!(|q| a[q] * b[q]),
                    Op::Div => l!(|q| a[q] / b[q]),
                    Op::Fma => {
                        let c = &*v.add(nd.c as usize);
                        l!(|q| a[q].mul_add(b[q], c[q]))
                    }
                    Op::AddC => l!(|q| a[q] + nd.k),
                    Op::MulC => l!(|q| a[q] * nd.k),
                    Op::RSub => l!(|q| nd.k - a[q]),
                    Op::RDiv => l!(|q| nd.k / a[q]),
                    Op::Exp => l!(|q| vexp(a[q])),
                    Op::Ln => l!(|q| vln(a[q])),
                    Op::Sqrt => l!(|q| a[q].sqrt()),
                    Op::Sin => l!(|q| vsincos(a[q]).0),
                    Op::Cos => l!(|q| vsincos(a[q]).1),
                    Op::Tanh => l!(|q| {
                        let e = vexp(2.0 * a[q]);
                        (e - 1.0) / (e + 1.0)
                    }),
                    Op::Relu => l!(|q| if a[q] > 0.0 { a[q] } else { 0.0 }),
                }
            }
            o += 1;
        }
        for &u in &self.unused {
            self.adj[u as usize] = [[0.0; L]; M];
        }
        for (row, &out) in self.out.iter().enumerate() {
            self.adj[out as usize][row] = [1.0; L];
        }
        let ad = self.adj.as_mut_ptr();
        let mut o = n + self.nodes.len();
        for (nd, &first) in self.nodes.iter().zip(&self.first).rev() {
            o -= 1;
            unsafe {
                let w = &*ad.add(o);
                let a = &*v.add(nd.a as usize);
                let b = &*v.add(nd.b as usize);
                let r = &*v.add(o);
                // operands never alias w: they were recorded before this node
                macro_rules! up { ($i:expr, $bit:expr, |$q:ident| $e:expr) => {
                    let mut d = [0.0; L];
                    for $q in 0..L { d[$q] = $e; }
                    let p = &mut *ad.add($i as usize);
                    if first & $bit != 0 { for m in 0..M { for q in 0..L { p[m][q] = w[m][q] * d[q]; } } }
                    else { for m in 0..M { for q in 0..L { p[m][q] = w[m][q].mul_add(d[q], p[m][q]); } } }
                } }
                macro_rules! lin {
                    ($i:expr, $bit:expr, $k:expr) => {
                        let p = &mut *ad.add($i as usize);
                        let k = $k;
                        if first & $bit != 0 {
                            for m in 0..M {
                                for q in 0..L {
                                    p[m][q] = w[m][q] * k;
                                }
                            }
                        } else {
                            for m in 0..M {
                                for q in 0..L {
                                    p[m][q] = w[m][q].mul_add(k, p[m][q]);
                                }
                            }
                        }
                    };
                }
                match nd.op {
                    Op::Add => {
                        lin!(nd.a, 1, 1.0);
                        lin!(nd.b, 2, 1.0);
                    }
                    Op::Sub => {
                        lin!(nd.a, 1, 1.0);
                        lin!(nd.b, 2, -1.0);
                    }
                    Op::Mul => {
                        up!(nd.a, 1, |q| b[q]);
                        up!(nd.b, 2, |q| a[q]);
                    }
                    Op::Div => {
                        up!(nd.a, 1, |q| 1.0 / b[q]);
                        up!(nd.b, 2, |q| -r[q] / b[q]);
                    }
                    Op::Fma => {
                        up!(nd.a, 1, |q| b[q]);
                        up!(nd.b, 2, |q| a[q]);
                        lin!(nd.c, 4, 1.0);
                    }
                    Op::AddC => {
                        lin!(nd.a, 1, 1.0);
                    }
                    Op::MulC => {
                        lin!(nd.a, 1, nd.k);
                    }
                    Op::RSub => {
                        lin!(nd.a, 1, -1.0);
                    }
                    Op::RDiv => {
                        up!(nd.a, 1, |q| -r[q] / a[q]);
                    }
                    Op::Exp => {
                        up!(nd.a, 1, |q| r[q]);
                    }
                    Op::Ln => {
                        up!(nd.a, 1, |q| 1.0 / a[q]);
                    }
                    Op::Sqrt => {
                        up!(nd.a, 1, |q| 0.5 / r[q]);
                    }
                    Op::Sin => {
                        up!(nd.a, 1, |q| vsincos(a[q]).1);
                    }
                    Op::Cos => {
                        up!(nd.a, 1, |q| -vsincos(a[q]).0);
                    }
                    Op::Tanh => {
                        up!(nd.a, 1, |q| 1.0 - r[q] * r[q]);
                    }
                    Op::Relu => {
                        up!(nd.a, 1, |q| if a[q] > 0.0 { 1.0 } else { 0.0 });
                    }
                }
            }
        }
        for m in 0..M {
            for l in 0..L {
                for j in 0..n {
                    g[l * M * n + m * n + j] = self.adj[j][m][l];
                }
            }
        }
    }
}
