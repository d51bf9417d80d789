//! Layers against loops, and how weights begin against the published variances.
use approx::assert_relative_eq;
use chainrule::{
    nn::{Draw, Fan, Init, LogSoftmax},
    prelude::*,
};

// ---- how weights begin --------------------------------------------------------------------------------------------------

/// Mean 0 and this standard deviation, within six standard errors; and the shape of the distribution.
fn check(what: &str, w: &Tensor<f64>, std: f64, draw: Draw) {
    let n = w.shape().size() as f64;
    let mean = w.data().iter().sum::<f64>() / n;
    let variance = w.data().iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let largest = w.data().iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    assert!(mean.abs() < 6.0 * std / n.sqrt(), "{what}: mean {mean}, std {std}");
    // Var of x^2 is 2 std^4 for a normal distribution, 0.8 std^4 for a uniform one.
    assert!((variance / (std * std) - 1.0).abs() < 6.0 * (2.0 / n).sqrt(), "{what}: variance {variance}, std {std}");
    let bound = std * 3f64.sqrt();
    match draw {
        Draw::Uniform => assert!((0.99 * bound..=bound).contains(&largest), "{what}: largest {largest}, bound {bound}"),
        Draw::Normal => assert!((3.0 * std..7.0 * std).contains(&largest), "{what}: largest {largest}, std {std}"),
    }
}

#[test]
fn published_variances() {
    let rng = &mut Rng::seed(1);
    // Weights [out, in, kernel..]: fan-in and fan-out count the kernel.
    for (shape, fan_in, fan_out) in [
        (&[200, 100][..], 100.0f64, 200.0f64),
        (&[50, 400], 400.0, 50.0),
        (&[16, 8, 3, 5], 120.0, 240.0),
        (&[3000], 3000.0, 3000.0),
    ] {
        let shape = Shape::try_new(shape).unwrap();
        let mut draw = |init: Init| init.tensor::<f64>(shape, rng);
        check("xavier", &draw(Init::xavier()), (2.0 / (fan_in + fan_out)).sqrt(), Draw::Uniform);
        check("he", &draw(Init::he()), (2.0 / fan_in).sqrt(), Draw::Normal);
        check("standard", &draw(Init::standard()), 1.0 / (3.0 * fan_in).sqrt(), Draw::Uniform);
        let normal = Init::xavier().draw(Draw::Normal);
        check("xavier, normal", &draw(normal), (2.0 / (fan_in + fan_out)).sqrt(), Draw::Normal);
        check("he, uniform", &draw(Init::he().draw(Draw::Uniform)), (2.0 / fan_in).sqrt(), Draw::Uniform);
        check("he, fan-out", &draw(Init::he().fan(Fan::Out)), (2.0 / fan_out).sqrt(), Draw::Normal);
        check("xavier, fan-in", &draw(Init::xavier().fan(Fan::In)), (1.0 / fan_in).sqrt(), Draw::Uniform);
        check(
            "gain",
            &draw(Init::xavier().gain(5.0 / 3.0)),
            5.0 / 3.0 * (2.0 / (fan_in + fan_out)).sqrt(),
            Draw::Uniform,
        );
    }
}

#[test]
fn plain_beginnings() {
    let rng = &mut Rng::seed(1);
    assert!(Init::Zeros.tensor::<f32>([9], rng).data().iter().all(|x| *x == 0.0));
    assert!(Init::Constant(1.5).tensor::<f32>([9], rng).data().iter().all(|x| *x == 1.5));
    let w = Init::Uniform { lo: 2.0, hi: 4.0 }.tensor::<f64>([20_000], rng);
    check("uniform", &(w - &Tensor::filled([], 3.0)), 1.0 / 3f64.sqrt(), Draw::Uniform);
    let w = Init::Normal { mean: -1.0, std: 0.5 }.tensor::<f64>([20_000], rng);
    check("normal", &(w + &Tensor::filled([], 1.0)), 0.5, Draw::Normal);
    // Only a scaled one has a gain, a fan and a draw.
    assert_eq!(Init::Zeros.gain(2.0).fan(Fan::Out).draw(Draw::Normal), Init::Zeros);
    // One number, and none.
    assert!(Init::he().tensor::<f64>([], rng).item().is_finite());
    assert_eq!(Init::he().tensor::<f64>([3, 0], rng).shape().size(), 0);
    // The same seed, the same weights; f32 is the rounded f64.
    let (a, b) = (Init::he().tensor::<f64>([50], &mut Rng::seed(3)), Init::he().tensor::<f32>([50], &mut Rng::seed(3)));
    assert_eq!(a.to::<f32>(), b);
}

#[test]
fn a_dense_layer_begins_as_said() {
    let rng = &mut Rng::seed(1);
    let layer = Dense::<f64>::new(300, 200, rng);
    check("weight", &layer.weight.value, 1.0 / 900f64.sqrt(), Draw::Uniform);
    check("bias", &layer.bias.as_ref().unwrap().value, 1.0 / 900f64.sqrt(), Draw::Uniform);
    let layer = Dense::<f64>::with_init(300, 200, Init::he(), rng);
    check("weight", &layer.weight.value, (2.0 / 300f64).sqrt(), Draw::Normal);
    assert!(layer.bias.as_ref().unwrap().value.data().iter().all(|x| *x == 0.0));
    assert_eq!((layer.inputs(), layer.outputs(), layer.count()), (300, 200, 60_200));
    assert_eq!(layer.without_bias().count(), 60_000);
    assert_eq!(*Dense::<f32>::new(0, 3, rng).forward(&Tensor::zeros([2, 0])).shape(), [2, 3]);
}

// ---- layers against loops -------------------------------------------------------------------------------------------------

