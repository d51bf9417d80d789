//! Random cases: shapes, attributes, points.
use chainrule::{Labels, Real, Tensor, nn::Reduction, op::LabelTargets};
use proptest::prelude::*;

/// What proptest draws and shrinks; everything else of a case follows from it.
#[derive(Clone, Debug)]
pub struct Draw {
    pub sizes: Vec<usize>,
    pub picks: [u8; 12],
    pub seed: u64,
}

impl Draw {
    pub fn any() -> impl Strategy<Value = Self> {
        let size = prop_oneof![3 => Just(2usize), 3 => Just(1), 3 => Just(3), 1 => Just(0), 1 => Just(5)];
        let sizes = proptest::collection::vec(size, 0..=3);
        let picks = proptest::array::uniform12(any::<u8>());
        (sizes, picks, any::<u64>()).prop_map(|(sizes, picks, seed)| Self { sizes, picks, seed })
    }

    /// All sizes the same and nothing broadcast, so that one variable fits many places.
    pub fn square(&self) -> Self {
        let n = self.sizes.first().copied().unwrap_or(2);
        let mut picks = self.picks;
        picks[..6].fill(0);
        Self { sizes: vec![n; 2], picks, seed: self.seed }
    }

    /// A number below `n`.
    pub fn pick(&self, k: usize, n: usize) -> usize {
        self.picks[k] as usize % n
    }

    pub fn flag(&self, k: usize) -> bool {
        self.pick(k, 2) == 1
    }

    /// Size `k`, 2 if there is none.
    pub fn size(&self, k: usize) -> usize {
        self.sizes.get(k).copied().unwrap_or(2)
    }

    /// At least one axis.
    pub fn axes(&self) -> Vec<usize> {
        if self.sizes.is_empty() { vec![self.pick(9, 4)] } else { self.sizes.clone() }
    }

    /// An axis of [`Self::axes`].
    pub fn axis(&self) -> usize {
        self.pick(6, self.axes().len())
    }

    /// A set of axes of [`Self::sizes`], in any order.
    pub fn some_axes(&self) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..self.sizes.len()).filter(|&axis| self.picks[7] >> axis & 1 == 1).collect();
        if self.flag(8) {
            axes.reverse();
        }
        axes
    }

    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.sizes.len()).collect();
        let mut points = Points::new(self.seed ^ 0x0bde);
        (1..order.len()).for_each(|i| order.swap(i, points.below(i + 1)));
        order
    }

    /// Up to five places below `n`, some of them repeated.
    pub fn ids(&self, n: usize) -> Vec<usize> {
        let mut points = Points::new(self.seed ^ 0x1d5);
        (0..self.pick(10, 6)).map(|_| points.below(n)).collect()
    }

    pub fn labels(&self, n: usize) -> Labels {
        Labels::new(self.ids(n), n).unwrap()
    }

    /// An index into `n` places of the chosen axis, no larger than `shape` along any other.
    pub fn index(&self, shape: &[usize], n: usize) -> Labels {
        let mut points = Points::new(self.seed ^ 0x9a7);
        let cut = |&size: &usize| if points.below(3) == 0 { points.below(size + 1) } else { size };
        let sizes: Vec<usize> = shape.iter().map(cut).collect();
        let size = sizes.iter().product();
        Labels::new((0..size).map(|_| points.below(n)), n).unwrap().reshape(&sizes[..])
    }

    /// One class for each row of [`logits`].
    pub fn classes(&self) -> Vec<usize> {
        let shape = &logits(self)[0];
        let (classes, rows) = shape.split_last().unwrap();
        let mut points = Points::new(self.seed ^ 0xc1a);
        (0..rows.iter().product()).map(|_| points.below(*classes)).collect()
    }
}

/// What a loss from labels was told: class weights, an ignored label, smoothing, and how it is reduced.
pub type ClassSettings = (Option<Vec<f64>>, Option<usize>, f64, Reduction);

impl Draw {
    /// At least one row of [`Self::classes`] counts where the mean is taken, so that there is one.
    pub fn class_settings(&self) -> ClassSettings {
        let n = *logits(self)[0].last().unwrap();
        let mut points = Points::new(self.seed ^ 0x5e7);
        let weights: Vec<f64> = (0..n).map(|_| [0.0, 0.5, 1.0, 2.5][points.below(4)]).collect();
        let weights = Some(weights).filter(|_| self.flag(0));
        let ignore = Some(points.below(n)).filter(|_| self.flag(1));
        let smoothing = [0.0, 0.1, 0.5, 1.0][self.pick(2, 4)];
        let counts = |&k: &usize| Some(k) != ignore && weights.as_ref().is_none_or(|w| w[k] != 0.0);
        let reduction = match self.pick(3, 3) {
            0 => Reduction::None,
            1 if self.classes().iter().any(counts) => Reduction::Mean,
            _ => Reduction::Sum,
        };
        (weights, ignore, smoothing, reduction)
    }

