//! Layers against loops, and how weights begin against the published variances.
#[path = "common/engine.rs"]
mod engine;

use approx::assert_relative_eq;
use chainrule::{
    check::gradcheck_module,
    nn::{Draw, Fan},
    prelude::*,
};
use engine::caught;

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
fn lecun_is_normal_or_uniform_with_the_variance_of_fan_in() {
    let rng = &mut Rng::seed(2);
    check("lecun", &Init::lecun().tensor([300, 400], rng), 0.05, Draw::Normal);
    check("lecun, uniform", &Init::lecun().draw(Draw::Uniform).tensor([300, 400], rng), 0.05, Draw::Uniform);
    check("lecun, kernel", &Init::lecun().tensor([64, 16, 5, 5], rng), 0.05, Draw::Normal);
}

/// Density and distribution function of the standard normal.
fn phi(z: f64) -> (f64, f64) {
    ((-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt(), Tensor::<f64>::filled([], z).normal_cdf().item())
}

#[test]
fn truncated_normals_have_the_moments_of_the_formula() -> Result<(), Error> {
    let rng = &mut Rng::seed(3);
    // Every way of proposing: wide, narrow around 0, far in either tail, long and short.
    let cases = [(-2.0, 2.0), (-1.0, 0.5), (-9.0, 0.0), (1.0, 8.0), (3.0, 3.1), (-8.0, -2.5), (0.0, 9.0), (0.5, 1.0)];
    for (a, b) in cases {
        let (mean, std) = (0.3, 0.7);
        let init = Init::truncated_normal_within(mean, std, mean + std * a, mean + std * b)?;
        let (n, x) = (100_000.0, init.tensor::<f64>([100_000], rng));
        let z: Vec<f64> = x.data().iter().map(|x| (x - mean) / std).collect();
        assert!(z.iter().all(|z| (a - 1e-12..=b + 1e-12).contains(z)), "{a} {b}");
        let ((pa, ca), (pb, cb)) = (phi(a), phi(b));
        let mass = cb - ca;
        let expect = (pa - pb) / mass;
        let variance = 1.0 + (a * pa - b * pb) / mass - expect * expect;
        let seen = z.iter().sum::<f64>() / n;
        let spread = z.iter().map(|z| (z - seen).powi(2)).sum::<f64>() / n;
        assert!((seen - expect).abs() < 5.0 * (variance / n).sqrt(), "{a} {b}: mean {seen}, expected {expect}");
        assert!((spread / variance - 1.0).abs() < 0.05, "{a} {b}: variance {spread}, expected {variance}");
        // The share below the middle.
        let middle = (a + b) / 2.0;
        let share = z.iter().filter(|z| **z < middle).count() as f64 / n;
        assert!((share - (phi(middle).1 - ca) / mass).abs() < 0.01, "{a} {b}: {share} below the middle");
    }
    let x = Init::truncated_normal(1.0, 0.1)?.tensor::<f32>([10_000], rng);
    let (lo, hi) = x.data().iter().fold((9f32, 0f32), |(lo, hi), x| (lo.min(*x), hi.max(*x)));
    assert!((0.8..0.81).contains(&lo) && (1.19..=1.2).contains(&hi), "{lo} {hi}");
    // Bounds so far out that their squares overflow: next to the nearer one.
    for (std, lo, hi, at) in [(1e-160, 1.0, 2.0, 1.0), (1e-160, -2.0, -1.0, -1.0), (1e-308, 1.7, f64::INFINITY, 1.7)] {
        let x = Init::truncated_normal_within(0.0, std, lo, hi)?.tensor::<f64>([3], rng);
        assert_eq!(x.data(), [at; 3]);
    }
    for (mean, std, lo, hi) in
        [(0.0, 0.0, -1.0, 1.0), (0.0, 1.0, 1.0, 1.0), (f64::NAN, 1.0, -1.0, 1.0), (0.0, 1.0, f64::NAN, 1.0)]
    {
        let e = Init::truncated_normal_within(mean, std, lo, hi).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::BadData);
        let text = format!(
            "truncated_normal: needs a finite mean, a standard deviation greater than 0 and lo < hi, got mean {mean}, standard \
             deviation {std}, bounds {lo} and {hi}"
        );
        assert_eq!(e.to_string(), text);
    }
    Ok(())
}

/// How far `a a^T` is from `c` times the identity.
fn off<F: Real>(a: &Tensor<F>, c: f64) -> f64 {
    let n = a.shape()[0];
    let product = a.to::<f64>().matmul_nt(&a.to::<f64>());
    let entry = |(e, x): (usize, &f64)| (x - if e / n.max(1) == e % n.max(1) { c } else { 0.0 }).abs();
    product.data().iter().enumerate().map(entry).fold(0.0, f64::max)
}

