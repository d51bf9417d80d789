//! Verdicts in words: what, why, do, each with numbers of the run.
use super::{Cause, Change, Kind, Metric, Outcome, Remedy, Severity, Verdict, limits::*};
use crate::flow::Origin;
use std::fmt;

impl Kind {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::NonFinite => "NOT FINITE",
            Self::Disconnected => "DISCONNECTED",
            Self::Symmetric => "SYMMETRIC",
            Self::DeadUnits => "DEAD UNITS",
            Self::Saturated => "SATURATED",
            Self::Vanishing => "VANISHING",
            Self::Exploding => "EXPLODING",
            Self::VanishingThroughTime => "VANISHING THROUGH TIME",
            Self::ExplodingThroughTime => "EXPLODING THROUGH TIME",
            Self::Underflow => "UNDERFLOW",
            Self::UpdateTooLarge => "UPDATE TOO LARGE",
            Self::GradientSpike => "GRADIENT SPIKE",
            Self::AlwaysClipping => "ALWAYS CLIPPING",
            Self::FrozenLayer => "FROZEN LAYER",
            Self::LossStalled => "LOSS STALLED",
            Self::Converged => "CONVERGED",
            Self::TooShallow => "TOO SHALLOW",
            Self::Healthy => "HEALTHY",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Severe => "severe",
            Self::Critical => "critical",
        })
    }
}

/// What helps against a number that is not finite, by the op that made it.
pub(super) fn for_op(origin: &Origin) -> Vec<Change> {
    let words = match origin.op {
        "ln" | "log_sigmoid" => {
            "keep the argument of ln above 0: clamp it, or use log_softmax, log_sigmoid or a loss on logits"
        }
        "exp" | "powf" | "powi" => "subtract the maximum before exp (logsumexp and softmax do)",
        "sqrt" | "norm" | "std" => "add a small number under the root: its slope at 0 is infinite",
        "div" | "recip" => "keep the divisor away from 0",
        "leaf" => "look at the data or the parameter: something before this pass broke it",
        _ => "lower the learning rate, or clip the joint norm of the gradients",
    };
    let mut all = vec![Change::Words(words)];
    if words.starts_with("lower") {
        return all;
    }
    all.push(Change::Words("lower the learning rate, or clip, if the values grew until here"));
    all
}

/// Three digits, in powers of ten where that is shorter.
pub(crate) fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".into(),
        a if !a.is_finite() => format!("{x}"),
        a if !(1e-3..1e5).contains(&a) => format!("{x:.1e}"),
        a if a < 0.1 => format!("{x:.4}"),
        a if a < 10.0 => format!("{x:.3}"),
        a if a < 100.0 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

fn percent(x: f64) -> String {
    format!("{:.0} %", 100.0 * x)
}

impl Verdict {
    fn n(&self, metric: Metric) -> f64 {
        self.number(metric).unwrap_or(f64::NAN)
    }

    fn names(&self) -> String {
        let quoted: Vec<String> = self.paths.iter().take(4).map(|p| format!("\"{p}\"")).collect();
        let more = self.paths.len().saturating_sub(4);
        if more > 0 { format!("{} and {more} more", quoted.join(", ")) } else { quoted.join(", ") }
    }

