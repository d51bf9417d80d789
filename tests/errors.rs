//! Every panic of an op or a tensor says what, where and what to do, and blames the user's line.
#![allow(clippy::op_ref, clippy::clone_on_copy, reason = "one text serves tensors, which need it, and variables")]
#[path = "common/engine.rs"]
mod engine;
#[macro_use]
#[path = "common/refused.rs"]
mod refused;

use chainrule::{
    core::{Op, OpMany, Outputs, Saved, Vjp},
    kernel::{Accum, Gemm, Products},
    op,
    prelude::*,
};
use engine::{Caught, caught, data, here, mlp};
use refused::{blames, refused};

const FILE: &str = "tests/errors.rs";

const HUGE: usize = 1 << 40;

#[test]
fn elementwise_ops_and_operators() {
    let text = |op| format!("{op}: shapes [2, 3] and [4] do not broadcast: sizes 3 and 4 differ and neither is 1");
    both!(&text("add"), [[2, 3], [4]], |x| TensorLike::add(&x[0], &x[1]));
    both!(&text("sub"), [[2, 3], [4]], |x| TensorLike::sub(&x[0], &x[1]));
    both!(&text("mul"), [[2, 3], [4]], |x| TensorLike::mul(&x[0], &x[1]));
    both!(&text("maximum"), [[2, 3], [4]], |x| x[0].maximum(&x[1]));
    both!(&text("where_cond"), [[2, 3], [4]], |x| x[0].where_cond(&x[0], &x[1]));
    both!(&text("add"), [[2, 3], [4]], |x| &x[0] + &x[1]);
    both!(&text("sub"), [[2, 3], [4]], |x| x[0].clone() - &x[1]);
    both!(&text("mul"), [[2, 3], [4]], |x| &x[0] * x[1].clone());
    both!(&text("div"), [[2, 3], [4]], |x| x[0].clone() / x[1].clone());
    both!("mse: shapes [2, 3] and [3] differ", [[2, 3], [3]], |x| x[0].mse(&x[1]));
    let huge = format!("add: shape [{HUGE}, {HUGE}, 0] has more elements than memory can hold");
    both!(&huge, [[HUGE, 1, 0], [1, HUGE, 0]], |x| &x[0] + &x[1]);
}

#[test]
fn products() {
    both!("matmul: [64, 78] x [51, 10]: inner sizes 78 and 51 differ", [[64, 78], [51, 10]], |x| x[0].matmul(&x[1]));
    both!("matmul: [3, 2]^T x [5, 4]^T: inner sizes 3 and 4 differ", [[3, 2], [5, 4]], |x| {
        x[0].matmul_with(&x[1], true, true)
    });
    both!("matmul: [3] x [3, 4]: each operand needs at least 2 axes; reshape a vector", [[3], [3, 4]], |x| {
        x[0].matmul(&x[1])
    });
    let batches = "matmul: [2, 4, 5] x [3, 5, 6]: batches: shapes [2] and [3] do not broadcast: sizes 2 and 3 differ and \
                   neither is 1";
    both!(batches, [[2, 4, 5], [3, 5, 6]], |x| x[0].matmul(&x[1]));
    let huge = format!("matmul: shape [{HUGE}, {HUGE}] has more elements than memory can hold");
    both!(&huge, [[HUGE, 0], [0, HUGE]], |x| x[0].matmul(&x[1]));

    both!("linear: weight of shape [3], not [out, in]", [[2, 3], [3], [3]], |x| x[0].linear(&x[1], &x[2]));
    both!("linear: [2, 3] with weight [5, 4]: the layer takes 4 inputs, got 3", [[2, 3], [5, 4], [5]], |x| {
        x[0].linear(&x[1], &x[2])
    });
    both!("linear: bias [4] with weight [5, 3], which has 5 outputs", [[2, 3], [5, 3], [4]], |x| {
        x[0].linear(&x[1], &x[2])
    });
    let (huge, n) = (format!("linear: shape [{HUGE}, 2097152] has more elements than memory can hold"), 1 << 21);
    both!(&huge, [[HUGE, 0], [n, 0], [n]], |x| x[0].linear(&x[1], &x[2]));
    let g = Gemm { m: 2, n: 2, k: 2, ta: false, tb: false, mode: Accum::Replace };
    let text = caught(|| f32::gemm(g, &[0.0; 4], &[0.0; 4], &mut [0.0; 3])).text;
    assert_eq!(text, "gemm: slices do not match Gemm { m: 2, n: 2, k: 2, ta: false, tb: false, mode: Replace }");
}

