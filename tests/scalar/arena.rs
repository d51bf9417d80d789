//! The memory of tapes: several on a thread, moved, dropped, nested, grown. These also run under miri.
use chainrule::scalar::{Scalar, Tape, Var, grad, scope};
use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// Enough for two pieces behind the first one; few under miri.
const LONG: usize = if cfg!(miri) { 400 } else { 200_000 };

fn sum_of_products<'t, S: Scalar>(x: Var<'t, S>, y: Var<'t, S>, n: usize) -> Var<'t, S> {
    (0..n).fold(x, |sum, _| sum + x * y)
}

#[test]
fn tapes_take_turns() {
    let (a, b) = (Tape::new(), Tape::new());
    let (xa, ya) = (a.var(2.0), a.var(3.0));
    let (xb, yb) = (b.var(5.0f32), b.var(7.0f32));
    let (mut za, mut zb) = (xa, xb);
    for _ in 0..LONG / 4 {
        za += xa * ya;
        zb += xb * yb;
    }
    let n = (LONG / 4) as f64;
    assert_eq!(za.grads_of(&[xa, ya]), [1.0 + 3.0 * n, 2.0 * n]);
    assert_eq!(zb.grads_of(&[xb, yb]), [1.0 + 7.0 * n as f32, 5.0 * n as f32]);
    assert_eq!((a.len(), b.len()), (2 + LONG / 2, 2 + LONG / 2));
}

#[test]
fn a_tape_is_dropped_while_another_writes() {
    let outer = Tape::new();
    let (x, y) = (outer.var(2.0), outer.var(3.0));
    let mut z = x;
    for k in 0..20 {
        let inner = Tape::new();
        let w = inner.var(f64::from(k));
        let c = (w * w + w).grads_of(&[w])[0];
        z += x * y * c;
        drop(inner);
        z += y;
    }
    let c: f64 = (0..20).map(|k| f64::from(2 * k + 1)).sum();
    assert_eq!(z.grads_of(&[x, y]), [1.0 + 3.0 * c, 2.0 * c + 20.0]);
}

#[test]
fn tapes_that_move() {
    let mut tapes: Vec<Tape<f64>> = vec![];
    for k in 0..9 {
        tapes.push(Tape::new()); // moves those before, again and again
        for tape in &mut tapes {
            let tape = tape.begin();
            let (x, y) = (tape.var(f64::from(k)), tape.var(2.0));
            assert_eq!((x * y + x).grads_of(&[x, y]), [3.0, f64::from(k)]);
        }
        tapes.swap(0, k as usize / 2);
    }
    let tape = Tape::new();
    assert_eq!(tape.var(1.0).grads_of(&[]), [0.0; 0]);
    let moved = tape;
    let x = moved.var(3.0); // the second variable of the same recording
    assert_eq!(((x * x).grads_of(&[x]), moved.len()), (vec![6.0], 2));
    let boxed = Box::new(moved);
    let x = boxed.var(4.0);
    assert_eq!(((x * x).grads_of(&[x]), boxed.len()), (vec![8.0], 3));
}

#[test]
fn tapes_on_other_threads() {
    let mut tape = Tape::new();
    let gradient = |tape: &mut Tape<f64>| {
        let mut g = [0.0; 2];
        tape.value_and_grad(|x| sum_of_products(x[0], x[1], LONG), &[2.0, 3.0], &mut g);
        assert_eq!(g, [1.0 + 3.0 * LONG as f64, 2.0 * LONG as f64]);
    };
    gradient(&mut tape);
    let mut tape = thread::spawn(move || {
        gradient(&mut tape);
        let mut other = Tape::new();
        gradient(&mut other);
        gradient(&mut tape);
        tape
    })
    .join()
    .unwrap();
    gradient(&mut tape);
    // Its seat on this thread stays taken when it is dropped there.
    thread::spawn(move || drop(tape)).join().unwrap();
    gradient(&mut Tape::new());
}

#[test]
fn a_tape_that_outlives_its_thread_s_seats() {
    thread_local! { static KEPT: RefCell<Tape<f64>> = RefCell::new(Tape::new()); }
    let work = || {
        KEPT.with_borrow_mut(|tape| {
            let tape = tape.begin();
            let x = tape.var(3.0);
            assert_eq!((x * x * x).grads_of(&[x]), [27.0]);
        });
    };
    work();
    thread::spawn(work).join().unwrap();
}

#[test]
fn forgotten_tapes() {
    for _ in 0..3 {
        let tape = Tape::new();
        let x = tape.var(2.0);
        assert_eq!((x * x).grads_of(&[x]), [4.0]);
        #[cfg(not(miri))] // it would report the leak
        std::mem::forget(tape);
    }
    assert_eq!(grad(|x| x[0] * x[0], &[3.0]), [6.0]);
}