#[test]
fn orthogonal_rows_or_columns() {
    let rng = &mut Rng::seed(4);
    for (rows, columns) in [(1, 1), (5, 5), (3, 90), (90, 3), (150, 100), (100, 100), (33, 64), (0, 4), (4, 0)] {
        let w = Init::orthogonal().gain(2.0).tensor::<f64>([rows, columns], rng);
        let short = if rows <= columns { w.clone() } else { w.transpose(0, 1) };
        assert!(off(&short, 4.0) < 1e-12, "{rows} {columns}: {:e}", off(&short, 4.0));
        let w = Init::orthogonal().tensor::<f32>([rows, columns], rng);
        let short = if rows <= columns { w } else { w.transpose(0, 1) };
        assert!(off(&short, 1.0) < 1e-6, "{rows} {columns}: {:e}", off(&short, 1.0));
    }
    // A kernel [out, in, h, w] is [out, the rest].
    let w = Init::orthogonal().tensor::<f64>([4, 2, 3, 3], rng).reshape([4, 18]);
    assert!(off(&w, 1.0) < 1e-12);
    // Uniform over orthogonal matrices: of a 2 x 2, entries have mean 0, variance 1/2 and both determinants occur.
    let all: Vec<Tensor<f64>> = (0..4000).map(|_| Init::orthogonal().tensor([2, 2], rng)).collect();
    for e in 0..4 {
        let mean = all.iter().map(|w| w.data()[e]).sum::<f64>() / 4000.0;
        let square = all.iter().map(|w| w.data()[e].powi(2)).sum::<f64>() / 4000.0;
        assert!(mean.abs() < 0.06 && (square - 0.5).abs() < 0.04, "entry {e}: {mean}, {square}");
    }
    let turns = all.iter().filter(|w| w.at([0, 0]) * w.at([1, 1]) > w.at([0, 1]) * w.at([1, 0])).count();
    assert!((1800..2200).contains(&turns), "{turns}");
}

