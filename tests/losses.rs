//! Losses against PyTorch's numbers (tests/pytorch/losses.py makes them), at the edges, and as gradients of modules.
#[path = "common/engine.rs"]
mod engine;

use chainrule::{check::gradcheck, prelude::*};
use engine::caught;
use std::collections::BTreeMap;

// ---- PyTorch --------------------------------------------------------------------------------------------------------------

const NUMBERS: &str = include_str!("pytorch/losses.txt");

struct Case {
    name: &'static str,
    settings: BTreeMap<&'static str, &'static str>,
    tensors: BTreeMap<&'static str, Tensor<f64>>,
}

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = vec![];
    for line in NUMBERS.lines() {
        let mut words = line.split(' ');
        match words.next().unwrap() {
            "case" => {
                let name = words.next().unwrap();
                let settings = words.map(|word| word.split_once('=').unwrap()).collect();
                all.push(Case { name, settings, tensors: BTreeMap::new() });
            }
            name => {
                let shape = words.next().unwrap();
                let sizes: Vec<usize> = shape.split('x').filter(|n| *n != "-").map(|n| n.parse().unwrap()).collect();
                let data = words.map(|word| word.parse().unwrap()).collect();
                let tensor = Tensor::of(Shape::try_new(&sizes).unwrap(), data);
                all.last_mut().unwrap().tensors.insert(name, tensor);
            }
        }
    }
    all
}

impl Case {
    fn number(&self, key: &str) -> Option<f64> {
        Some(self.settings.get(key)?.parse().unwrap())
    }

    fn reduction(&self) -> Reduction {
        match self.settings["reduction"] {
            "mean" => Reduction::Mean,
            "sum" => Reduction::Sum,
            _ => Reduction::None,
        }
    }

    fn labels(&self, classes: usize) -> Labels {
        let ids = self.tensors["labels"].data().iter().map(|id| *id as usize);
        let classes = classes.max(self.number("ignore").map_or(0, |id| id as usize + 1));
        Labels::new(ids, classes).unwrap()
    }

    fn program<T: TensorLike<Elem = f64>>(&self, x: &T, t: Option<&T>) -> T {
        let (reduction, get) = (self.reduction(), |name: &str| self.tensors.get(name).cloned());
        let ignore = self.number("ignore").map(|id| id as usize);
        let weights = get("weights").map(|w| w.into_vec());
        match self.name {
            "cross_entropy" | "cross_entropy_distributions" => {
                let mut loss = CrossEntropy::new().reduction(reduction);
                loss = loss.smoothing(self.number("smoothing").unwrap()).unwrap();
                if let Some(w) = weights {
                    loss = loss.weights(&w).unwrap();
                }
                if let Some(id) = ignore {
                    loss = loss.ignore(id);
                }
                match t {
                    Some(t) => loss.forward_distributions(x, t),
                    None => loss.forward(x, &self.labels(*x.shape().last().unwrap())),
                }
            }
            "nll" => {
                let mut loss = Nll::new().reduction(reduction);
                if let Some(w) = weights {
                    loss = loss.weights(&w).unwrap();
                }
                if let Some(id) = ignore {
                    loss = loss.ignore(id);
                }
                loss.forward(x, &self.labels(*x.shape().last().unwrap()))
            }
            "bce" => {
                let mut loss = BceWithLogits::new().reduction(reduction);
                if let Some(w) = get("weight") {
                    loss = loss.weight(w);
                }
                if let Some(p) = get("pos_weight") {
                    loss = loss.pos_weight(p);
                }
                loss.forward(x, t.unwrap())
            }
            "mse" => Mse::new().reduction(reduction).forward(x, t.unwrap()),
            "l1" => L1::new().reduction(reduction).forward(x, t.unwrap()),
            "huber" => Huber::new(self.number("delta").unwrap()).unwrap().reduction(reduction).forward(x, t.unwrap()),
            "smooth_l1" => {
                SmoothL1::new(self.number("beta").unwrap()).unwrap().reduction(reduction).forward(x, t.unwrap())
            }
            "kl_div" => {
                let loss = KlDiv::new().reduction(reduction);
                let loss = if self.number("log_target").is_some() { loss.log_target() } else { loss };
                match t {
                    Some(t) => loss.forward(x, t),
                    None => loss.forward(x, &x.constant(&self.tensors["t"])),
                }
            }
            name => panic!("no loss {name}"),
        }
    }

    fn close(&self, what: &str, ours: &Tensor<f64>) {
        let theirs = &self.tensors[what];
        assert_eq!(ours.shape(), theirs.shape(), "{} {:?} {what}", self.name, self.settings);
        for (a, b) in ours.data().iter().zip(theirs.data()) {
            let same = (a - b).abs() <= 1e-10 * b.abs().max(1.0) || (a.is_nan() && b.is_nan());
            assert!(same, "{} {:?} {what}: {a:e}, PyTorch {b:e}", self.name, self.settings);
        }
    }
}