/// The `n`th derivative of `x^5`, by tapes in tapes.
fn nested<S: Scalar>(x: S) -> [S; 2] {
    let tape = Tape::new();
    let v = tape.var(x);
    let y = v * v * v * v * v;
    [y.value(), y.grads_of(&[v])[0]]
}

#[test]
fn tapes_in_tapes() {
    let one = Tape::new();
    let x = one.var(2.0);
    let two = Tape::new();
    let y = two.var(x);
    let three = Tape::new();
    let z = three.var(y);
    let four = Tape::new();
    let w = four.var(z);
    let [value, first] = nested(w);
    assert_eq!((value.value().value().value().value(), first.value().value().value().value()), (32.0, 80.0));
    let second = first.grads_of(&[w])[0];
    let third = second.grads_of(&[z])[0];
    let fourth = third.grads_of(&[y])[0];
    let fifth = fourth.grads_of(&[x])[0];
    assert_eq!(
        (second.value().value().value(), third.value().value(), fourth.value(), fifth),
        (160.0, 240.0, 240.0, 120.0)
    );
}

#[test]
fn a_tape_grows_and_begins_anew() {
    let mut tape = Tape::new();
    for n in [10, LONG, 3, LONG * 3 / 2, LONG] {
        let recording = tape.begin();
        let (x, y) = (recording.var(2.0), recording.var(3.0));
        let z = sum_of_products(x, y, n);
        assert_eq!(z.grads_of(&[x, y]), [1.0 + 3.0 * n as f64, 2.0 * n as f64], "{n}");
        assert_eq!(recording.len(), 2 + 2 * n);
    }
}

#[test]
fn panics_inside() {
    let tape = Tape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let z = x * y;
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let inner = Tape::new();
        let w = inner.var(1.0);
        let _ = w * w;
        let _ = x * w; // two tapes
    }));
    assert!(caught.is_err());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        scope(&[x, y], |s| {
            let _ = s[0] * s[1];
            let _ = grad(|g| g[0] * g[0], &[1.0]);
            panic!("by the user");
        })
    }));
    assert!(caught.is_err());
    assert_eq!((z + x * y).grads_of(&[x, y]), [6.0, 4.0]);
}

#[test]
fn scopes_in_scopes() {
    let tape = Tape::new();
    let (x, y) = (tape.var(2.0), tape.var(3.0));
    let z = scope(&[x, y], |s| {
        let inner = scope(s, |t| t[0] * t[1] + t[0]);
        inner * s[1] + scope(&[inner, s[0]], |t| t[0] * t[1])
    });
    // (x y + x) (y + x)
    assert_eq!((z.value(), z.grads_of(&[x, y])), (40.0, vec![4.0 * 5.0 + 8.0, 2.0 * 5.0 + 8.0]));
}

fn elsewhere<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(f).join().unwrap()
}

/// `x y^2` at (3, 2).
fn used(tape: &Tape<f64>) -> Var<'_> {
    let (x, y) = (tape.var(3.0), tape.var(2.0));
    let z = x * y * y;
    assert_eq!(z.grads_of(&[x, y]), [4.0, 12.0]);
    z
}

#[test]
fn a_tape_made_and_used_elsewhere_does_not_write_to_one_of_here() {
    let here = Tape::new();
    let x = here.var(5.0);
    let there = elsewhere(|| {
        let tape = Tape::new();
        tape.vars(&[1.0; 7]);
        tape
    });
    used(&there);
    assert_eq!((x * x).grads_of(&[x]), [10.0]);
    drop(there);
    assert_eq!((x * x * x).grads_of(&[x]), [75.0]);
}

#[test]
fn variables_of_a_tape_from_elsewhere_are_variables() {
    let tape = elsewhere(|| {
        let tape = Tape::new();
        tape.vars(&[1.0; 7]);
        tape
    });
    let _other = Tape::<f64>::new().var(1.0);
    used(&tape);
}

#[test]
fn a_tape_comes_back_with_other_memory() {
    let mut tape = Box::new(Tape::new());
    used(&tape);
    for n in [300, 3_000] {
        tape = elsewhere(move || {
            tape.value_and_grad(|x| x[0] * x[1], &vec![1.0; n], &mut vec![0.0; n]);
            tape
        });
        used(&tape);
    }
}

#[test]
fn a_long_recording_comes_back_shorter() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    let n = 2_000;
    let y = (0..n).fold(x, |sum, _| sum + x * sum.exp());
    let _ = y;
    assert!(tape.len() >= n);
    let tape = elsewhere(move || {
        let mut tape = tape;
        tape.value_and_grad(|x| x[0] * x[1], &[1.0; 700], &mut [0.0; 700]);
        tape
    });
    used(&tape);
}
