//! What is used wrongly says so, and how to do it.
use chainrule::scalar::{self, Dual, Tape, Var};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn message<T>(f: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else { panic!("no panic") };
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| panic.downcast_ref::<&str>().expect("text").to_string())
}

#[test]
fn variables_of_two_tapes() {
    let (one, two) = (Tape::new(), Tape::new());
    let (x, y) = (one.var(1.0), two.var(2.0));
    for text in [message(|| x * y), message(|| x.grads_of(&[y])), message(|| x.maximum(y))] {
        assert!(text.contains("variables of two tapes in one operation\nhelp:"), "{text}");
    }
    let text = message(|| two.var(1.0).hypot(x));
    assert!(text.contains("Var::constant"), "{text}");
    // The result of another tape, and nothing else of it.
    let leak = one.var(3.0);
    let text = message(|| Tape::new().value_and_grad(|_| unlifetime(leak), &[1.0], &mut [0.0]));
    assert!(text.contains("two tapes"), "{text}");
    assert_eq!((x * 2.0).grads_of(&[x]), [2.0], "the tape still works");
}

/// A handle for any lifetime: of a tape that is never freed.
fn unlifetime<'t>(x: Var<'_>) -> Var<'t> {
    let tape: &'static Tape<f64> = Box::leak(Box::new(Tape::new()));
    tape.var(x.value())
}

#[test]
fn derivatives_with_respect_to_what_is_no_variable() {
    let tape = Tape::new();
    let x = tape.var(1.0);
    let y = x.exp();
    for wrong in [y, 3.0.into()] {
        let text = message(|| (y * x).grads_of(&[wrong]));
        assert!(text.contains("with respect to variables of the tape\nhelp: `x.pin()`"), "{text}");
    }
}

#[test]
fn an_intermediate_result_whose_derivative_is_1_by_value_alone() {
    let tape = Tape::new();
    let x = tape.var(Dual::new(0.0, [1.0]));
    let y = x.exp(); // dy/dx = 1, but its derivative is 1, too
    let text = message(|| (y * y).grads_of(&[y]));
    assert!(text.contains("help: `x.pin()`"), "{text}");
}

#[test]
fn a_scope_of_constants_that_uses_a_variable() {
    let tape: &'static Tape<f64> = Box::leak(Box::new(Tape::new()));
    let x: Var<'static> = tape.var(2.0);
    let text = message(|| scalar::scope(&[Var::<'static>::from(3.0)], |_| x));
    assert!(text.contains("variables of two tapes"), "{text}");
}

#[test]
fn lengths_that_differ() {
    let cases = [
        (message(|| scalar::hvp(|x| x[0], &[1.0], &[1.0, 2.0])), "hvp: x_dot has 2 numbers, but the function has 1"),
        (message(|| scalar::jvp(|x| x.to_vec(), &[1.0, 2.0], &[])), "jvp: x_dot has 0 numbers, but the function has 2"),
        (message(|| scalar::directional(|x| x[0], &[1.0], &[])), "directional: x_dot has 0"),
        (message(|| scalar::vjp(|x| x.to_vec(), &[1.0, 2.0], &[1.0])), "vjp: y_bar has 1 numbers"),
        (message(|| Tape::new().value_and_grad(|x| x[0], &[1.0], &mut [])), "value_and_grad: gradient has 0"),
    ];
    for (text, wanted) in cases {
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn handles_are_plain_values() {
    fn copy<T: Copy>() {}
    fn send<T: Send>() {}
    copy::<Var<'static>>();
    copy::<scalar::Dual<f64, 3>>();
    send::<Tape<f64>>();
    assert_eq!(size_of::<Var<'static>>(), 24);
}