#[test]
fn values_and_gradients_are_those_of_pytorch() {
    let all = cases();
    assert!(all.len() > 100, "only {} cases were read", all.len());
    for case in &all {
        let mut tape = Tape::new();
        let r = tape.begin();
        let x = r.variable(&case.tensors["x"]);
        let with_target = case.tensors.contains_key("grad_t");
        let t = with_target.then(|| r.variable(&case.tensors["t"]));
        let y = case.program(&x, t.as_ref());
        case.close("value", &y.value());
        let plain = case.program(&case.tensors["x"], case.tensors.get("t").filter(|_| with_target));
        case.close("value", &plain);
        let loss = (y * r.constant(&case.tensors["w"])).sum();
        let wrt: Vec<_> = [x].into_iter().chain(t).collect();
        let recorded: Vec<_> = loss.grads_recorded(&wrt).iter().map(|g| g.value()).collect();
        let fused = loss.grads_of(&wrt).unwrap();
        for g in [&recorded, &fused] {
            case.close("grad_x", &g[0]);
            if with_target {
                case.close("grad_t", &g[1]);
            }
        }
    }
}

// ---- edges ------------------------------------------------------------------------------------------------------------------

/// Value and gradient of the logits, by the fused kernel; the recorded rule agrees.
fn sides<F: Real>(
    x: &Tensor<F>,
    f: impl Fn(&Var<'_, F>) -> f64,
    y: impl for<'t> Fn(&Var<'t, F>) -> Var<'t, F>,
) -> Vec<F> {
    let mut tape = Tape::new();
    let v = tape.begin().variable(x);
    assert!(f(&v).is_finite() || f(&v).is_nan());
    let recorded = y(&v).grads_recorded(&[v])[0].value();
    let fused = y(&v).grads_of(&[v]).unwrap();
    for (a, b) in fused[0].data().iter().zip(recorded.data()) {
        assert!((*a - *b).abs() <= F::of(1e-5) * (F::one() + a.abs()), "fused {a}, recorded {b}");
    }
    fused[0].data().to_vec()
}

#[test]
fn rows_that_do_not_count_hide_their_numbers() -> Result<(), Error> {
    // A row of NaN is ignored; a class of weight 0 has probability 0.
    let inf = f64::INFINITY;
    let x = Tensor::<f64>::of([3, 2], vec![f64::NAN, f64::NAN, 0.0, 0.0, -inf, 0.0]);
    let y = Labels::new([0, 1, 1], 2)?;
    let loss = CrossEntropy::new().ignore(0);
    assert!((loss.forward(&x, &y).item() - 0.5 * 2f64.ln()).abs() < 1e-15);
    let g = sides(&x, |x| loss.forward(x, &y).item(), |x| loss.forward(x, &y));
    assert_eq!(&g[..2], [0.0, 0.0]);
    assert_eq!(&g[2..4], [0.25, -0.25]);
    let last = x.slice(0, 2..3);
    let smooth = CrossEntropy::new().smoothing(0.5)?.weights(&[0.0, 1.0])?.reduction(Reduction::None);
    assert_eq!(smooth.forward(&last, &Labels::new([1], 2)?).data(), [0.0]);
    // Nothing counts: NaN, and no gradient.
    for (loss, labels) in [(CrossEntropy::new().ignore(1), [1, 1]), (CrossEntropy::new().weights(&[0.0, 1.0])?, [0, 0])]
    {
        let (x, y) = (Tensor::<f64>::of([2, 2], vec![1.0, 2.0, 3.0, 4.0]), Labels::new(labels, 2)?);
        assert!(loss.forward(&x, &y).item().is_nan());
        assert_eq!(sides(&x, |_| 0.0, |x| loss.forward(x, &y)), [0.0; 4]);
        assert_eq!(loss.reduction(Reduction::Sum).forward(&x, &y).item(), 0.0);
    }
    // No rows.
    let (none, y) = (Tensor::<f64>::filled([0, 3], 0.0), Labels::new([], 3)?);
    assert!(CrossEntropy::new().smoothing(0.1)?.forward(&none, &y).item().is_nan());
    assert_eq!(*CrossEntropy::new().reduction(Reduction::None).forward(&none, &y).shape(), [0]);
    assert_eq!(CrossEntropy::new().reduction(Reduction::Sum).forward(&none, &y).item(), 0.0);
    Ok(())
}

