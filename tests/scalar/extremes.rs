//! Random programs at zeros and infinities: every way to a derivative gives the same one, wherever two ways give a number.
use chainrule::scalar::{self, Dual, Scalar, Var, scope};

const INPUTS: usize = 3;
const SPECIAL: [f64; 9] = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 4.0, f64::INFINITY, f64::NEG_INFINITY];

/// An operation, and the two numbers that it reads.
type Step = (usize, usize, usize);

fn run<T: Scalar>(steps: &[Step], x: &[T]) -> T {
    let mut v = x.to_vec();
    for &(op, i, j) in steps {
        let (a, b) = (v[i % v.len()], v[j % v.len()]);
        v.push(match op {
            0 => a + b,
            1 => a - b,
            2 => a * b,
            3 => a / b,
            4 => a.sqrt(),
            5 => a.relu(),
            6 => a.maximum(b),
            7 => a.minimum(b),
            8 => a.abs(),
            9 => a.ln(),
            10 => a.exp(),
            11 => a.hypot(b),
            12 => a.powf(b),
            13 => a.recip(),
            14 => -a,
            15 => a * T::lit(0.0),
            16 => a.cos(),
            17 => a.square(),
            18 => a.atan2(b),
            _ => a.powi(3),
        });
    }
    v[v.len() - 1]
}

fn next(state: &mut u64, below: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) % below as u64) as usize
}

#[test]
fn derivatives_at_zeros_and_infinities_agree() {
    let mut state = 7;
    let mut compared = 0;
    for program in 0..60_000 {
        let steps: Vec<Step> = (0..1 + next(&mut state, 7))
            .map(|_| (next(&mut state, 20), next(&mut state, 100), next(&mut state, 100)))
            .collect();
        let x: [f64; INPUTS] = std::array::from_fn(|_| SPECIAL[next(&mut state, SPECIAL.len())]);
        let (value, g) = scalar::value_and_grad(|x| run(&steps, x), &x);
        let (plain, scoped) = (run(&steps, &x), scalar::grad(|x| scope(x, |x| run(&steps, x)), &x));
        assert!(plain == value || plain.is_nan() && value.is_nan(), "{program}: {steps:?} at {x:?}");
        let over: Vec<f64> = scalar::grad(|x: &[Var<'_, Dual>]| run(&steps, x), &x.map(Dual::constant))
            .iter()
            .map(|g| g.value())
            .collect();
        let forward: Vec<f64> = (0..INPUTS)
            .map(|k| {
                run(&steps, &std::array::from_fn::<_, INPUTS, _>(|j| Dual::new(x[j], [f64::from(u8::from(j == k))])))
                    .tangent()[0]
            })
            .collect();
        for (way, h) in [&forward, &scoped, &over].into_iter().enumerate() {
            for (a, b) in g.iter().zip(h) {
                if a.is_finite() && b.is_finite() {
                    compared += 1;
                    assert!(
                        (a - b).abs() <= 1e-9 * a.abs().max(1.0),
                        "{way} {program}: {steps:?} at {x:?}: {g:?} and {h:?}, y = {value}"
                    );
                }
            }
        }
    }
    assert!(compared > 100_000, "{compared}");
}