    pub fn targets(&self) -> LabelTargets {
        let n = *logits(self)[0].last().unwrap();
        let (weights, ignore, smoothing, reduction) = self.class_settings();
        let labels = Labels::new(self.classes(), n).unwrap();
        let (weights, ignore) = (weights.map(|w| w.into()), ignore.map(|id| id as u32));
        LabelTargets { labels, weights, ignore, smoothing, reduction }
    }
}

/// splitmix64
pub struct Points(u64);

impl Points {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn within(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * self.unit()
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    pub fn tensor<F: Real>(&mut self, shape: &[usize]) -> Tensor<F> {
        Tensor::from_fn(chainrule::Shape::try_new(shape).unwrap(), |_| self.within(-1.0, 1.0))
    }
}

/// Where an op is tried.
#[derive(Clone, Copy, Debug)]
pub struct Domain {
    pub lo: f64,
    pub hi: f64,
    /// Points are at least 0.1 from these.
    pub avoid: &'static [f64],
    /// Where the function ends: steps of difference quotients shrink towards it.
    pub edge: Option<f64>,
    pub points: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Any,
    /// At least 0.06 from each other, so that there are no ties.
    Apart,
    /// One in four exactly 0.
    Zeros,
    /// Some exactly 0, some not: the condition of `where_cond`, which has no derivative.
    Switch,
}

const fn domain(lo: f64, hi: f64, avoid: &'static [f64]) -> Domain {
    Domain { lo, hi, avoid, edge: None, points: Kind::Any }
}
pub const REAL: Domain = domain(-3.0, 3.0, &[]);
pub const KINK_AT_0: Domain = domain(-3.0, 3.0, &[0.0]);
/// The bounds that the rows of clamp and hardtanh use.
pub const CLAMPED: Domain = domain(-3.0, 3.0, &[-1.0, 1.5, 0.25, 0.5, 1.0]);
pub const ABOVE_MINUS_1: Domain = Domain { edge: Some(-1.0), ..domain(-0.95, 3.0, &[]) };
pub const BELOW_A_POLE: Domain = domain(-1.1, 1.1, &[]);
pub const POSITIVE: Domain = Domain { edge: Some(0.0), ..domain(0.05, 3.0, &[]) };
pub const NOT_0: Domain = Domain { edge: Some(0.0), ..domain(-3.0, 3.0, &[0.0]) };
pub const APART: Domain = Domain { points: Kind::Apart, ..REAL };
pub const WITH_ZEROS: Domain = Domain { points: Kind::Zeros, ..REAL };
pub const SWITCH: Domain = Domain { points: Kind::Switch, ..REAL };

impl Domain {
    pub fn draw(&self, shape: &[usize], points: &mut Points, grid: &mut Vec<f64>) -> Tensor<f64> {
        let shape = chainrule::Shape::try_new(shape).unwrap();
        Tensor::from_fn(shape, |_| match self.points {
            Kind::Switch => [0.0, 1.0, -2.0][points.below(3)],
            Kind::Apart => {
                if grid.is_empty() {
                    // One place for each of up to 300 numbers: spacing 0.1, and a little off it.
                    grid.extend((-150..150).map(|k| 0.1 * f64::from(k) + 0.013));
                    (1..grid.len()).for_each(|i| grid.swap(i, points.below(i + 1)));
                    grid.sort_by(|a, b| (a.abs() > 3.0).cmp(&(b.abs() > 3.0)).reverse());
                }
                grid.pop().unwrap() + points.within(-0.02, 0.02)
            }
            Kind::Zeros if points.below(4) == 0 => 0.0,
            Kind::Any | Kind::Zeros => loop {
                let x = points.within(self.lo, self.hi);
                if self.avoid.iter().all(|kink| (x - kink).abs() >= 0.1) {
                    break x;
                }
            },
        })
    }