#[test]
fn single_precision_keeps_its_digits_in_the_tails() -> Result<(), Error> {
    let x = Tensor::new([6], vec![1e4, -1e4, 1e4, -1e4, 30.0, -30.0]);
    let t = Tensor::new([6], vec![1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    let y = BceWithLogits::new().reduction(Reduction::None).forward(&x, &t);
    assert_eq!(&y.data()[..4], [0.0, 1e4, 1e4, 0.0]);
    for far in &y.data()[4..] {
        assert!((f64::from(*far) / (-30f64).exp().ln_1p() - 1.0).abs() < 1e-5, "{far:e}");
    }
    let mut tape = Tape::new();
    let r = tape.begin();
    let v = r.variable(&x);
    let g = BceWithLogits::new().reduction(Reduction::Sum).forward(&v, &r.constant(&t)).grads_of(&[v])?;
    assert_eq!(&g[0].data()[..4], [0.0, -1.0, 1.0, 0.0]);
    assert!((f64::from(g[0].data()[4]) / -(-30f64).exp() - 1.0).abs() < 1e-5);
    assert!((f64::from(g[0].data()[5]) / (-30f64).exp() - 1.0).abs() < 1e-5);
    // An infinite logit on the right side costs nothing.
    let (x, t) = (Tensor::new([2], vec![f32::INFINITY, f32::NEG_INFINITY]), Tensor::new([2], vec![1.0, 0.0]));
    assert_eq!(BceWithLogits::new().forward(&x, &t).item(), 0.0);
    // A masked class of probability 0 has divergence 0.
    let x = Tensor::new([1, 2], vec![f32::NEG_INFINITY, 0.0]);
    assert_eq!(KlDiv::new().forward(&x, &Tensor::new([1, 2], vec![0.0, 1.0])).item(), 0.0);
    assert_eq!(KlDiv::new().log_target().forward(&x, &x).item(), 0.0);
    let soft = CrossEntropy::new().forward_distributions(&x, &Tensor::new([1, 2], vec![0.0, 1.0]));
    assert_eq!(soft.item(), 0.0);
    Ok(())
}

#[test]
fn classes_are_the_last_axis_of_any_rank() -> Result<(), Error> {
    let rng = &mut Rng::seed(3);
    let (x, y) = (Tensor::<f64>::normal_of([2, 3, 4], 0.0, 1.0, rng), Labels::new([0, 1, 2, 3, 0, 1], 4)?);
    let (flat, none) = (x.reshape([6, 4]), CrossEntropy::new().smoothing(0.2)?.reduction(Reduction::None));
    assert_eq!(*none.forward(&x, &y).shape(), [2, 3]);
    assert_eq!(none.forward(&x, &y).data(), none.forward(&flat, &y).data());
    let one = none.forward(&Tensor::<f64>::of([4], vec![0.0; 4]), &Labels::new([2], 4)?);
    assert!(one.shape().rank() == 0 && (one.item() - 4f64.ln()).abs() < 1e-15);
    // The general pass and the short one of the plain case agree.
    let general = CrossEntropy::new().weights(&[1.0; 4])?;
    assert!((general.forward(&x, &y).item() - x.softmax_cross_entropy(&y).item()).abs() < 1e-15);
    let one_hot = Tensor::<f64>::from_fn([2, 3, 4], |e| f64::from(y.ids()[e / 4] as usize == e % 4));
    assert!(
        (CrossEntropy::new().forward_distributions(&x, &one_hot).item() - x.softmax_cross_entropy(&y).item()).abs()
            < 1e-15
    );
    Ok(())
}

#[test]
fn composed_losses_are_differentiable_twice() -> Result<(), Error> {
    let rng = &mut Rng::seed(4);
    let mut draw = |lo, hi| Tensor::<f64>::uniform_of([3, 4], lo, hi, rng);
    let pairs = [draw(-3.0, 3.0), draw(0.1, 0.9)];
    type Loss = for<'t> fn(&Var<'t, f64>, &Var<'t, f64>) -> Var<'t, f64>;
    let losses: [Loss; 5] = [
        |x, t| BceWithLogits::new().forward(x, t),
        |x, t| KlDiv::new().forward(x, t),
        |x, t| KlDiv::new().log_target().forward(x, t),
        |x, t| Huber::new(0.37).unwrap().forward(x, t),
        |x, t| CrossEntropy::new().smoothing(0.1).unwrap().forward_distributions(x, t),
    ];
    for loss in losses {
        gradcheck(&pairs, |x| loss(&x[0], &x[1]))?;
        gradcheck(&pairs, |x| (loss(&x[0], &x[1]).grads_recorded(x)[0] * x[1]).sum())?;
    }
    Ok(())
}

// ---- what is refused ------------------------------------------------------------------------------------------------------------

#[test]
fn wrong_settings_are_errors() {
    let text = |e: Error| {
        assert_eq!(e.kind(), ErrorKind::BadData);
        e.to_string()
    };
    assert_eq!(text(Huber::new(0.0).unwrap_err()), "Huber: delta must be greater than 0, got 0");
    assert_eq!(text(Huber::new(f64::NAN).unwrap_err()), "Huber: delta must be greater than 0, got NaN");
    assert_eq!(text(SmoothL1::new(-1.0).unwrap_err()), "SmoothL1: beta must be at least 0, got -1");
    let smoothing = |s| text(CrossEntropy::new().smoothing(s).unwrap_err());
    assert_eq!(smoothing(1.5), "CrossEntropy: the smoothing must be from 0 to 1, got 1.5");
    assert_eq!(smoothing(f64::NAN), "CrossEntropy: the smoothing must be from 0 to 1, got NaN");
    let weights = |w| text(CrossEntropy::new().weights(&[1.0, w]).unwrap_err());
    assert_eq!(weights(-1.0), "CrossEntropy: the weight of class 1 must be at least 0, got -1");
    assert_eq!(weights(f64::INFINITY), "CrossEntropy: the weight of class 1 must be at least 0, got inf");
    let nll = text(Nll::new().weights(&[f64::NAN]).unwrap_err());
    assert_eq!(nll, "Nll: the weight of class 0 must be at least 0, got NaN");
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let refused = |text: &str, f: &dyn Fn()| {
        let seen = caught(f);
        assert!(seen.text.starts_with(text), "{}\ninstead of\n{text}", seen.text);
        assert_eq!(seen.file, "tests/losses.rs", "{}", seen.text);
    };
    let labels = |ids: &[usize], classes| Labels::new(ids.iter().copied(), classes).unwrap();
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([3]));
    refused("Mse: shapes [2, 3] and [3] differ", &|| _ = Mse::new().forward(&a, &b));
    refused("L1: shapes [2, 3] and [3] differ", &|| _ = L1::new().forward(&a, &b));
    refused("Huber: shapes [2, 3] and [3] differ", &|| _ = Huber::new(1.0).unwrap().forward(&a, &b));
    refused("SmoothL1: shapes [2, 3] and [3] differ", &|| _ = SmoothL1::new(1.0).unwrap().forward(&a, &b));
    refused("KlDiv: shapes [2, 3] and [3] differ", &|| _ = KlDiv::new().forward(&a, &b));
    refused("BceWithLogits: shapes [2, 3] and [3] differ", &|| _ = BceWithLogits::new().forward(&a, &b));
    refused("BceWithLogits, weight: shapes [3] and [2, 3] differ", &|| {
        _ = BceWithLogits::new().weight(Tensor::ones([2, 3])).forward(&b, &b);
    });
    refused("BceWithLogits, pos_weight: shapes [3] and [2, 3] differ", &|| {
        _ = BceWithLogits::new().pos_weight(Tensor::ones([2, 1])).forward(&b, &b);
    });
    let ce = CrossEntropy::new;
    let plain = "softmax_cross_entropy: logits [2, 3] with 2 labels of 4 classes: a row for each label and a column for each \
                 class are needed";
    refused(plain, &|| _ = ce().forward(&a, &labels(&[0, 1], 4)));
    refused("softmax_cross_entropy: logits [2, 3] with 1 labels", &|| _ = ce().ignore(7).forward(&a, &labels(&[0], 3)));
    refused("softmax_cross_entropy: logits [2, 3]: label 1 is 3, but there are 3 classes and 4 is ignored", &|| {
        _ = ce().ignore(4).forward(&a, &labels(&[4, 3], 5));
    });
    refused("softmax_cross_entropy: logits [2, 3] with 2 class weights", &|| {
        _ = ce().weights(&[1.0, 1.0]).unwrap().forward(&a, &labels(&[0, 1], 3));
    });
    refused("CrossEntropy: shapes [2, 3] and [3] differ", &|| _ = ce().forward_distributions(&a, &b));
    refused("CrossEntropy: logits of shape [] have no classes", &|| {
        _ = ce().forward_distributions(&Tensor::scalar(1.0), &Tensor::scalar(1.0));
    });
    refused("CrossEntropy: distributions have no labels to ignore", &|| {
        _ = ce().ignore(0).forward_distributions(&a, &a)
    });
    refused("CrossEntropy: 1 class weights for logits [2, 3]", &|| {
        _ = ce().weights(&[1.0]).unwrap().forward_distributions(&a, &a);
    });
    refused("nll: log-probabilities [2, 3] with 1 labels of 3 classes", &|| {
        _ = Nll::new().forward(&a, &labels(&[0], 3))
    });
    refused("nll: log-probabilities [2, 3] with 2 class weights", &|| {
        _ = Nll::new().weights(&[1.0, 1.0]).unwrap().forward(&a, &labels(&[0, 1], 3));
    });
}
