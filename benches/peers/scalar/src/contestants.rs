//! Who computes the gradients of an objective, and how.
use crate::{
    libraries::{REVERSE, RUST_QUANT},
    objectives::{Number, Objective, Points},
    prototypes::{ProtoA, ProtoB, Replay},
};
use chainrule::scalar::{Compiled, CompiledMany, Dual, Tape, Trace};
use std::array::from_fn;

/// What a contestant is compared with.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// This crate, recording every time.
    Recording,
    /// This crate, replaying.
    Replaying,
    /// This crate, carrying derivatives forward.
    Forward,
    /// A prototype that records.
    ProtoRecording,
    /// A prototype that replays.
    ProtoReplaying,
    /// Another library that records or replays.
    Peer,
    /// Another library that carries derivatives forward.
    ForwardPeer,
}

/// Puts all gradients at all points into a slice.
pub(crate) struct Contestant<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut(&mut [f64]) + 'a>,
}

pub(crate) fn contestants<O: Objective>(f: &O) -> Vec<Contestant<'_>> {
    let mut all = ours(f);
    all.push(replaying(f));
    match f.points().n {
        5 => all.push(forward::<5, O>(f)),
        6 => all.push(forward::<6, O>(f)),
        15 => all.push(forward::<15, O>(f)),
        _ => {}
    }
    all.extend(prototypes(f));
    all.extend(peers(f));
    all
}

/// One that takes the points one by one.
fn each<'a, O: Objective>(
    f: &'a O,
    kind: Kind,
    name: &'static str,
    mut gradient: impl FnMut(&Points, &[f64], &mut [f64]) + 'a,
) -> Contestant<'a> {
    let points = f.points();
    let run = move |all: &mut [f64]| {
        for (x, g) in points.x.chunks_exact(points.n).zip(all.chunks_exact_mut(points.n * points.m)) {
            gradient(&points, x, g);
        }
    };
    Contestant { kind, name, run: Box::new(run) }
}

fn results<O: Objective, T: Number>(f: &O, x: &[T], m: usize, scoped: bool) -> Vec<T> {
    let mut y = vec![x[0]; m];
    f.eval(x, &mut y, scoped);
    y
}

fn one<O: Objective, T: Number>(f: &O, x: &[T], scoped: bool) -> T {
    two::<O, T, 1>(f, x, scoped)[0]
}

fn two<O: Objective, T: Number, const M: usize>(f: &O, x: &[T], scoped: bool) -> [T; M] {
    let mut y = [x[0]; M];
    f.eval(x, &mut y, scoped);
    y
}

fn ours<O: Objective>(f: &O) -> Vec<Contestant<'_>> {
    let name = |scoped| if scoped { "chainrule, scoped" } else { "chainrule" };
    let scopes = if O::SCOPES { &[false, true][..] } else { &[false] };
    let make = |&scoped: &bool| {
        let mut tape = Tape::new();
        each(f, Kind::Recording, name(scoped), move |p, x, g| match p.m {
            1 => drop(tape.value_and_grad(|x| one(f, x, scoped), x, g)),
            _ => drop(tape.value_and_jacobian::<_, 2>(|x| two(f, x, scoped), x, g)),
        })
    };
    scopes.iter().map(make).collect()
}

fn forward<const N: usize, O: Objective>(f: &O) -> Contestant<'_> {
    each(f, Kind::Forward, "chainrule, forward", move |p, x, g| {
        let x: [Dual<f64, N>; N] = from_fn(|i| Dual::new(x[i], from_fn(|j| f64::from(u8::from(i == j)))));
        match p.m {
            1 => g.copy_from_slice(&one(f, &x, false).tangent()),
            _ => g.copy_from_slice(two::<_, _, 2>(f, &x, false).map(Dual::tangent).as_flattened()),
        }
    })
}