fn naive_dense(layer: &Dense<f64>, x: &Tensor<f64>) -> Vec<f64> {
    let (n, k, w) = (layer.outputs(), layer.inputs(), layer.weight.value.data());
    let mut y = vec![];
    for row in x.data().chunks_exact(k) {
        for o in 0..n {
            let bias = layer.bias.as_ref().map_or(0.0, |b| b.value.data()[o]);
            y.push((0..k).map(|i| row[i] * w[o * k + i]).sum::<f64>() + bias);
        }
    }
    y
}

#[test]
fn dense() -> Result<(), Error> {
    let rng = &mut Rng::seed(1);
    for shape in [&[5][..], &[1, 5], &[7, 5], &[2, 3, 5], &[2, 1, 2, 2, 5], &[0, 5]] {
        let x = Tensor::<f64>::uniform_of(Shape::try_new(shape)?, -1.0, 1.0, rng);
        let with = Dense::new(5, 4, rng);
        let without = Dense::new(5, 4, rng).without_bias();
        for layer in [with, without] {
            let y = layer.forward(&x);
            assert_eq!((&y.shape()[..shape.len() - 1], y.shape().last()), (&shape[..shape.len() - 1], Some(&4)));
            for (a, b) in y.data().iter().zip(naive_dense(&layer, &x)) {
                assert_relative_eq!(*a, b, max_relative = 1e-13, epsilon = 1e-15);
            }
            let mut tape = Tape::new();
            assert_eq!(layer.forward(&tape.begin().constant(&x)).value(), y);
            chainrule::check::gradcheck_module(&layer, |r| layer.forward(&r.constant(&x)).square())?;
        }
    }
    Ok(())
}

#[test]
fn activations_are_their_functions() {
    let x = Tensor::<f64>::uniform_of([3, 7], -4.0, 4.0, &mut Rng::seed(1));
    let naive = |f: &dyn Fn(f64) -> f64| x.data().iter().map(|x| f(*x)).collect::<Vec<_>>();
    let cases: [(Tensor<f64>, Vec<f64>); 6] = [
        (Relu.forward(&x), naive(&|x| x.max(0.0))),
        (Tanh.forward(&x), naive(&f64::tanh)),
        (Sigmoid.forward(&x), naive(&|x| 1.0 / (1.0 + (-x).exp()))),
        (Silu.forward(&x), naive(&|x| x / (1.0 + (-x).exp()))),
        (Softplus.forward(&x), naive(&|x| x.exp().ln_1p())),
        (LeakyRelu::default().forward(&x), naive(&|x| if x > 0.0 { x } else { 0.01 * x })),
    ];
    for (y, naive) in cases {
        y.data().iter().zip(naive).for_each(|(a, b)| assert_relative_eq!(*a, b, max_relative = 1e-12, epsilon = 1e-15));
    }
    let p = Softmax.forward(&x);
    for (p, x) in p.data().chunks_exact(7).zip(x.data().chunks_exact(7)) {
        let sum: f64 = x.iter().map(|x| x.exp()).sum();
        p.iter().zip(x).for_each(|(p, x)| assert_relative_eq!(*p, x.exp() / sum, max_relative = 1e-12));
    }
    let logs = LogSoftmax.forward(&x);
    p.data().iter().zip(logs.data()).for_each(|(p, l)| assert_relative_eq!(p.ln(), *l, max_relative = 1e-11));
    let ratio = Gelu.forward(&x) - GeluTanh.forward(&x);
    assert!(ratio.data().iter().all(|d| d.abs() < 1e-3)); // two forms of one function
}

#[test]
fn sequences_run_one_after_the_other() {
    let rng = &mut Rng::seed(1);
    let (a, b, x) = (Dense::new(3, 4, rng), Dense::new(4, 4, rng), Tensor::uniform([2, 3], -1.0, 1.0, rng));
    let expect = b.forward(&a.forward(&x).tanh()).relu();
    assert_eq!((a.clone(), Tanh, b.clone(), Relu).forward(&x), expect);
    assert_eq!(((a.clone(), Tanh), Some((b.clone(),)), None::<Dense>, Relu).forward(&x), expect);
    assert_eq!(Box::new((a.clone(), Tanh, b.clone(), Relu)).forward(&x), expect);
    let mixed = vec![AnyLayer::new(a), AnyLayer::new(Tanh), AnyLayer::new(b), AnyLayer::new(Relu)];
    assert_eq!(mixed.forward(&x), expect);
    assert_eq!(Vec::<Dense>::new().forward(&x), x);
}

#[test]
fn dropout_keeps_its_share_and_its_mean() -> Result<(), Error> {
    let (n, mut tape, mut rng) = (100_000, Tape::<f64>::new(), Rng::seed(1));
    let x = Tensor::<f64>::filled([n], 1.0);
    for p in [0.0, 0.1, 0.5, 0.9] {
        let y = Dropout::new(p)?.forward(&tape.begin_train(&mut rng).constant(&x)).value();
        let zeros = y.data().iter().filter(|y| **y == 0.0).count() as f64;
        let sigma = (n as f64 * p * (1.0 - p)).sqrt();
        assert!((zeros - n as f64 * p).abs() <= 6.0 * sigma, "{p}: {zeros} zeros");
        assert!(y.data().iter().all(|y| *y == 0.0 || (y - 1.0 / (1.0 - p)).abs() < 1e-15));
        // Neighbours are independent: pairs of zeros come p^2 of the time.
        let pairs = y.data().windows(2).filter(|w| w[0] == 0.0 && w[1] == 0.0).count() as f64;
        assert!((pairs / n as f64 - p * p).abs() < 0.01, "{p}: {pairs} pairs");
    }
    Ok(())
}