#[test]
fn identities() {
    let rng = &mut Rng::seed(5);
    assert_eq!(Init::Identity.tensor::<f32>([2, 3], rng).data(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(Init::Identity.tensor::<f32>([3, 2], rng).data(), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(Init::Identity.tensor::<f32>([3, 0], rng).shape().size(), 0);
}

#[test]
fn beginnings_that_need_a_matrix_say_so() {
    let seen = caught(|| _ = Init::orthogonal().tensor::<f32>([3], &mut Rng::seed(1)));
    assert!(
        seen.text.starts_with("Init::orthogonal: shape [3]: a matrix needs at least 2 axes (tests/nn.rs:"),
        "{}",
        seen.text
    );
    let seen = caught(|| _ = Init::Identity.tensor::<f32>([3, 2, 1], &mut Rng::seed(1)));
    assert!(
        seen.text.starts_with("Init::Identity: shape [3, 2, 1]: a matrix has 2 axes (tests/nn.rs:"),
        "{}",
        seen.text
    );
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

#[test]
fn layer_norm_is_the_loop() -> Result<(), Error> {
    let rng = &mut Rng::seed(6);
    for (shape, normalized) in
        [(&[2, 3, 5][..], &[5][..]), (&[4, 3, 5], &[3, 5]), (&[6], &[6]), (&[3, 1], &[1]), (&[0, 4], &[4])]
    {
        let x = Tensor::<f64>::normal_of(Shape::try_new(shape)?, 3.0, 2.0, rng);
        let normalized = Shape::try_new(normalized)?;
        let mut layer = LayerNorm::<f64>::new(normalized).eps(1e-3)?;
        layer.set("weight", Tensor::normal_of(normalized, 1.0, 0.3, rng))?;
        layer.set("bias", Tensor::normal_of(normalized, 0.0, 1.0, rng))?;
        let (w, b, n) = (layer.weight.value.data(), layer.bias.value.data(), normalized.size());
        let y = layer.forward(&x);
        assert_eq!(y.shape(), x.shape());
        for (y, x) in y.data().chunks_exact(n).zip(x.data().chunks_exact(n)) {
            let mean = x.iter().sum::<f64>() / n as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            for e in 0..n {
                let naive = (x[e] - mean) / (variance + 1e-3).sqrt() * w[e] + b[e];
                assert_relative_eq!(y[e], naive, max_relative = 1e-12, epsilon = 1e-13);
            }
        }
        gradcheck_module(&layer, |r| layer.forward(&r.constant(&x)).square())?;
        let (plain, mut tape) = (&y, Tape::new());
        assert_eq!(&layer.forward(&tape.begin_train(rng).constant(&x)).value(), plain);
    }
    assert_eq!(
        LayerNorm::<f32>::new([3]).eps(-1.0).unwrap_err().to_string(),
        "LayerNorm: eps must be at least 0, got -1"
    );
    let y = LayerNorm::new([3]).forward(&Tensor::zeros([1, 3])); // eps keeps a constant row from 0 / 0
    assert_eq!(y.data(), [0.0; 3]);
    let seen = caught(|| _ = LayerNorm::new([3]).forward(&Tensor::zeros([3, 2])));
    assert_eq!((&seen.text[..12], &*seen.file), ("layer_norm: ", "tests/nn.rs"));
    Ok(())
}

#[test]
fn an_embedding_picks_rows_and_adds_their_gradients() -> Result<(), Error> {
    let rng = &mut Rng::seed(7);
    let table = Embedding::<f64>::new(5, 3, rng);
    check("embedding", &Embedding::new(400, 50, rng).weight.value, 1.0, Draw::Normal);
    assert_eq!((table.len(), table.dim(), table.is_empty(), table.count()), (5, 3, false, 15));
    let ids = Labels::new([4, 0, 4, 2, 4, 1], 5)?;
    let naive: Vec<f64> =
        ids.ids().iter().flat_map(|&id| table.weight.value.data()[id as usize * 3..][..3].to_vec()).collect();
    let mut tape = Tape::new();
    let r = tape.begin();
    for y in [table.forward(Eager::HERE, &ids), table.forward(r, &ids).value()] {
        assert_eq!((&y.shape()[..], y.data()), (&[6, 3][..], &naive[..]));
    }
    let y = table.forward(Eager::HERE, &ids.reshape([2, 1, 3]));
    assert_eq!((&y.shape()[..], y.data()), (&[2, 1, 3, 3][..], &naive[..]));
    let one = table.forward(Eager::HERE, &Labels::new([3], 5)?.reshape([]));
    assert_eq!(*one.shape(), [3]);
    assert_eq!(*table.forward(Eager::HERE, &Labels::new([], 5)?.reshape([0, 7])).shape(), [0, 7, 3]);
    gradcheck_module(&table, |r| table.forward(r, &ids).square())?;
    let seen = caught(|| _ = table.forward(Eager::HERE, &ids.reshape([1, 1, 1, 1, 1, 6])));
    let text = "Embedding: ids of shape [1, 1, 1, 1, 1, 6] leave no axis for the vectors: at most 6 (tests/nn.rs:";
    assert!(seen.text.starts_with(text), "{}", seen.text);
    let seen = caught(|| _ = table.forward(Eager::HERE, &Labels::new([0], 6).unwrap()));
    assert!(seen.text.starts_with("index_select: ids below 6 for axis 0 of shape [5, 3]"), "{}", seen.text);
    assert_eq!(seen.file, "tests/nn.rs");
    Ok(())
}

#[test]
fn a_padding_row_stays_as_it_is() -> Result<(), Error> {
    let mut table = Embedding::<f64>::new(4, 2, &mut Rng::seed(8)).padding(1)?;
    assert_eq!(table.weight.value.slice(0, 1..2).data(), [0.0, 0.0]);
    table.weight.value.data_mut()[2..4].copy_from_slice(&[7.0, 8.0]);
    let ids = Labels::new([1, 3, 1, 0], 4)?;
    assert_eq!(table.forward(Eager::HERE, &ids).slice(0, 0..1).data(), [7.0, 8.0]);
    let mut tape = Tape::new();
    let loss = table.forward(tape.begin(), &ids).square().sum();
    let g = loss.backward(&table)?;
    let (g, w) = (g.get("weight").unwrap(), &table.weight.value);
    for (id, counts) in [(0, 2.0), (1, 0.0), (2, 0.0), (3, 2.0)] {
        for d in 0..2 {
            assert_eq!(g.at([id, d]), counts * w.at([id, d]), "{id} {d}");
        }
    }
    let e = Embedding::<f32>::new(4, 2, &mut Rng::seed(8)).padding(4).unwrap_err();
    assert_eq!(
        (e.kind(), e.to_string()),
        (ErrorKind::BadData, "Embedding: padding index 4, but there are 4 vectors".into())
    );
    Ok(())
}

#[test]
fn a_residual_adds_its_input() -> Result<(), Error> {
    let rng = &mut Rng::seed(9);
    let block = Residual::new((Dense::<f64>::new(4, 6, rng), Tanh, Dense::new(6, 4, rng)));
    let x = Tensor::<f64>::normal_of([3, 4], 0.0, 1.0, rng);
    assert_eq!(block.forward(&x), &block.inner.forward(&x) + &x);
    let mut paths = vec![];
    block.visit(|path, _| paths.push(path.to_string()));
    assert_eq!(paths, ["inner.0.weight", "inner.0.bias", "inner.2.weight", "inner.2.bias"]);
    gradcheck_module(&block, |r| block.forward(&r.constant(&x)).square())?;
    // Also boxed and mixed; a layer that could broadcast is refused, too.
    let stack = vec![AnyLayer::new(block.clone()), AnyLayer::new(Relu)];
    assert_eq!(stack.forward(&x), block.forward(&x).relu());
    for outputs in [3, 1] {
        let wrong = Residual::new(Dense::<f64>::new(4, outputs, rng));
        let seen = caught(|| _ = wrong.forward(&x));
        let text = format!(
            "Residual: the inner layer makes [3, {outputs}] of [3, 4]: x + f(x) needs one shape; change the layer's sizes \
             (tests/nn.rs:"
        );
        assert!(seen.text.starts_with(&text), "{}", seen.text);
    }
    Ok(())
}
