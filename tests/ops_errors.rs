//! What the ops refuse, word for word, on plain tensors and on variables.
#[path = "common/engine.rs"]
mod engine;
#[macro_use]
#[path = "common/refused.rs"]
mod refused;

use chainrule::prelude::*;

#[test]
fn layer_norm() {
    let rest = "the weight needs the sizes of the last axes of x";
    both!(&format!("layer_norm: weight [4] for x [2, 3]: {rest}"), [[2, 3], [4], [4]], |x| {
        x[0].layer_norm(&x[1], &x[2], 1e-5)
    });
    both!(&format!("layer_norm: weight [] for x [2, 3]: {rest}"), [[2, 3], [], []], |x| {
        x[0].layer_norm(&x[1], &x[2], 1e-5)
    });
    both!(&format!("layer_norm: weight [1, 2, 3] for x [2, 3]: {rest}"), [[2, 3], [1, 2, 3], [3]], |x| {
        x[0].layer_norm(&x[1], &x[2], 1e-5)
    });
    both!("layer_norm: bias [1, 3] with weight [3]: both need the same shape", [[2, 3], [3], [1, 3]], |x| {
        x[0].layer_norm(&x[1], &x[2], 1e-5)
    });
    both!("layer_norm: eps must be at least 0, got -1", [[2, 3], [3], [3]], |x| x[0].layer_norm(&x[1], &x[2], -1.0));
    both!("layer_norm: eps must be at least 0, got NaN", [[2, 3], [3], [3]], |x| {
        x[0].layer_norm(&x[1], &x[2], f64::NAN)
    });
}