#[test]
fn reductions() {
    both!("sum: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].sum_axes(&[2]));
    both!("mean: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].mean_axes(&[2]));
    both!("max: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].max_axes(&[2]));
    both!("sum: axis 1 is named twice in [1, 0, 1]", [[2, 3]], |x| x[0].sum_keep(&[1, 0, 1]));
    both!("sum_to: shape [2, 2, 3] does not broadcast to [2, 3]", [[2, 3]], |x| x[0].sum_to([2, 2, 3].into()));
    both!("sum_to: shape [3, 3] does not broadcast to [2, 3]", [[2, 3]], |x| x[0].sum_to([3, 3].into()));
    both!("max: axis 1 of shape [2, 0] is empty, so it has no largest element", [[2, 0]], |x| x[0].max());
    both!("max: axis 1 of shape [2, 0] is empty, so it has no largest element", [[2, 0]], |x| x[0].max_keep(&[1]));
}

#[test]
fn shapes() {
    both!("reshape: [2, 3] has 6 elements, [4] has 4", [[2, 3]], |x| x[0].reshape([4]));
    let huge = format!("reshape: shape [{HUGE}, {HUGE}] has more elements than memory can hold");
    both!(&huge, [[2, 3]], |x| x[0].reshape([HUGE, HUGE]));
    both!("unsqueeze: no new axis 3 in shape [2, 3] (at most 6 axes)", [[2, 3]], |x| x[0].unsqueeze(3));
    both!("unsqueeze: no new axis 0 in shape [1, 1, 1, 1, 1, 1] (at most 6 axes)", [[1; 6]], |x| x[0].unsqueeze(0));
    both!("squeeze: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].squeeze(2));
    both!("squeeze: axis 0 of shape [2, 3] has size 2, not 1", [[2, 3]], |x| x[0].squeeze(0));
    both!("transpose: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].transpose(0, 2));
    both!("permute: [0, 0] does not name each axis of shape [2, 3] once", [[2, 3]], |x| x[0].permute(&[0, 0]));
    both!("broadcast_to: shape [2, 3] does not broadcast to [3]", [[2, 3]], |x| x[0].broadcast_to([3]));
    let text = "broadcast_to: shapes [2, 3] and [2, 4] do not broadcast: sizes 3 and 4 differ and neither is 1";
    both!(text, [[2, 3]], |x| x[0].broadcast_to([2, 4]));
    let huge = format!("broadcast_to: shape [{HUGE}, {HUGE}] has more elements than memory can hold");
    both!(&huge, [[1, 1]], |x| x[0].broadcast_to([HUGE, HUGE]));
}

#[test]
fn places() {
    both!("slice: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].slice(2, 0..1));
    both!("slice: 1..4 does not lie in axis 1 of shape [2, 3], which has 3 places", [[2, 3]], |x| x[0].slice(1, 1..4));
    #[allow(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    let back = 2..1;
    both!("slice: 2..1 does not lie in axis 1 of shape [2, 3], which has 3 places", [[2, 3]], |x| {
        x[0].slice(1, back.clone())
    });
    both!("pad_axis: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].pad_axis(2, 0, 9));
    both!("pad_axis: axis 1 of shape [2, 3] from place 2 exceeds size 4", [[2, 3]], |x| x[0].pad_axis(1, 2, 4));
    let huge = format!("pad_axis: shape [2, {}] has more elements than memory can hold", usize::MAX);
    both!(&huge, [[2, 3]], |x| x[0].pad_axis(1, 0, usize::MAX));
    both!("concat: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| TensorLike::concat(&[&x[0]], 2));
    both!("concat: part 1 has shape [3, 3], part 0 [2, 3]; only axis 1 may differ", [[2, 3], [3, 3]], |x| {
        TensorLike::concat(&[&x[0], &x[1]], 1)
    });
    refused("concat: nothing to join", || _ = <Tensor as TensorLike>::concat(&[], 0));
    refused("concat: nothing to work on: an op needs an input", || _ = <Var<'_> as TensorLike>::concat(&[], 0));
    let huge = format!("concat: shape [{}, 0] has more elements than memory can hold", 2 * (HUGE << 19));
    both!(&huge, [[HUGE << 19, 0]], |x| TensorLike::concat(&[&x[0], &x[0]], 0));

    let ids = Labels::new([0, 3], 4).unwrap();
    both!("index_select: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| x[0].index_select(2, &ids));
    both!("index_select: ids below 4 for axis 1 of shape [2, 3], which has 3 places", [[2, 3]], |x| {
        x[0].index_select(1, &ids)
    });
    let huge = format!("index_select: shape [2, {}, 0] has more elements than memory can hold", 1usize << 59);
    both!(&huge, [[1, 1 << 59, 0]], |x| x[0].index_select(0, &Labels::new([0, 0], 1).unwrap()));
    let scatter = |axis, size| op::IndexAdd { axis, ids: Labels::new([0, 3], 4).unwrap(), size };
    both!("index_add: axis 2 of shape [2, 3], which has 2 axes", [[2, 3]], |x| {
        TensorLike::apply(scatter(2, 4), &[&x[0]])
    });
    both!("index_add: 2 ids for axis 1 of shape [2, 3]", [[2, 3]], |x| TensorLike::apply(scatter(1, 4), &[&x[0]]));
    both!("index_add: ids below 4 into 3 places", [[2, 3]], |x| TensorLike::apply(scatter(0, 3), &[&x[0]]));
    let huge = format!("index_add: shape [{}, 3] has more elements than memory can hold", usize::MAX);
    both!(&huge, [[2, 3]], |x| TensorLike::apply(scatter(0, usize::MAX), &[&x[0]]));
}

#[test]
fn losses_and_dropout() {
    let y = Labels::new([0, 1, 2], 3).unwrap();
    let tail = ": a row for each label and a column for each class are needed";
    both!(&format!("softmax_cross_entropy: logits [2, 3] with 3 labels of 3 classes{tail}"), [[2, 3]], |x| {
        x[0].softmax_cross_entropy(&y)
    });
    both!(&format!("softmax_cross_entropy: logits [3, 4] with 3 labels of 3 classes{tail}"), [[3, 4]], |x| {
        x[0].softmax_cross_entropy(&y)
    });
    let square = Labels::new([0, 1, 2, 0, 1, 2], 3).unwrap().reshape([3, 2]);
    both!(
        "softmax_cross_entropy: logits [2, 3, 3] with labels of shape [3, 2]: they need one for each row, in the shape [2, 3]",
        [[2, 3, 3]],
        |x| x[0].softmax_cross_entropy(&square)
    );
    refused("one_hot: labels below 3 into 2 classes", || _ = Tensor::one_hot(&y, 2));
    both!("dropout: the probability must be in 0..1, got 1", [[3, 4]], |x| x[0].dropout(1.0));
    both!("dropout: the probability must be in 0..1, got NaN", [[3, 4]], |x| x[0].dropout(f64::NAN));
    let mut tape = Tape::new();
    let x = tape.begin().constant(&Tensor::ones([3]));
    refused("dropout: begin() may not draw; use begin_train(&mut rng) or begin_eval()", || _ = x.dropout(0.5));
    blames(&format!("accuracy: logits [3, 4] with 3 labels of 3 classes{tail}"), || {
        chainrule::data::accuracy(&Tensor::zeros([3, 4]), &y);
    });
}

#[test]
fn tensors() {
    blames("Tensor::new: shape [2, 3] has 6 elements, but the data has 5", || _ = Tensor::new([2, 3], vec![0.0; 5]));
    let huge = format!("shape [{}, 2] has more elements than memory can hold", usize::MAX);
    blames(&format!("Tensor::filled: {huge}"), || _ = Tensor::zeros([usize::MAX, 2]));
    blames(&format!("Tensor::filled: {huge}"), || _ = Tensor::ones([usize::MAX, 2]));
    blames(&format!("Tensor::filled: {huge}"), || _ = Tensor::full([usize::MAX, 2], 1.0));
    blames(&format!("Tensor::new: {huge}"), || _ = Tensor::<f64>::of([usize::MAX, 2], vec![]));
    blames(&format!("Tensor::from_fn: {huge}"), || _ = Tensor::<f64>::from_fn([usize::MAX, 2], |_| 0.0));
    let rng = &mut Rng::seed(1);
    blames(&format!("Tensor::from_fn: {huge}"), || _ = Tensor::<f64>::normal_of([usize::MAX, 2], 0.0, 1.0, rng));
    // Empty, but its steps would overflow.
    let huge = format!("Tensor::filled: shape [{}, 2, 0] has more elements than memory can hold", usize::MAX);
    blames(&huge, || _ = Tensor::zeros([usize::MAX, 2, 0]));
    let t = Tensor::zeros([2, 3]);
    blames("item: shape [2, 3] has 6 elements, not one", || _ = t.item());
    blames("at: index [2, 0] does not lie in shape [2, 3]", || _ = t.at([2, 0]));
    blames("at: index [0] does not lie in shape [2, 3]", || _ = t.at([0]));
    blames("Labels::select: row 3 of 2 labels", || _ = Labels::new([0, 1], 2).unwrap().select(&[1, 3]));
    blames("Rng::below: 0 leaves nothing to draw from", || _ = rng.below(0));
    let data = chainrule::data::Dataset::new(Tensor::zeros([2, 3]), Labels::new([0, 1], 2).unwrap()).unwrap();
    blames("batches: a batch needs at least 1 example", || _ = data.batches(0, rng));
    blames("batches: a batch needs at least 1 example", || _ = data.batches_in_order(0));
}

#[test]
fn recordings() {
    let ((x, y), net, mut tape, mut other) = (data(1), mlp(2), Tape::new(), Tape::new());
    let (r, far) = (tape.begin(), other.begin().variable(&x));
    let v = r.variable(&x);
    refused("add: operands live on different recordings", || _ = v + far);
    refused("grads_of: operands live on different recordings", || _ = v.sum().grads_of(&[far]));
    refused("grads_recorded: operands live on different recordings", || _ = v.sum().grads_recorded(&[far]));
    let c = r.constant(&x);
    refused("grads_of: a constant has no gradient; record it with variable()", || _ = v.sum().grads_of(&[c]));
    refused("grads_recorded: a constant has no gradient; record it with variable()", || {
        _ = v.sum().grads_recorded(&[c])
    });
    let many = "shape [8, 6] is not a single number; sum() or mean() make one";
    refused(&format!("backward: {many}"), || _ = v.backward(&net));
    refused(&format!("backward: {many}"), || _ = v.backward_retained(&net));
    refused(&format!("backward: {many}"), || _ = v.backward_only(&net));
    refused(&format!("backward: {many}"), || _ = v.backward_with(&net, &mut None::<chainrule::flow::GradNorms>));
    refused(&format!("grads_of: {many}"), || _ = v.grads_of(&[v]));
    refused(&format!("grads_recorded: {many}"), || _ = v.grads_recorded(&[v]));

    refused("replace_leaf: the leaf lives on another recording", || r.replace_leaf(far, &x));
    refused("replace_leaf: this is the output of tanh, not a leaf", || r.replace_leaf(v.tanh(), &x));
    refused("replace_leaf: shape [2] for a leaf of shape [8, 6]", || r.replace_leaf(v, &Tensor::zeros([2])));
    let buffer = Param::buffer(Tensor::zeros([2]));
    refused("update: only a Param::buffer takes updates", || v.update(&net.hidden.weight, &v));
    refused("update: the value lives on another recording", || v.update(&buffer, &far));
    refused("update: shape [8, 6] for a buffer of shape [2]", || v.update(&buffer, &v));

    let w = r.param(&net.hidden.weight);
    let loss = net.forward(&v).softmax_cross_entropy(&y);
    loss.backward(&net).unwrap();
    let text = |who| format!("{who}: an earlier backward() ended this recording; use backward_retained() for that one");
    refused(&text("backward"), || _ = loss.backward(&net));
    refused(&text("grads_of"), || _ = loss.grads_of(&[v]));
    refused(&text("grads_of_retained"), || _ = loss.grads_of_retained(&[v]));
    refused(&text("grads_recorded"), || _ = loss.grads_recorded(&[v]));
    refused("replay: backward() ended this recording; use backward_retained()", || r.replay());
    let given_up = "this value is gone: a parameter's is given up by backward() (backward_retained() keeps it), one inside a \
                    checkpoint when the block ends (its result stays)";
    let given_up = format!("param, recorded at {}: {given_up}", w.origin().1);
    refused(&given_up, || _ = w.value());
    refused(&given_up, || _ = w.detach());
    assert!(format!("{w:?}").ends_with("leaf Tensor<f32> [5, 6] (released)"));
}

// ---- lines: inside a user's layer, and through objects -----------------------------------------------------------------

struct Wrong {
    inner: Dense,
}
module!(Wrong { inner });
impl Layer for Wrong {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        let h = self.inner.forward(x);
        h.reshape([7]) // HERE 0
    }
}

#[test]
fn a_users_layer_is_blamed_by_its_own_line() {
    let (x, wrong) = (data(1).0, Wrong { inner: Dense::new(6, 6, &mut Rng::seed(1)) });
    let mut tape = Tape::new();
    let v = tape.begin().constant(&x);
    let inside = here(include_str!("errors.rs"), 0);
    let check = |c: Caught| {
        assert_eq!((&*c.file, c.line), (FILE, inside), "{}", c.text);
        assert!(
            c.text.starts_with(&format!("reshape: [8, 6] has 48 elements, [7] has 7 ({FILE}:{inside}:")),
            "{}",
            c.text
        );
    };
    check(caught(|| _ = wrong.forward(&x)));
    check(caught(|| _ = wrong.forward(&v)));
    let stack = vec![AnyLayer::new(Relu), AnyLayer::new(wrong)];
    check(caught(|| _ = stack.forward(&x)));
    check(caught(|| _ = stack.forward(&v)));
}

#[test]
fn a_library_layer_is_blamed_where_it_or_its_object_is_called() {
    let (x, dense) = (data(1).0, Dense::new(4, 6, &mut Rng::seed(1)));
    let mut tape = Tape::new();
    let v = tape.begin().constant(&x);
    let text = "linear: [8, 6] with weight [6, 4]: the layer takes 4 inputs, got 6";
    refused(text, || _ = dense.forward(&x));
    refused(text, || _ = dense.forward(&v));
    let any = AnyLayer::new(dense.clone());
    refused(text, || _ = any.forward(&x));
    refused(text, || _ = any.forward(&v));
    let stack = (Relu, Some(Box::new(vec![AnyLayer::new(Tanh), any])));
    refused(text, || _ = stack.forward(&x));
    refused(text, || _ = stack.forward(&v));
}

#[test]
fn ops_report_the_users_line() {
    let (net, mut tape) = (AnyLayer::new(Dense::new(6, 6, &mut Rng::seed(1))), Tape::new());
    let r = tape.begin();
    let x = r.constant(&data(1).0); // HERE 1
    let z = net.forward(&x); // HERE 2
    let h = z.tanh(); // HERE 3
    let k = h * 2.0 + z; // HERE 4
    let _ = -k; // HERE 5
    let mut seen = vec![];
    r.each_node(|n| seen.push((n.op, n.at.file(), n.at.line())));
    let expect =
        [("leaf", 1), ("leaf", 2), ("leaf", 2), ("linear", 2), ("tanh", 3), ("scale", 4), ("add", 4), ("neg", 5)];
    let source = include_str!("errors.rs");
    assert_eq!(seen, expect.map(|(op, k)| (op, FILE, here(source, k))));
    assert_eq!((h.origin().0, h.origin().1.line()), ("tanh", here(source, 3)));
}

// ---- ops of a user's own -------------------------------------------------------------------------------------------------

struct Nothing;
impl OpMany for Nothing {
    const NAME: &'static str = "nothing";
    fn forward(&self, _: &[&Tensor], _: &mut Saved<'_, f32>) -> Outputs<Tensor> {
        Outputs::new()
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, _: &mut Vjp<'_, T>) {}
}

struct Forgets;
impl Op for Forgets {
    const NAME: &'static str = "forgets";
    fn forward(&self, x: &[&Tensor], _: &mut Saved<'_, f32>) -> Tensor {
        x[0].clone()
    }
    fn vjp<T: TensorLike<Elem = f32>>(&self, _: &mut Vjp<'_, T>, _: T) {}
}

#[test]
fn ops_that_break_their_word() {
    let mut tape = Tape::new();
    let r = tape.begin();
    let x = r.variable(&Tensor::ones([2]));
    let before = x * x;
    refused("nothing: its forward gave no output", || _ = TensorLike::apply_many(Nothing, &[&x, &x]));
    refused("nothing: nothing to work on: an op needs an input", || {
        _ = <Var<'_> as TensorLike>::apply_many(Nothing, &[])
    });
    let after = before.tanh();
    let y = TensorLike::apply(Forgets, &[&x]).sum(); // HERE 6
    let c = caught(|| _ = y.grads_recorded(&[x]));
    let recorded = format!("{FILE}:{}:", here(include_str!("errors.rs"), 6));
    let text = "forgets: its rule gave no cotangent for input 0 (cx.none declines on purpose); recorded at ";
    assert!(c.text.starts_with(&format!("{text}{recorded}")), "{}", c.text);
    assert_eq!(c.file, FILE);
    assert!(after.sum().grads_of(&[x]).is_ok());
    let e = caught(|| _ = chainrule::check::gradgradcheck::<f32, _>(&[], |_| x_of_another_tape()));
    assert_eq!(e.text, "gradgradcheck needs at least one input");
}

/// A scalar that needs no input; its tape is leaked so that it may stay.
fn x_of_another_tape<'t>() -> Var<'t> {
    Box::leak(Box::new(Tape::new())).begin().variable(&Tensor::scalar(1.0))
}