fn replaying<O: Objective>(f: &O) -> Contestant<'_> {
    let points = f.points();
    let (x, n, count) = (points.x, points.n, points.count);
    let mut values = vec![0.0; points.m * count];
    let run: Box<dyn FnMut(&mut [f64])> = if points.m == 1 {
        let mut compiled = Compiled::record(|x: &[Trace<'_>]| one(f, x, false), &x[..n]);
        Box::new(move |all| compiled.values_and_grads(&x, &mut values, all))
    } else {
        let mut compiled = CompiledMany::record(|x: &[Trace<'_>]| two::<_, _, 2>(f, x, false), &x[..n]);
        Box::new(move |all| compiled.values_and_jacobians(&x, &mut values, all))
    };
    Contestant { kind: Kind::Replaying, name: "chainrule, replay", run }
}

fn prototypes<O: Objective>(f: &O) -> Vec<Contestant<'_>> {
    const ROOM: usize = 5_000_000;
    let mut all = vec![];
    for (name, carry) in [("a", false), ("a, carrying", true)] {
        let mut tape = ProtoA::new(ROOM);
        all.push(each(f, Kind::ProtoRecording, name, move |p, x, g| {
            let y = results(f, &tape.start(x), p.m, false);
            y.iter().zip(g.chunks_exact_mut(p.n)).for_each(|(&y, g)| tape.grad(y, g, carry));
        }));
    }
    for (name, scoped) in [("b", false), ("b, scoped", true)] {
        if scoped && !O::SCOPES {
            continue;
        }
        let mut tape = ProtoB::new(ROOM);
        all.push(each(f, Kind::ProtoRecording, name, move |p, x, g| {
            tape.select();
            let y = results(f, &tape.start(x), p.m, scoped);
            y.iter().zip(g.chunks_exact_mut(p.n)).for_each(|(&y, g)| tape.grad(y, g));
        }));
    }
    match f.points().m {
        1 => all.extend(replays::<1, O>(f)),
        _ => all.extend(replays::<2, O>(f)),
    }
    all
}

fn replays<const M: usize, O: Objective>(f: &O) -> Vec<Contestant<'_>> {
    fn lanes<'a, const L: usize, const M: usize, O: Objective>(f: &'a O, name: &'static str) -> Option<Contestant<'a>> {
        let p = f.points();
        if p.count % L != 0 {
            return None;
        }
        let mut replay = Replay::<L, M>::record(&p.x[..p.n], |x| results(f, x, p.m, false));
        let run = move |all: &mut [f64]| {
            for (x, g) in p.x.chunks_exact(L * p.n).zip(all.chunks_exact_mut(L * p.n * p.m)) {
                replay.jac(x, g);
            }
        };
        Some(Contestant { kind: Kind::ProtoReplaying, name, run: Box::new(run) })
    }
    let all = [
        lanes::<1, M, O>(f, "replay"),
        lanes::<8, M, O>(f, "replay, 8 lanes"),
        lanes::<16, M, O>(f, "replay, 16 lanes"),
        lanes::<40, M, O>(f, "replay, 40 lanes"),
        lanes::<80, M, O>(f, "replay, 80 lanes"),
    ];
    all.into_iter().flatten().collect()
}

fn peers<O: Objective>(f: &O) -> Vec<Contestant<'_>> {
    let mut all = vec![reverse(f), aad(f), rust_quant(f), easy_ml(f), ad_trait(f), echidna(f)];
    all.extend(echidna_replay(f, "echidna, replay", false));
    all.extend(echidna_replay(f, "echidna, optimized replay", true));
    match f.points().n {
        5 => all.push(num_dual::<5, O>(f)),
        6 => all.push(num_dual::<6, O>(f)),
        15 => all.push(num_dual::<15, O>(f)),
        _ => {}
    }
    all
}

fn reverse<O: Objective>(f: &O) -> Contestant<'_> {
    use reverse::Gradient;
    let tape = reverse::Tape::new();
    each(f, Kind::Peer, "reverse", move |p, x, g| {
        REVERSE.set(&tape);
        tape.clear();
        let x = tape.add_vars(x);
        for (y, g) in results(f, &x, p.m, false).iter().zip(g.chunks_exact_mut(p.n)) {
            g.copy_from_slice(&y.grad().wrt(&x));
        }
    })
}

fn aad<O: Objective>(f: &O) -> Contestant<'_> {
    let mut room = 0;
    each(f, Kind::Peer, "aad", move |p, x, g| {
        // The tape cannot be cleared: a new one each time.
        let tape = aad::Tape::with_capacity(room);
        let x: Vec<_> = tape.create_variables_iter(x).collect();
        room = 64;
        for (y, g) in results(f, &x, p.m, false).iter().zip(g.chunks_exact_mut(p.n)) {
            let gradients = y.compute_gradients().expect("a variable");
            for (g, bar) in g.iter_mut().zip(gradients.get_gradients_iter(&x)) {
                *g = bar.unwrap_or(0.0);
            }
        }
    })
}

