//! What networks are trained on.
use crate::{
    common::digits::Digits,
    patient::{ALPHABET, FIRST},
};
use chainrule::prelude::*;
use std::rc::Rc;

type Draw<B> = Box<dyn Fn(usize, &mut Rng) -> Result<B, Error>>;

/// Examples to train on, and others.
pub struct Data<B> {
    draw: Draw<B>,
    pub test: B,
}

impl<B> Data<B> {
    /// So many examples, at random.
    pub fn draw(&self, n: usize, rng: &mut Rng) -> Result<B, Error> {
        (self.draw)(n, rng)
    }
}

/// Handwritten digits, their pixels from 0 to `white`.
pub fn digits(digits: &Rc<Digits>, white: f64) -> Data<(Tensor, Labels)> {
    let test = &digits.tests[0].1;
    let test = (test.x() * white, test.y().clone());
    let digits = digits.clone();
    let draw = move |n: usize, rng: &mut Rng| {
        let rows: Vec<usize> = (0..n).map(|_| rng.below(digits.train.len())).collect();
        let x = digits.train.x().index_select(0, &Labels::new(rows.iter().copied(), digits.train.len())?);
        Ok((&x * white, digits.train.y().select(&rows)))
    };
    Data { draw: Box::new(draw), test }
}

/// Sequences of `steps` symbols, of which the first counts, and what that was.
pub fn memory(steps: usize) -> Result<Data<(Labels, Labels)>, Error> {
    let draw = move |n: usize, rng: &mut Rng| {
        let first: Vec<usize> = (0..n).map(|_| rng.below(FIRST)).collect();
        let others: Vec<usize> = (0..n * (steps - 1)).map(|_| FIRST + rng.below(ALPHABET - FIRST)).collect();
        let said = Labels::new(first.iter().copied().chain(others), ALPHABET)?;
        Ok((said.reshape([steps, n]), Labels::new(first, FIRST)?))
    };
    let test = draw(500, &mut Rng::seed(7))?;
    Ok(Data { draw: Box::new(draw), test })
}