    /// What was seen.
    pub fn what(&self) -> String {
        use Metric::*;
        match self.kind {
            Kind::Vanishing | Kind::Exploding => {
                let verb = if self.kind == Kind::Vanishing { "shrinks" } else { "grows" };
                format!(
                    "the signal {verb} x{} per layer: layer 1 gets {} of what layer {} gets",
                    number(self.n(Rate)),
                    number(self.n(Total)),
                    self.n(Hidden)
                )
            }
            Kind::VanishingThroughTime if self.n(Rho) == 0.0 => format!(
                "nothing is left of a gradient after {:.0} steps; the sequence has {}",
                self.n(Horizon),
                self.n(Steps)
            ),
            Kind::VanishingThroughTime => format!(
                "a gradient falls to 1 % after {} steps; the sequence has {}",
                number(self.n(Horizon)),
                self.n(Steps)
            ),
            Kind::ExplodingThroughTime => format!(
                "a gradient grows x{} per step, by 10^{:.1} over the {} steps of the sequence",
                number(self.n(Rho)),
                self.n(TimeGrowth),
                self.n(Steps)
            ),
            Kind::Saturated => format!(
                "up to {} of the outputs of {} are at the ends of their range",
                percent(self.n(Metric::Saturated)),
                self.names()
            ),
            Kind::DeadUnits => {
                format!("up to {} of the units of {} are 0 for every input", percent(self.n(Dead)), self.names())
            }
            Kind::Underflow => format!(
                "{} of the signal's numbers are too small for the element type, back from {}",
                percent(self.n(Underflown)),
                self.names()
            ),
            Kind::Symmetric if self.cause == Cause::ZeroWeights => {
                format!("all weights of {} are 0: the layers before get exactly zero until it has moved", self.names())
            }
            Kind::Symmetric => format!(
                "{} rows of the weights of {} equal another: their units stay equal",
                self.n(EqualRows),
                self.names()
            ),
            Kind::Disconnected if matches!(self.cause, Cause::WayEnds { .. }) => {
                format!("no way leads from {} to the loss", self.names())
            }
            Kind::Disconnected => format!("the gradient of {} is exactly 0", self.names()),
            Kind::NonFinite => match &self.cause {
                Cause::Op(origin) => origin.to_string(),
                _ => "a number is not finite".into(),
            },
            Kind::UpdateTooLarge => {
                format!("a step changes {} by {} of its norm", self.names(), number(self.n(Update)))
            }
            Kind::FrozenLayer => format!(
                "a step changes {} by {} of its norm, a thousandth of the others",
                self.names(),
                number(self.n(Update))
            ),
            Kind::GradientSpike => format!(
                "the joint norm {} is {} standard deviations above those before",
                number(self.n(Norm)),
                number(self.n(Score))
            ),
            Kind::AlwaysClipping => format!(
                "{} of the last 100 steps were clipped, to {} of their norm on average",
                percent(self.n(ClipRate)),
                number(self.n(ClipCoef))
            ),
            Kind::LossStalled if self.number(LossFall).is_some() => format!(
                "the loss, {}, fell in 100 steps by {} of the range that it has had",
                number(self.n(Loss)),
                number(self.n(LossFall))
            ),
            Kind::LossStalled => format!(
                "the loss, {}, is {} of what it was 100 steps ago",
                number(self.n(Loss)),
                number(self.n(LossRatio))
            ),
            Kind::Converged => {
                format!("the loss, {}, is {} of its first value", number(self.n(Loss)), number(self.n(LossRatio)))
            }
            Kind::TooShallow if self.number(Steps).is_some() => format!(
                "time could not be judged in {}: a gradient through {LEAST_STEPS} steps is needed, and runs have {}",
                self.names(),
                self.n(Steps)
            ),
            Kind::TooShallow => format!("{} hidden layers: depth is judged from 3 on", self.n(Hidden)),
            Kind::Healthy => self.healthy(),
        }
    }

    fn healthy(&self) -> String {
        use Metric::*;
        let known = |metric| self.number(metric).filter(|x| !x.is_nan());
        let mut parts = vec![];
        parts.extend(known(Rate).map(|rate| match self.n(Total) {
            _ if (VANISHING_RATE..=EXPLODING_RATE).contains(&rate) => {
                format!("gain {} per layer (band {VANISHING_RATE:.2}-{EXPLODING_RATE})", number(rate))
            }
            total => format!("gain {} per layer, {} from last to first", number(rate), number(total)),
        }));
        parts.extend(known(Rho).map(|x| format!("x{} per time step", number(x))));
        parts.extend(known(Update).map(|x| format!("update {}", number(x))));
        parts.extend(known(Metric::Saturated).map(|x| format!("at most {} saturated", percent(x))));
        parts.extend(known(Hidden).filter(|n| *n > 0.0).map(|n| format!("{n} hidden layers")));
        parts.join(", ")
    }

    /// What a bound for the largest singular value proves; it is measured when a run begins, and seldom later.
    fn certificate(&self, sigma: f64) -> String {
        let (verb, when) = if self.steps.end <= 1 { ("is", "") } else { ("was", " when last measured") };
        let certain = if sigma < 1.0 { format!(": below 1, so it {verb} certain to vanish") } else { String::new() };
        let bound = number(sigma);
        format!("; the largest singular value of the recurrent weights {verb} at most {bound}{when}{certain}")
    }

