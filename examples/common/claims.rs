//! What an example says of its numbers is checked when it runs.
use chainrule::prelude::*;

/// Statements, and whether they are true.
#[derive(Default)]
pub struct Claims(Vec<(String, bool)>);

impl Claims {
    pub fn add(&mut self, claim: impl Into<String>, holds: bool) {
        self.0.push((claim.into(), holds));
    }

    /// Prints all, and is an error if one is not true.
    pub fn check(self) -> Result<(), Error> {
        for (claim, holds) in &self.0 {
            println!("  {}  {claim}", if *holds { "holds" } else { "FAILS" });
        }
        match self.0.into_iter().find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((claim, _)) => Err(Error::new(ErrorKind::BadData, format!("a claim does not hold: {claim}"))),
        }
    }
}

/// The larger of two differences. NaN is the largest: what is not a number must not pass.
pub fn larger(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}
