//! The report on a terminal.
use super::Report;
use crate::flow::{sparkline, verdict::number};
use std::fmt;

const WIDTH: usize = 24;

/// Verdicts, then a line for each layer, then one for each recurrent layer.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            write!(f, "{verdict}")?;
        }
        if let Some(why) = &self.failed {
            writeln!(f, "the last pass could not be written: {why}")?;
        }
        self.layers(f)?;
        self.time(f)?;
        let Some(now) = self.samples.last() else { return Ok(()) };
        write!(
            f,
            "{} passes, {} measured; loss {}, norm {}",
            self.passes,
            self.cost.passes,
            number(now.loss),
            number(10f64.powf(now.norm))
        )?;
        if let Some(advice) = self.advice.filter(|a| a.norms >= 20) {
            let (lo, hi) = advice.range;
            write!(f, "; to clip, try {} (from {} to {})", number(advice.limit), number(lo), number(hi))?;
        }
        if !self.cost.share.is_nan() {
            write!(f, "; monitor cost {:.1} %", 100.0 * self.cost.share)?;
        }
        writeln!(f)
    }
}

impl Report {
    fn layers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(now) = self.samples.last().filter(|s| !s.layers.is_empty()) else { return Ok(()) };
        let width = now.layers.iter().map(|l| l.path.chars().count()).max().unwrap_or(0).max("layer".len());
        let many = self.samples.len() > 1 && !f.alternate();
        let signals = || self.samples.iter().flat_map(|s| s.layers.iter().map(|l| l.signal)).filter(|x| x.is_finite());
        let (lo, hi) = signals().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
        write!(
            f,
            "{:width$}  {:10}  {:>8}  {:>7} = {:>7} x {:>7} ({:>7})  {:>7}  {:>8}  {:>8}  {:>8}  {:>5}  {:>5}",
            "layer",
            "activation",
            "|dL/dz|",
            "gain",
            "f'",
            "w",
            "by init",
            "forward",
            "|dL/dW|",
            "|W|",
            "update",
            "sat",
            "dead"
        )?;
        if many && lo <= hi {
            write!(f, "  |dL/dz|, log axis 1e{lo:.0} to 1e{hi:.0}")?;
        }
        writeln!(f)?;
        let cell = |x: f64| if x.is_nan() { "-".to_owned() } else { number(x) };
        let share = |x: f64| if x.is_nan() { "-".to_owned() } else { format!("{:.0} %", 100.0 * x) };
        for (k, l) in now.layers.iter().enumerate() {
            write!(
                f,
                "{:width$}  {:10}  {:>8.1e}  {:>7}   {:>7}   {:>7}  {:>7}   {:>7}  {:>8.1e}  {:>8}  {:>8}  {:>5}  {:>5}",
                l.path,
                l.activation.unwrap_or("-"),
                10f64.powf(l.signal),
                cell(l.gain),
                cell(l.f_factor),
                cell(l.w_factor),
                cell(l.w_expected),
                cell(l.forward),
                10f64.powf(l.gradient),
                cell(l.weight),
                cell(l.update),
                share(l.saturated),
                share(if l.silent.is_nan() { f64::NAN } else { l.dead })
            )?;
            if many {
                let line: Vec<f64> =
                    self.samples.iter().filter_map(|s| s.layers.get(k)).map(|l| 10f64.powf(l.signal)).collect();
                write!(f, "  {}", sparkline(&line, 10f64.powf(lo), 10f64.powf(hi), WIDTH))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn time(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(now) = self.samples.last().filter(|s| !s.time.is_empty()) else { return Ok(()) };
        for t in &now.time {
            write!(
                f,
                "{} {}: {} steps, x{} per step, 1 % after {}",
                t.path,
                t.op,
                t.steps,
                number(t.rho),
                number(t.horizon)
            )?;
            if !t.gate.is_nan() {
                write!(f, ", mean gate {}, product 10^{:.1}", number(t.gate), t.gate_product)?;
            }
            if !f.alternate() {
                let norms: Vec<f64> = t.profile.iter().map(|x| 10f64.powf(*x)).collect();
                let known = t.profile.iter().copied().filter(|x| x.is_finite());
                let (lo, hi) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
                write!(f, "  {}", sparkline(&norms, 10f64.powf(lo), 10f64.powf(hi), WIDTH))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
