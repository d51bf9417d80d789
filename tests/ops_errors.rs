//! What the ops refuse, word for word, on plain tensors and on variables.
#[path = "common/engine.rs"]
mod engine;
#[macro_use]
#[path = "common/refused.rs"]
mod refused;

use chainrule::prelude::*;
use refused::refused;

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

const HUGE: usize = 1 << 40;

#[test]
fn reductions() {
    both!("var: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].var_axes(&[2], 1));
    both!("var: axis 1 is named twice in [1, 1]", [[2, 3]], |x| x[0].var_keep(&[1, 1], 1));
    both!("std: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].std_axes(&[2], 0));
    both!("std: axis 0 is named twice in [0, 0]", [[2, 3]], |x| x[0].std_keep(&[0, 0], 0));
    both!("norm: axis 9 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].norm_axes(&[9]));
    both!("norm: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].norm_keep(&[2]));
    both!("logsumexp: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].logsumexp_axes(&[2]));
    both!("logsumexp: axis 1 is named twice in [1, 1]", [[2, 3]], |x| x[0].logsumexp_keep(&[1, 1]));
    both!("prod: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].prod_axes(&[2]));
    both!("prod: axis 1 is named twice in [1, 1]", [[2, 3]], |x| x[0].prod_keep(&[1, 1]));
    both!("min: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].min_axes(&[2]));
    both!("min: axis 1 of shape [2, 0] is empty, so it has no smallest element", [[2, 0]], |x| x[0].min());
    both!("min: axis 1 of shape [2, 0] is empty, so it has no smallest element", [[2, 0]], |x| x[0].min_keep(&[1]));
    both!("argmax: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].argmax(2));
    both!("argmax: axis 1 of shape [2, 0] is empty", [[2, 0]], |x| x[0].argmax(1));
    both!("argmin: axis 0 of shape [0, 2] is empty", [[0, 2]], |x| x[0].argmin(0));
    both!("argmin: axis 0 of shape [1099511627776, 0] has more than 2^32 - 1 places", [[HUGE, 0]], |x| x[0].argmin(0));
}

#[test]
fn arrangements() {
    both!("stack: part 1 has shape [3], part 0 [2, 3]", [[2, 3], [3]], |x| TensorLike::stack(&[&x[0], &x[1]], 0));
    both!("stack: no new axis 3 in shape [2, 3] (at most 6 axes)", [[2, 3]], |x| TensorLike::stack(&[&x[0]], 3));
    both!("stack: no new axis 0 in shape [1, 1, 1, 1, 1, 1] (at most 6 axes)", [[1; 6]], |x| {
        TensorLike::stack(&[&x[0]], 0)
    });
    refused("stack: nothing to join", || _ = <Tensor as TensorLike>::stack(&[], 0));
    let huge = format!("stack: shape [2, {}, 0] has more elements than memory can hold", HUGE << 19);
    both!(&huge, [[HUGE << 19, 0]], |x| TensorLike::stack(&[&x[0], &x[0]], 0));
    both!("split: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].split(2, 1));
    both!("split: parts of size 0 of axis 1 of shape [2, 3]; at least 1 is needed", [[2, 3]], |x| x[0].split(1, 0));
    both!("split_sizes: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].split_sizes(2, &[1]));
    let rest = "does not add up to axis 1 of shape [2, 3], which has 3 places";
    both!(&format!("split_sizes: [1, 1] {rest}"), [[2, 3]], |x| x[0].split_sizes(1, &[1, 1]));
    both!(&format!("split_sizes: [{}, 4] {rest}", usize::MAX), [[2, 3]], |x| x[0].split_sizes(1, &[usize::MAX, 4]));
    both!("flip: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].flip(&[2]));
    both!("flip: axis 1 is named twice in [1, 1]", [[2, 3]], |x| x[0].flip(&[1, 1]));
    both!("pad: 1 widths for shape [2, 3]: each axis needs a (before, after) of its own", [[2, 3]], |x| {
        x[0].pad(&[(1, 1)], 0.0)
    });
    let huge = format!("pad: shape [2, {}] has more elements than memory can hold", usize::MAX);
    both!(&huge, [[2, 3]], |x| x[0].pad(&[(0, 0), (1, usize::MAX)], 0.0));
}

#[test]
fn picks() {
    let index = |ids: &[usize], shape: &[usize]| Labels::new(ids.iter().copied(), 3).unwrap().reshape(shape);
    let (flat, wide, far) = (index(&[0, 2], &[2]), index(&[0, 2], &[2, 1]), index(&[0, 1, 2], &[3, 1]));
    both!("gather: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].gather(2, &wide));
    both!("gather: an index of shape [2] for shape [2, 3]: both need as many axes", [[2, 3]], |x| x[0]
        .gather(1, &flat));
    let longer = "an index of shape [3, 1] for shape [2, 3]: axis 0 of the index is longer";
    both!(&format!("gather: {longer}"), [[2, 3]], |x| x[0].gather(1, &far));
    let below = "ids below 3 for axis 0 of shape [2, 3], which has 2 places";
    both!(&format!("gather: {below}"), [[2, 3]], |x| x[0].gather(0, &wide));
    both!(&format!("scatter_add: {below}"), [[2, 3], [2, 1]], |x| x[0].scatter_add(0, &wide, &x[1]));
    both!(&format!("scatter_add: {longer}"), [[2, 3], [3, 1]], |x| x[0].scatter_add(1, &far, &x[1]));
    both!(
        "scatter_add: an index of shape [2, 1] for a source of shape [1, 1]: it does not fit",
        [[2, 3], [1, 1]],
        |x| { x[0].scatter_add(1, &wide, &x[1]) }
    );
    both!("scatter_add: an index of shape [2, 1] for a source of shape [2]: it does not fit", [[2, 3], [2]], |x| {
        x[0].scatter_add(1, &wide, &x[1])
    });
    let y = Labels::new([0, 4], 5).unwrap();
    refused("one_hot: labels below 5 into 4 classes", || _ = Tensor::one_hot(&y, 4));
    refused("one_hot: labels below 5 into 4 classes", || _ = Tensor::<f64>::one_hot_of(&y, 4));
    refused("one_hot: labels below 5 into 4 classes", || _ = Place::one_hot(Eager::<f32>::HERE, &y, 4));
    let text = format!("Labels::reshape: 2 labels do not fill shape [3] ({}:", file!());
    let e = engine::caught(|| _ = y.reshape([3])).text;
    assert!(e.starts_with(&text), "{e}");
}

#[test]
fn twins() {
    let (a, mut tape) = (Tensor::zeros([2, 3]), Tape::new());
    let v = tape.begin().variable(&a);
    let error = |e: Result<Shape, Error>, text: &str| {
        let e = e.unwrap_err();
        assert_eq!((e.kind(), &*e.to_string()), (ErrorKind::Shape, text));
    };
    let index = Labels::new([0, 8], 9).unwrap().reshape([2, 1]);
    let text = "gather: ids below 9 for axis 1 of shape [2, 3], which has 3 places";
    error(a.try_gather(1, &index).map(|t| t.shape()), text);
    error(v.try_gather(1, &index).map(|t| t.shape()), text);
    let text = "scatter_add: ids below 9 for axis 1 of shape [2, 3], which has 3 places";
    error(a.try_scatter_add(1, &index, &a).map(|t| t.shape()), text);
    error(v.try_scatter_add(1, &index, &v).map(|t| t.shape()), text);
    let text = "stack: part 1 has shape [1], part 0 [2, 3]";
    error(TensorLike::try_stack(&[&a, &Tensor::zeros([1])], 0).map(|t: Tensor| t.shape()), text);
    error(<Var<'_> as TensorLike>::try_stack(&[], 0).map(|t| t.shape()), "stack: nothing to join");
    let one_hot = |labels: &Labels, n| Tensor::<f32>::try_one_hot_of(labels, n).map(|t| t.shape());
    error(one_hot(&index, 4), "one_hot: labels below 9 into 4 classes");
    error(
        one_hot(&index.reshape([1, 2, 1, 1, 1, 1]), 9),
        "one_hot: no new axis after shape [1, 2, 1, 1, 1, 1] (at most 6 axes)",
    );
    let huge = format!("one_hot: shape [2, 1, {}] has more elements than memory can hold", usize::MAX);
    error(one_hot(&index, usize::MAX), &huge);

    let index = Labels::new([0, 2], 3).unwrap().reshape([2, 1]);
    let shapes = [a.try_gather(1, &index), a.try_scatter_add(1, &index, &a), TensorLike::try_stack(&[&a, &a], 2)];
    assert_eq!(shapes.map(|t| t.unwrap().shape().to_vec()), [vec![2, 1], vec![2, 3], vec![2, 3, 2]]);
    assert_eq!(one_hot(&index, 3).unwrap()[..], [2, 1, 3]);
}