    /// How far a difference quotient may step from `x`, relative to its step on a function without scale.
    pub fn reach(&self, x: f64) -> f64 {
        if self.points == Kind::Apart {
            return 1.0; // a longer step could pass a neighbour
        }
        let edge = self.edge.map_or(f64::INFINITY, |edge| (x - edge).abs() / 2.0);
        x.abs().max(1.0).min(edge)
    }
}

pub type Shapes = Vec<Vec<usize>>;

pub fn one(d: &Draw) -> Shapes {
    vec![d.sizes.clone()]
}
/// With at least one axis.
pub fn axes(d: &Draw) -> Shapes {
    vec![d.axes()]
}
/// No axis empty.
pub fn full(d: &Draw) -> Shapes {
    vec![d.sizes.iter().map(|&n| n.max(1)).collect()]
}
/// At least one axis, and the chosen one not empty.
pub fn full_axis(d: &Draw) -> Shapes {
    let mut axes = d.axes();
    axes[d.axis()] = axes[d.axis()].max(1);
    vec![axes]
}
/// The reduced axes not empty.
pub fn full_axes(d: &Draw) -> Shapes {
    let mut sizes = d.sizes.clone();
    d.some_axes().iter().for_each(|&axis| sizes[axis] = sizes[axis].max(1));
    vec![sizes]
}
fn cut(d: &Draw, k: usize) -> Vec<usize> {
    let gone = if d.pick(2 * k, 3) == 0 { 0 } else { d.pick(2 * k + 1, d.sizes.len() + 1) };
    d.sizes
        .iter()
        .enumerate()
        .skip(gone)
        .map(|(a, &n)| if d.picks[2 * k] >> (2 + a) & 1 == 1 { 1 } else { n })
        .collect()
}
/// Two that broadcast.
pub fn pair(d: &Draw) -> Shapes {
    vec![cut(d, 0), cut(d, 1)]
}
/// Three that broadcast.
pub fn triple(d: &Draw) -> Shapes {
    vec![cut(d, 0), cut(d, 1), cut(d, 2)]
}
pub fn twice(d: &Draw) -> Shapes {
    vec![d.sizes.clone(), d.sizes.clone()]
}
/// Of a shape, and one that broadcasts to it.
pub fn cut_of(d: &Draw) -> (Vec<usize>, Vec<usize>) {
    (d.sizes.clone(), cut(d, 0))
}
pub fn narrow(d: &Draw) -> Shapes {
    vec![cut(d, 0)]
}
/// With one more axis, of size 1, at place `pick(0, rank + 1)`.
pub fn with_one(d: &Draw) -> Shapes {
    let mut wide = d.sizes.clone();
    wide.insert(d.pick(0, d.sizes.len() + 1), 1);
    vec![wide]
}
/// `[.., m, k]` and `[.., k, n]` with batches that broadcast, transposed as asked.
pub fn matrices(d: &Draw, ta: bool, tb: bool) -> Shapes {
    let (m, k, n) = (d.size(0), d.size(1), d.size(2));
    let batches: [(&[usize], &[usize]); 8] = [
        (&[], &[]),
        (&[2], &[]),
        (&[], &[3]),
        (&[2], &[2]),
        (&[1], &[3]),
        (&[2, 1], &[3]),
        (&[2, 3], &[1, 3]),
        (&[0], &[]),
    ];
    let (a, b) = batches[d.pick(0, 8)];
    let turned = |m, n, t: bool| if t { [n, m] } else { [m, n] };
    vec![[a, &turned(m, k, ta)].concat(), [b, &turned(k, n, tb)].concat()]
}
/// Both transpositions drawn.
pub fn turned(d: &Draw) -> Shapes {
    matrices(d, d.flag(6), d.flag(7))
}
/// `[.., in]`, `[out, in]`, `[out]`.
pub fn dense(d: &Draw) -> Shapes {
    let (k, n) = (d.size(1), d.size(2));
    let lead: &[usize] = [&[][..], &[2], &[2, 2]][d.pick(0, 3)];
    let rows = if d.flag(1) { vec![] } else { vec![d.size(0)] };
    vec![[lead, &rows, &[k]].concat(), vec![n, k], vec![n]]
}
/// At least two elements, all different by [`APART`].
pub fn several(d: &Draw) -> Shapes {
    let mut sizes = full(d).remove(0);
    sizes.push(2);
    vec![sizes]
}
/// At least two along the chosen axis.
pub fn several_along(d: &Draw) -> Shapes {
    let mut axes = d.axes();
    axes[d.axis()] = axes[d.axis()].max(2);
    vec![axes]
}
/// What is added to, with at least one place along the chosen axis, and a source no smaller than any index.
pub fn scatters(d: &Draw) -> Shapes {
    let mut into = d.axes();
    into[d.axis()] = into[d.axis()].max(1);
    let mut src = into.clone();
    src[d.axis()] = d.pick(10, 5);
    vec![into, src]
}
pub fn thrice(d: &Draw) -> Shapes {
    vec![d.sizes.clone(); 3]
}
/// A tensor, and a weight and a bias of its last one or two axes.
pub fn normalised(d: &Draw) -> Shapes {
    let shape = d.axes();
    let n = if d.flag(1) { 1 } else { shape.len().min(2) };
    let row = shape[shape.len() - n..].to_vec();
    vec![shape, row.clone(), row]
}
/// Three that differ along the chosen axis.
pub fn parts(d: &Draw) -> Shapes {
    let part = |k: usize| {
        let mut shape = d.axes();
        shape[d.axis()] = [shape[d.axis()], 1, 0, 2][d.pick(k, 4)];
        shape
    };
    vec![part(0), part(1), part(2)]
}
/// At least one row of at least one class.
pub fn logits(d: &Draw) -> Shapes {
    vec![d.axes().iter().map(|&n| n.max(1)).collect()]
}
/// One for each label of [`Draw::ids`] along the chosen axis.
pub fn scattered(d: &Draw) -> Shapes {
    let mut axes = d.axes();
    axes[d.axis()] = d.pick(10, 6);
    vec![axes]
}
