//! Who is looked at.
use crate::{
    common::digits::Digits,
    data::{Data, digits, memory},
    patient::{ALPHABET, Deep, FIRST, Memory, Patient, Phi, ROW, Rows, Written},
    train::{Course, Method},
};
use chainrule::{
    flow::Kind,
    nn::{Draw, Fan},
    prelude::*,
};
use std::rc::Rc;

/// The names of all, the sick ones first.
pub const NAMES: [&str; 10] =
    ["sigmoid", "over-scaled", "saturated", "dead", "cut-off", "nan", "forgetful", "relu", "tanh", "rows"];

/// A change, told and made.
type ByHand<P> = (&'static str, fn(&mut P));

/// A network, its task and its course.
pub struct Case<P: Patient> {
    pub name: &'static str,
    pub says: String,
    /// What is wrong with it; `None` is healthy.
    pub wrong: Option<Kind>,
    pub net: P,
    pub data: Data<P::Batch>,
    /// Examples of a pre-flight check.
    pub look: usize,
    pub course: Course,
    /// What a remedy in words comes to in this program.
    pub by_hand: Option<ByHand<P>>,
    /// A share of right answers that the network reaches without its fault and not with it.
    pub learnt: f64,
}

/// Units and number of the hidden layers.
const WIDTH: usize = 64;
const DEPTH: usize = 8;
/// Dead units are told on at least 1,024 examples.
const LOOK: usize = 1_024;

fn normal(gain: f64) -> Init {
    Init::Scaled { gain, fan: Fan::In, draw: Draw::Normal }
}

/// Networks on digits; a quick run takes fewer steps.
pub fn deep(digits_: &Rc<Digits>, quick: bool, seed: u64) -> Vec<Case<Deep>> {
    let pixels = digits_.pixels();
    let net = |depth: usize, phi, init| {
        let sizes: Vec<usize> = [pixels].into_iter().chain(std::iter::repeat_n(WIDTH, depth)).chain([10]).collect();
        Deep::new(&sizes, phi, init, &mut Rng::seed(seed))
    };
    let course =
        Course { method: Method::Sgd, rate: 0.05, clip: None, batch: 64, steps: if quick { 300 } else { 1_000 } };
    let sick = |name, says: &str, wrong, net| Case {
        name,
        says: format!("{pixels}-({WIDTH} x {DEPTH})-10 {says}"),
        wrong: Some(wrong),
        net,
        data: digits(digits_, 1.0),
        look: LOOK,
        course,
        by_hand: None,
        learnt: if quick { 0.5 } else { 0.8 },
    };
    let mut dead = net(DEPTH, Phi::Relu, Init::he());
    dead.layers.iter_mut().flat_map(|layer| &mut layer.bias).for_each(|bias| bias.value.data_mut().fill(-3.0));
    let detached = Deep { detached: true, ..net(DEPTH, Phi::Relu, Init::he()) };
    let mut by_hand = Deep { written: Written::LnOfSoftmax, ..net(2, Phi::Relu, Init::he()) };
    let small = Init::Normal { mean: 0.0, std: 1.5e-2 };
    by_hand.layers[2] = Dense::with_init(WIDTH, 10, small, &mut Rng::seed(seed));
    vec![
        sick(
            "sigmoid",
            "sigmoid, U(+-1/sqrt n): the article's",
            Kind::Vanishing,
            net(DEPTH, Phi::Sigmoid, Init::standard()),
        ),
        sick(
            "over-scaled",
            "ReLU, weights 3 times He's",
            Kind::Exploding,
            net(DEPTH, Phi::Relu, normal(3.0 * 2f64.sqrt())),
        ),
        sick(
            "saturated",
            "sigmoid, N(0, 1)",
            Kind::Saturated,
            net(DEPTH, Phi::Sigmoid, Init::Normal { mean: 0.0, std: 1.0 }),
        ),
        sick("dead", "ReLU, He, biases -3", Kind::DeadUnits, dead),
        Case {
            by_hand: Some(("the last layer reads h itself instead of h.detach()", |net| net.detached = false)),
            ..sick("cut-off", "ReLU, He; the last layer reads a detached value", Kind::Disconnected, detached)
        },
        Case {
            says: format!(
                "{pixels}-{WIDTH}-{WIDTH}-10 ReLU; pixels 0 to 255, last layer N(0, 0.015^2), loss -ln softmax(z)"
            ),
            data: digits(digits_, 255.0),
            course: Course { method: Method::Adam, rate: 3e-3, steps: 1_500, ..course },
            by_hand: Some(("softmax_cross_entropy on the logits", |net| net.written = Written::OnLogits)),
            ..sick("nan", "", Kind::NonFinite, by_hand)
        },
        Case { wrong: None, ..sick("relu", "ReLU, He", Kind::Healthy, net(DEPTH, Phi::Relu, Init::he())) },
        Case { wrong: None, ..sick("tanh", "tanh, Xavier", Kind::Healthy, net(DEPTH, Phi::Tanh, Init::xavier())) },
    ]
}

/// Symbols of a sequence.
const STEPS: usize = 60;

/// A network that should remember the first symbol.
pub fn forgetful(seed: u64) -> Result<Case<Memory>, Error> {
    let (units, mut rng) = (48, Rng::seed(seed));
    let cell = Lstm::new(ALPHABET, units, &mut rng).forget_bias(0.0);
    Ok(Case {
        name: "forgetful",
        says: format!(
            "LSTM of {units} units, forget bias 0: which of {FIRST} symbols came first, before {} others?",
            STEPS - 1
        ),
        wrong: Some(Kind::VanishingThroughTime),
        net: Memory { cell, out: Dense::new(units, FIRST, &mut rng) },
        data: memory(STEPS)?,
        look: 32,
        course: Course { method: Method::Adam, rate: 2e-3, clip: Some(1.0), batch: 64, steps: 250 },
        by_hand: None,
        learnt: 0.9,
    })
}

/// A network that reads digits from the top.
pub fn rows(digits_: &Rc<Digits>, seed: u64) -> Case<Rows> {
    let (units, mut rng) = (64, Rng::seed(seed));
    Case {
        name: "rows",
        says: format!("LSTM of {units} units, forget bias 1, reads a digit, two rows a step"),
        wrong: None,
        net: Rows { cell: Lstm::new(ROW, units, &mut rng), out: Dense::new(units, 10, &mut rng) },
        data: digits(digits_, 1.0),
        look: 64,
        course: Course { method: Method::Adam, rate: 2e-3, clip: Some(1.0), batch: 64, steps: 200 },
        by_hand: None,
        learnt: 0.7,
    }
}
