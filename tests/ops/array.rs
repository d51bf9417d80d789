//! The obvious loops: arrays of any number, without a thought of speed.
use crate::{case::ClassSettings, dual::Num};
use chainrule::nn::Reduction;

#[derive(Clone, Debug)]
pub struct Arr<N> {
    pub shape: Vec<usize>,
    pub data: Vec<N>,
}

/// All indices of a shape, row after row.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &size in shape {
        all = all.iter().flat_map(|head| (0..size).map(|i| [&head[..], &[i]].concat())).collect();
    }
    all
}

/// NumPy's rule.
pub fn common(a: &[usize], b: &[usize]) -> Vec<usize> {
    let rank = a.len().max(b.len());
    let size = |s: &[usize], axis: usize| if axis + s.len() < rank { 1 } else { s[axis + s.len() - rank] };
    (0..rank).map(|axis| if size(a, axis) == 1 { size(b, axis) } else { size(a, axis) }).collect()
}

impl<N: Num> Arr<N> {
    pub fn build(shape: &[usize], f: impl FnMut(&Vec<usize>) -> N) -> Self {
        Self { shape: shape.to_vec(), data: indices(shape).iter().map(f).collect() }
    }

    /// The element at an index of a shape to which this broadcasts.
    pub fn at(&self, index: &[usize]) -> N {
        let lead = index.len() - self.shape.len();
        let place = |(axis, &size): (usize, &usize)| if size == 1 { 0 } else { index[lead + axis] };
        self.data[self.shape.iter().enumerate().fold(0, |flat, axis| flat * axis.1 + place(axis))]
    }

    pub fn map(&self, f: impl Fn(N) -> N) -> Self {
        Self { shape: self.shape.clone(), data: self.data.iter().map(|&x| f(x)).collect() }
    }

    pub fn zip(&self, b: &Self, f: impl Fn(N, N) -> N) -> Self {
        Self::build(&common(&self.shape, &b.shape), |i| f(self.at(i), b.at(i)))
    }

    /// Where it is not 0: `a`, else `b`.
    pub fn choose(&self, a: &Self, b: &Self) -> Self {
        let shape = common(&common(&self.shape, &a.shape), &b.shape);
        Self::build(&shape, |i| if self.at(i).re() != 0.0 { a.at(i) } else { b.at(i) })
    }

    /// The last two axes exchanged.
    fn flipped(&self, yes: bool) -> Self {
        let rank = self.shape.len();
        let mut axes: Vec<usize> = (0..rank).collect();
        if yes {
            axes.swap(rank - 2, rank - 1);
        }
        self.permute(&axes)
    }

    pub fn matmul(&self, b: &Self, ta: bool, tb: bool) -> Self {
        let (a, b) = (self.flipped(ta), b.flipped(tb));
        let (batch_a, [m, k]) = (&a.shape[..a.shape.len() - 2], &a.shape[a.shape.len() - 2..]) else { unreachable!() };
        let (batch_b, [_, n]) = (&b.shape[..b.shape.len() - 2], &b.shape[b.shape.len() - 2..]) else { unreachable!() };
        let shape = [common(batch_a, batch_b), vec![*m, *n]].concat();
        Self::build(&shape, |i| {
            let (batch, [row, column]) = (&i[..i.len() - 2], &i[i.len() - 2..]) else { unreachable!() };
            (0..*k).fold(N::c(0.0), |sum, l| {
                sum + a.at(&[batch, &[*row, l]].concat()) * b.at(&[batch, &[l, *column]].concat())
            })
        })
    }

    /// Folds over some axes; `start` is for the first element of each group.
    pub fn fold(&self, axes: &[usize], keep: bool, start: N, f: impl Fn(N, N) -> N) -> Self {
        let kept: Vec<usize> =
            self.shape.iter().enumerate().map(|(axis, &n)| if axes.contains(&axis) { 1 } else { n }).collect();
        let mut out = Self::build(&kept, |_| start);
        for (i, &x) in indices(&self.shape).iter().zip(&self.data) {
            let place = i.iter().zip(&kept).fold(0, |flat, (&i, &n)| flat * n + if n == 1 { 0 } else { i });
            out.data[place] = f(out.data[place], x);
        }
        if !keep {
            out.shape = (0..kept.len()).filter(|axis| !axes.contains(axis)).map(|axis| kept[axis]).collect();
        }
        out
    }

    pub fn sum(&self, axes: &[usize], keep: bool) -> Self {
        self.fold(axes, keep, N::c(0.0), |a, b| a + b)
    }

    pub fn mean(&self, axes: &[usize], keep: bool) -> Self {
        let count: usize = axes.iter().map(|&axis| self.shape[axis]).product();
        self.sum(axes, keep).map(|s| s / N::c(count as f64))
    }

    pub fn max(&self, axes: &[usize], keep: bool) -> Self {
        self.fold(axes, keep, N::c(f64::NEG_INFINITY), |a, b| if b.re() > a.re() { b } else { a })
    }

    pub fn prod(&self, axes: &[usize], keep: bool) -> Self {
        self.fold(axes, keep, N::c(1.0), |a, b| a * b)
    }

