//! The gradient check of scalar programs: it passes right ones and catches wrong ones, in each variable.
use chainrule::{
    ErrorKind,
    check::{Report, scalar_gradcheck, scalar_gradgradcheck},
    formula::{Elementwise, Number},
    scalar::{Scalar, logsumexp, sum_over},
};

fn program<T: Scalar>(x: &[T]) -> T {
    let far = (x[0] * x[1]).sin() + x[2].exp() * x[1].hypot(x[0]);
    far * x[3].sigmoid() + x[1].powf(x[0]).ln_1p() + logsumexp(x) * x[2].erf() - (x[3] / x[1]).atan2(x[0])
}

const POINT: [f64; 4] = [0.7, 1.3, -0.4, 2.1];

#[test]
fn right_programs_pass_in_both_orders() {
    let first = scalar_gradcheck(&POINT, |x| program(x)).unwrap();
    let second = scalar_gradgradcheck(&POINT, |x| program(x)).unwrap();
    assert!(first.checked == 4 && first.worst < 1e-7, "{first:?}");
    assert!(second.checked == 16 && second.worst < 1e-7, "{second:?}");
    let point = POINT.map(|x| x as f32);
    assert_eq!(scalar_gradcheck(&point, |x| program(x)).unwrap().checked, 4);
    assert_eq!(scalar_gradgradcheck(&point, |x| program(x)).unwrap().checked, 16);
}

#[test]
fn every_variable_is_tried() {
    // More than the elements that a tensor's check tries one by one.
    let x: Vec<f64> = (0..200).map(|k| f64::from(k) * 0.01).collect();
    let right = scalar_gradcheck(&x, |x| sum_over(x, 0..200, |x, k| x[k].sin())).unwrap();
    assert_eq!(right.checked, 200);
    let e = scalar_gradcheck(&x, |x| x.iter().enumerate().map(|(k, x)| if k == 137 { x.detach() } else { *x }).sum());
    let e = e.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::GradCheck);
    assert!(
        e.to_string().starts_with("scalar_gradcheck: variable 137: the rule gives 0e0, central differences"),
        "{e}"
    );
    assert_eq!(
        scalar_gradcheck::<f64, _>(&[], |_| 1.0.into()).unwrap(),
        scalar_gradgradcheck::<f64, _>(&[], |_| 1.0.into()).unwrap()
    );
}

/// `x^2 / (1 + x^2)` with a derivative that is off by a factor.
#[derive(Clone, Copy)]
struct Off {
    factor: f64,
}
impl Elementwise<1> for Off {
    const NAME: &'static str = "off";
    fn value<S: Number>(self, [x]: [S; 1]) -> S {
        x * x / (x * x + x.lit(1.0))
    }
    fn partials<S: Number>(self, [x]: [S; 1], _: S) -> [S; 1] {
        [x * (x * x + x.lit(1.0)).powi(-2) * x.lit(2.0 * self.factor)]
    }
}

#[test]
fn a_formula_with_a_wrong_derivative_is_caught() {
    let check = |factor: f64| scalar_gradcheck(&[0.8, 1.5], |x| x[0] * x[1].apply(Off { factor }));
    check(1.0).unwrap();
    for factor in [-1.0, 0.0, 0.5, 1.0 + 1e-5] {
        let e = check(factor).unwrap_err();
        assert!(e.to_string().starts_with("scalar_gradcheck: variable 1: the rule gives"), "{e}");
    }
    let single = |factor: f64| scalar_gradcheck(&[0.8f32, 1.5], |x| x[0] * x[1].apply(Off { factor }));
    single(1.0).unwrap();
    assert!(single(1.1).is_err());
}

/// `x^2` with a derivative that is right everywhere, but a constant at 3.
#[derive(Clone, Copy)]
struct Flat;
impl Elementwise<1> for Flat {
    const NAME: &'static str = "flat";
    fn value<S: Number>(self, [x]: [S; 1]) -> S {
        x * x
    }
    fn partials<S: Number>(self, [x]: [S; 1], _: S) -> [S; 1] {
        let three = x.lit(3.0);
        [(x.ge(three) * three.ge(x)).where_cond(x.lit(6.0), x * x.lit(2.0))]
    }
}

#[test]
fn the_second_order_catches_what_the_first_cannot_see() {
    scalar_gradcheck(&[1.0, 3.0], |x| x[0] + x[1].apply(Flat)).unwrap();
    scalar_gradgradcheck(&[1.0, 2.0], |x| x[0] + x[1].apply(Flat)).unwrap();
    let e = scalar_gradgradcheck(&[1.0, 3.0], |x| x[0] + x[1].apply(Flat)).unwrap_err();
    assert!(e.to_string().starts_with("scalar_gradgradcheck: d/dx[1] of df/dx[1]: the rule gives 0e0, central"), "{e}");
}

#[test]
fn what_is_not_a_number_fails() {
    let fails = |x: f64, r: Result<Report, chainrule::Error>| assert!(r.is_err(), "{x}: {r:?}");
    for x in [f64::NAN, -1.0, 0.0] {
        fails(x, scalar_gradcheck(&[x], |x| x[0].ln()));
    }
    fails(0.0, scalar_gradcheck(&[0.0], |x| x[0] / 0.0));
}