fn rust_quant<O: Objective>(f: &O) -> Contestant<'_> {
    use RustQuant_autodiff::{Accumulate, Gradient, Graph};
    let tape = Graph::new();
    each(f, Kind::Peer, "RustQuant", move |p, x, g| {
        RUST_QUANT.set(&tape);
        tape.clear();
        let x = tape.vars(x);
        for (y, g) in results(f, &x, p.m, false).iter().zip(g.chunks_exact_mut(p.n)) {
            let bars: Vec<f64> = y.accumulate();
            g.copy_from_slice(&bars.wrt(&x));
        }
    })
}

fn easy_ml<O: Objective>(f: &O) -> Contestant<'_> {
    use easy_ml::differentiation::{Record, WengertList};
    let tape = WengertList::<f64>::new();
    each(f, Kind::Peer, "easy-ml", move |p, x, g| {
        tape.clear();
        let x: Vec<_> = x.iter().map(|&v| Record::variable(v, &tape)).collect();
        for (y, g) in results(f, &x, p.m, false).iter().zip(g.chunks_exact_mut(p.n)) {
            let bars = y.derivatives();
            g.iter_mut().zip(&x).for_each(|(g, x)| *g = bars.at(x));
        }
    })
}

fn ad_trait<O: Objective>(f: &O) -> Contestant<'_> {
    use ad_trait::reverse_ad::adr::{GlobalComputationGraph, adr};
    each(f, Kind::Peer, "ad_trait", move |p, x, g| {
        GlobalComputationGraph::get().reset();
        let x: Vec<adr> = x.iter().map(|&v| adr::new_variable(v, false)).collect();
        for (y, g) in results(f, &x, p.m, false).iter().zip(g.chunks_exact_mut(p.n)) {
            let bars = y.get_backwards_mode_grad();
            g.iter_mut().zip(&x).for_each(|(g, x)| *g = bars.wrt(x));
        }
    })
}

fn echidna<O: Objective>(f: &O) -> Contestant<'_> {
    let mut tape = echidna::tape::Tape::<f64>::with_capacity(1024);
    each(f, Kind::Peer, "echidna", move |p, x, g| {
        tape.clear();
        let variable = |&v: &f64| {
            let (i, v) = tape.new_variable(v);
            echidna::Reverse::from_tape(v, i)
        };
        let x: Vec<_> = x.iter().map(variable).collect();
        let y = {
            let _guard = echidna::tape::TapeGuard::new(&mut tape);
            results(f, &x, p.m, false)
        };
        for (y, g) in y.iter().zip(g.chunks_exact_mut(p.n)) {
            g.copy_from_slice(&tape.reverse(y.index())[..p.n]);
        }
    })
}

fn echidna_replay<'a, O: Objective>(f: &'a O, name: &'static str, optimize: bool) -> Option<Contestant<'a>> {
    let points = f.points();
    let (mut tape, _) = echidna::record_multi(|x| results(f, x, points.m, false), &points.x[..points.n]);
    if optimize {
        tape.optimize();
    }
    let mut room = vec![];
    Some(each(f, Kind::Peer, name, move |p, x, g| {
        if p.m == 1 {
            g.copy_from_slice(&tape.gradient_with_buf(x, &mut room));
            return;
        }
        tape.forward(x);
        for (k, g) in g.chunks_exact_mut(p.n).enumerate() {
            let mut seeds = vec![0.0; p.m];
            seeds[k] = 1.0;
            g.copy_from_slice(&tape.reverse_seeded(&seeds));
        }
    }))
}

fn num_dual<const N: usize, O: Objective>(f: &O) -> Contestant<'_> {
    use num_dual::{Derivative, DualSVec};
    each(f, Kind::ForwardPeer, "num-dual", move |p, x, g| {
        let x: [_; N] = from_fn(|i| {
            let direction = nalgebra::SVector::<f64, N>::from_fn(|j, _| f64::from(u8::from(i == j)));
            DualSVec::<f64, N>::new(x[i], Derivative::new(Some(direction)))
        });
        for (y, g) in results(f, &x, p.m, false).into_iter().zip(g.chunks_exact_mut(p.n)) {
            g.copy_from_slice(y.eps.unwrap_generic(nalgebra::Const::<N>, nalgebra::U1).as_slice());
        }
    })
}