    /// Why, if that can be told.
    pub fn why(&self) -> Option<String> {
        use Metric::*;
        let factors = || format!("per layer f' x w = {} x {}. ", number(self.n(FFactor)), number(self.n(WFactor)));
        Some(match &self.cause {
            Cause::Activation(op) => {
                let most = if *op == "sigmoid" { "0.25" } else { "1" };
                format!(
                    "{}{op} passes {} of at most {most}; the weights pass x{}",
                    factors(),
                    number(self.n(FFactor)),
                    number(self.n(WFactor))
                )
            }
            Cause::SmallWeights => format!(
                "{}The weights are too small for the activation (their variance lets expect {})",
                factors(),
                number(self.n(WExpected))
            ),
            Cause::LargeWeights if self.kind == Kind::Exploding => format!(
                "{}The weights are too large (their variance lets expect {})",
                factors(),
                number(self.n(WExpected))
            ),
            Cause::LargeWeights => "the weights, or the inputs, are too large: there the slope is next to 0".into(),
            Cause::ForgetGates => format!(
                "forget gates average {}; their product over {} steps is 10^{:.1}",
                number(self.n(ForgetGate)),
                self.n(Steps),
                self.n(GateProduct)
            ),
            Cause::Recurrence => {
                let sigma = self.number(Sigma).map_or(String::new(), |sigma| self.certificate(sigma));
                format!("a step back through the cell multiplies it by {}{sigma}", number(self.n(Rho)))
            }
            Cause::WayEnds { op, at } => format!("the way ends at {op} ({at})"),
            Cause::ZeroWeights => "a product with zeros is 0 on the way back, too".into(),
            Cause::EqualRows => "equal weights get equal gradients".into(),
            Cause::ClipLimit => {
                "the limit is so low that only the direction of a gradient is left: the limit is the learning rate now"
                    .into()
            }
            Cause::ShutUnits => {
                "biases or steps have pushed the inputs of the ReLU below 0, where its slope is 0".into()
            }
            Cause::Batch => "a batch unlike the others, or weights on their way to a cliff".into(),
            Cause::LearningRate if self.kind == Kind::UpdateTooLarge => {
                format!("the learning rate: x{} would be usual", number(UPDATE_USUAL / self.n(Update)))
            }
            Cause::LearningRate => "the signals are healthy, so the learning rate does not fit".into(),
            Cause::Unknown if self.kind == Kind::Vanishing => factors().trim_end().into(),
            Cause::Op(_) | Cause::Unknown => return None,
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Activation(op, init) => write!(f, "{op} + {init}"),
            Self::Redraw("random") => f.write_str("draw the weights at random"),
            Self::Redraw(init) => write!(f, "draw the weights as {init}"),
            Self::ScaleWeights(c) => write!(f, "weights x{}", number(*c)),
            Self::FewerLayers(1) => f.write_str("1 layer fewer"),
            Self::FewerLayers(n) => write!(f, "{n} layers fewer"),
            Self::ForgetBias(b) => write!(f, "forget bias {b}"),
            Self::UpdateBias(b) => write!(f, "bias {b} of the update gate z"),
            Self::Chrono(t) => write!(f, "chrono init for {t} steps"),
            Self::OrthogonalRecurrence => f.write_str("orthogonal recurrent weights"),
            Self::ScaleRecurrence(c) => write!(f, "recurrent weights x{}", number(*c)),
            Self::GatedCell => f.write_str("an LSTM or a GRU"),
            Self::LearningRate(c) => write!(f, "learning rate x{}", number(*c)),
            Self::Clip(c) => write!(f, "clip the joint norm at {}", number(*c)),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "x{}", number(self.rate))?;
        if self.total.is_finite() {
            write!(f, ", {} left", number(10f64.powf(self.total)))?;
        }
        match self.left {
            None => write!(f, " -> healthy"),
            Some((kind, severity)) => write!(f, " -> still {} ({severity})", kind.name().to_lowercase()),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = self.change.to_string();
        match self.tried {
            None => f.write_str(&change),
            Some(outcome) if matches!(self.change, Change::FewerLayers(_)) => {
                write!(f, "{change} would leave {}", number(10f64.powf(outcome.total)))
            }
            Some(outcome) => write!(f, "{change:24}  tried on this batch: {outcome}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.kind, Kind::Healthy | Kind::Converged | Kind::TooShallow) {
            return writeln!(f, "{}: {}", self.kind.name().to_lowercase(), self.what());
        }
        write!(f, "{} ({})", self.kind.name(), self.severity)?;
        match (&self.layers, &self.paths[..]) {
            (layers, _) if !layers.is_empty() => write!(f, "   layers {}..{}", layers.start + 1, layers.end)?,
            (_, []) => {}
            _ => write!(f, "   {}", self.names())?,
        }
        match self.steps.end - self.steps.start {
            0 | 1 => writeln!(f, "   step {}", self.steps.start)?,
            _ => writeln!(f, "   steps {}..{}", self.steps.start, self.steps.end - 1)?,
        }
        writeln!(f, "  what  {}", self.what())?;
        if let Some(why) = self.why() {
            writeln!(f, "  why   {why}")?;
        }
        for (k, remedy) in self.remedies.iter().enumerate() {
            let head = if k == 0 { "do" } else { "" };
            writeln!(f, "  {head:4}  {} {remedy}", k + 1)?;
        }
        if !self.under.is_empty() {
            let names: Vec<String> = self.under.iter().map(|v| v.kind.name().to_lowercase()).collect();
            writeln!(f, "  with  {}", names.join(", "))?;
        }
        Ok(())
    }
}
