//! Printing and comparing tensors.
use super::{Real, Tensor};
use std::fmt;

/// How many entries of an axis are printed before the middle is left out.
const EDGE: usize = 4;

impl<F: Real> Tensor<F> {
    fn write_axis(&self, f: &mut fmt::Formatter<'_>, data: &[F], axis: usize) -> fmt::Result {
        let Some(&n) = self.shape().get(axis) else {
            return match f.precision() {
                Some(digits) => write!(f, "{:.digits$}", data[0]),
                None => write!(f, "{}", data[0]),
            };
        };
        let last = axis + 1 == self.shape().rank();
        write!(f, "[")?;
        for i in 0..n {
            let inside = n > 2 * EDGE + 1 && (EDGE..n - EDGE).contains(&i);
            if inside && i > EDGE {
                continue;
            }
            match i {
                0 => {}
                _ if last => write!(f, ", ")?,
                _ => write!(f, ",\n{:1$}", "", axis + 1)?,
            }
            if inside {
                write!(f, "...")?;
                continue;
            }
            let step = data.len() / n;
            self.write_axis(f, &data[i * step..(i + 1) * step], axis + 1)?;
        }
        write!(f, "]")
    }
}

/// The numbers in brackets, an axis a level; long axes show their ends. A precision applies to each number.
impl<F: Real> fmt::Display for Tensor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_axis(f, self.data(), 0)
    }
}

/// Element type, shape and numbers.
impl<F: Real> fmt::Debug for Tensor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor<{}> {} ", F::NAME, self.shape())?;
        if self.is_released() { write!(f, "(released)") } else { write!(f, "{self}") }
    }
}

/// Equal shapes and equal numbers.
impl<F: Real> PartialEq for Tensor<F> {
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.data() == other.data()
    }
}

#[cfg(feature = "approx")]
mod approximate {
    use super::{Real, Tensor};
    use approx::{AbsDiffEq, RelativeEq};

    /// Equal shapes, and each pair of numbers within `epsilon`.
    impl<F: Real + AbsDiffEq<Epsilon = F>> AbsDiffEq for Tensor<F> {
        type Epsilon = F;
        fn default_epsilon() -> F {
            F::default_epsilon()
        }
        fn abs_diff_eq(&self, other: &Self, epsilon: F) -> bool {
            let pairs = || self.data().iter().zip(other.data());
            self.shape() == other.shape() && pairs().all(|(a, b)| a.abs_diff_eq(b, epsilon))
        }
    }

    /// Equal shapes, and each pair of numbers within `epsilon` or `max_relative`.
    impl<F: Real + RelativeEq<Epsilon = F>> RelativeEq for Tensor<F> {
        fn default_max_relative() -> F {
            F::default_max_relative()
        }
        fn relative_eq(&self, other: &Self, epsilon: F, max_relative: F) -> bool {
            let pairs = || self.data().iter().zip(other.data());
            self.shape() == other.shape() && pairs().all(|(a, b)| a.relative_eq(b, epsilon, max_relative))
        }
    }
}