    /// NaN if nothing is left to divide by.
    pub fn var(&self, axes: &[usize], keep: bool, ddof: usize) -> Self {
        let count: usize = axes.iter().map(|&axis| self.shape[axis]).product();
        let d = self.zip(&self.mean(axes, true), |x, mean| x - mean);
        let left = if count > ddof { (count - ddof) as f64 } else { f64::NAN };
        d.map(|d| d * d).sum(axes, keep).map(|s| s / N::c(left))
    }

    pub fn all(&self) -> Vec<usize> {
        (0..self.shape.len()).collect()
    }

    pub fn sum_to(&self, shape: &[usize]) -> Self {
        let lead = self.shape.len() - shape.len();
        let repeated = |&axis: &usize| axis < lead || (shape[axis - lead] == 1 && self.shape[axis] != 1);
        let axes: Vec<usize> = self.all().into_iter().filter(repeated).collect();
        self.sum(&axes, true).reshape(shape)
    }

    pub fn reshape(&self, shape: &[usize]) -> Self {
        assert_eq!(shape.iter().product::<usize>(), self.data.len());
        Self { shape: shape.to_vec(), data: self.data.clone() }
    }

    pub fn permute(&self, axes: &[usize]) -> Self {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        Self::build(&shape, |i| {
            let mut from = i.clone();
            axes.iter().zip(i).for_each(|(&axis, &place)| from[axis] = place);
            self.at(&from)
        })
    }

    /// Place `p` of `axis` is place `f(p)` of this, or 0.
    pub fn picked(&self, axis: usize, size: usize, f: impl Fn(usize) -> Option<usize>) -> Self {
        let mut shape = self.shape.clone();
        shape[axis] = size;
        Self::build(&shape, |i| {
            let mut from = i.clone();
            match f(i[axis]) {
                Some(place) => {
                    from[axis] = place;
                    self.at(&from)
                }
                None => N::c(0.0),
            }
        })
    }

    pub fn concat(parts: &[&Self], axis: usize) -> Self {
        let mut shape = parts[0].shape.clone();
        shape[axis] = parts.iter().map(|p| p.shape[axis]).sum();
        Self::build(&shape, |i| {
            let mut from = i.clone();
            for part in parts {
                if from[axis] < part.shape[axis] {
                    return part.at(&from);
                }
                from[axis] -= part.shape[axis];
            }
            unreachable!()
        })
    }

    pub fn index_add(&self, axis: usize, ids: &[usize], size: usize) -> Self {
        let sum = |place: usize, i: &Vec<usize>| {
            let from = |k: usize| i.iter().enumerate().map(|(a, &p)| if a == axis { k } else { p }).collect::<Vec<_>>();
            ids.iter().enumerate().filter(|(_, id)| **id == place).fold(N::c(0.0), |s, (k, _)| s + self.at(&from(k)))
        };
        let mut shape = self.shape.clone();
        shape[axis] = size;
        Self::build(&shape, |i| sum(i[axis], i))
    }

    /// Along the last axis, without care for overflow.
    pub fn softmax(&self) -> Self {
        let e = self.map(|x| x.exp());
        match self.shape.len() {
            0 => e.zip(&e, |e, sum| e / sum),
            rank => e.zip(&e.sum(&[rank - 1], true), |e, sum| e / sum),
        }
    }

    /// Each row, as many last axes as `w` has, normalised.
    pub fn layer_norm(&self, w: &Self, b: &Self, eps: f64) -> Self {
        let axes: Vec<usize> = (self.shape.len() - w.shape.len()..self.shape.len()).collect();
        let d = self.zip(&self.mean(&axes, true), |x, mean| x - mean);
        let std = d.map(|d| d * d).mean(&axes, true).map(|v| (v + N::c(eps)).sqrt());
        d.zip(&std, |d, std| d / std).zip(w, |x, w| x * w).zip(b, |x, b| x + b)
    }

    /// The losses of rows from labels, of logits or of log-probabilities, as the formula says it.
    pub fn label_losses(&self, labels: &[usize], settings: ClassSettings, logits: bool) -> Self {
        let (weights, ignore, smoothing, reduction) = settings;
        let n = *self.shape.last().unwrap();
        let weight = |class: usize| weights.as_ref().map_or(1.0, |w| w[class]);
        let (p, mut losses, mut counted) = (self.softmax(), vec![], 0.0);
        for (row, &label) in labels.iter().enumerate() {
            let log = |class: usize| if logits { p.data[row * n + class].ln() } else { self.data[row * n + class] };
            let mut loss = N::c(0.0);
            if Some(label) != ignore {
                counted += weight(label);
                loss = N::c(-(1.0 - smoothing) * weight(label)) * log(label);
                for class in 0..n {
                    loss = loss - N::c(smoothing / n as f64 * weight(class)) * log(class);
                }
            }
            losses.push(loss);
        }
        let sum = losses.iter().fold(N::c(0.0), |sum, loss| sum + *loss);
        match reduction {
            Reduction::None => Self { shape: self.shape[..self.shape.len() - 1].to_vec(), data: losses },
            Reduction::Sum => Self { shape: vec![], data: vec![sum] },
            Reduction::Mean => Self { shape: vec![], data: vec![sum / N::c(counted)] },
        }
    }
}
