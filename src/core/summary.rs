//! A module as a table.
use crate::{
    core::{Module, Path, Recording, Role},
    tensor::{Real, Shape},
};
use std::fmt;

/// The parameters of a module with their sizes: made by [`Module::summary`], shown by `println!`.
///
/// Layers without parameters have no row. A parameter that is used twice (a tied weight) has one, and counts once.
///
/// ```
/// use chainrule::prelude::*;
/// let mut net = (Dense::<f32>::new(3, 4, &mut Rng::seed(1)), Relu, Dense::new(4, 2, &mut Rng::seed(2)).without_bias());
/// net.freeze("0.bias")?;
/// assert_eq!(net.summary().to_string(), "\
/// path      layer  role     shape   count  bytes
/// 0.weight  Dense  trained  [4, 3]     12     48
/// 0.bias    Dense  frozen   [4]         4     16
/// 2.weight  Dense  trained  [2, 4]      8     32
/// 24 numbers in 3 parameters, 96 bytes: 20 trained, 4 frozen, 0 in buffers");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// One for each parameter, in the module's order.
    pub rows: Vec<SummaryRow>,
}

/// One parameter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SummaryRow {
    /// Its path.
    pub path: String,
    /// The type of the layer that owns it; `None` where no `module!` says it.
    pub layer: Option<&'static str>,
    /// Its role.
    pub role: Role,
    /// Its shape.
    pub shape: Shape,
    /// How many numbers it holds.
    pub count: usize,
    /// How much memory they take.
    pub bytes: usize,
    /// The shapes of its layer's outputs, where the layer marks them with this parameter; without repetitions.
    pub outputs: Vec<Shape>,
}

impl Summary {
    pub(super) fn of<F: Real>(net: &dyn Module<F>) -> Self {
        let (mut rows, mut seen) = (vec![], vec![]);
        net.visit_at(&Path::ROOT, &mut |path, p| {
            if seen.contains(&p.id) {
                return;
            }
            seen.push(p.id);
            let (shape, count) = (p.value.shape(), p.value.shape().size());
            rows.push(SummaryRow {
                path: path.to_string(),
                layer: path.owner(),
                role: p.role(),
                shape,
                count,
                bytes: count * size_of::<F>(),
                outputs: vec![],
            });
        });
        Self { rows }
    }

    pub(super) fn with_outputs<F: Real>(mut self, net: &dyn Module<F>, recording: &Recording<F>) -> Self {
        let mut ids = vec![];
        net.visit_at(&Path::ROOT, &mut |_, p| {
            if !ids.contains(&p.id) {
                ids.push(p.id);
            }
        });
        recording.layer_outputs(|id, shape| {
            let row = ids.iter().position(|own| *own == id).map(|at| &mut self.rows[at].outputs);
            if let Some(outputs) = row.filter(|outputs| !outputs.contains(&shape)) {
                outputs.push(shape);
            }
        });
        self
    }

    /// How many numbers it holds.
    pub fn count(&self) -> usize {
        self.rows.iter().map(|row| row.count).sum()
    }

    /// How many numbers have this role.
    pub fn count_of(&self, role: Role) -> usize {
        self.rows.iter().filter(|row| row.role == role).map(|row| row.count).sum()
    }

    /// How much memory they take.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.bytes).sum()
    }
}

impl SummaryRow {
    fn cells(&self) -> [String; 7] {
        let outputs: Vec<_> = self.outputs.iter().map(Shape::to_string).collect();
        [
            self.path.clone(),
            self.layer.unwrap_or("-").to_string(),
            format!("{:?}", self.role).to_lowercase(),
            self.shape.to_string(),
            outputs.join(" "),
            self.count.to_string(),
            self.bytes.to_string(),
        ]
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![["path", "layer", "role", "shape", "output", "count", "bytes"].map(String::from)];
        table.extend(self.rows.iter().map(SummaryRow::cells));
        let with_outputs = self.rows.iter().any(|row| !row.outputs.is_empty());
        let columns: Vec<usize> = (0..7).filter(|c| *c != 4 || with_outputs).collect();
        let width = |c: usize| table.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
        for row in &table {
            let mut line = String::new();
            for &c in &columns {
                let (cell, n) = (&row[c], width(c));
                line += &if c < 5 { format!("{cell:n$}  ") } else { format!("{cell:>n$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(
            f,
            "{} numbers in {} parameters, {} bytes: {} trained, {} frozen, {} in buffers",
            self.count(),
            self.rows.len(),
            self.bytes(),
            self.count_of(Role::Trained),
            self.count_of(Role::Frozen),
            self.count_of(Role::Buffer)
        )
    }
}
