"""Losses and their gradients as PyTorch computes them in float64, for tests/losses.rs.

Run, with PyTorch 2 installed:  python tests/pytorch/losses.py > tests/pytorch/losses.txt

A case is a line `case NAME key=value ..`, then lines `NAME SHAPE NUMBERS`: the inputs, the upstream cotangent `w`, the value,
and the gradient of `(w * value).sum()` for each input that has one.
"""
import itertools
import torch
import torch.nn.functional as nnf

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)


def line(name, t):
    shape = "x".join(str(n) for n in t.shape) or "-"
    print(name, shape, *(repr(float(x)) if t.is_floating_point() else int(x) for x in t.flatten()))


def case(name, settings, inputs, f, data=None):
    """`inputs` get gradients, `data` is only written."""
    print("case", name, *(f"{k}={v}" for k, v in settings.items() if v is not None))
    leaves = {k: t.clone().requires_grad_() for k, t in inputs.items()}
    value = f(**leaves)
    w = torch.rand(value.shape) * 2 - 1
    (value * w).sum().backward()
    for k, t in {**inputs, **(data or {}), "w": w, "value": value.detach()}.items():
        line(k, t)
    for k, t in leaves.items():
        line("grad_" + k, t.grad)


REDUCTIONS = ["mean", "sum", "none"]
rows, classes = 7, 5
labels = torch.tensor([0, 4, 2, 2, 1, 3, 2])
weights = torch.tensor([0.5, 2.0, 1.5, 0.0, 3.0])
logits = torch.randn(rows, classes) * 3

for reduction, weighted, smoothing, ignore in itertools.product(REDUCTIONS, [False, True], [0.0, 0.1, 1.0], [None, 2]):
    w = weights if weighted else None
    keep = -100 if ignore is None else ignore
    settings = dict(reduction=reduction, smoothing=smoothing, ignore=ignore)
    data = dict(labels=labels, **({"weights": weights} if weighted else {}))
    case("cross_entropy", settings, dict(x=logits),
         lambda x: nnf.cross_entropy(x, labels, w, ignore_index=keep, reduction=reduction, label_smoothing=smoothing), data)
    if smoothing == 0.0:
        case("nll", dict(reduction=reduction, ignore=ignore), dict(x=torch.log_softmax(logits, 1) + 0.1),
             lambda x: nnf.nll_loss(x, labels, w, ignore_index=keep, reduction=reduction), data)

# Extreme logits, nothing that counts, one row, a label past the last class.
extreme = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]])
for smoothing in [0.0, 0.2]:
    case("cross_entropy", dict(reduction="none", smoothing=smoothing), dict(x=extreme),
         lambda x: nnf.cross_entropy(x, torch.tensor([1, 0, 2]), reduction="none", label_smoothing=smoothing),
         dict(labels=torch.tensor([1, 0, 2])))
    for reduction in REDUCTIONS:
        case("cross_entropy", dict(reduction=reduction, smoothing=smoothing, ignore=1), dict(x=logits),
             lambda x: nnf.cross_entropy(x, torch.ones(rows, dtype=int), ignore_index=1, reduction=reduction,
                                         label_smoothing=smoothing), dict(labels=torch.ones(rows, dtype=int)))
past = torch.tensor([5, 4, 5, 2, 1, 3, 0])
case("cross_entropy", dict(reduction="mean", smoothing=0.1, ignore=5), dict(x=logits),
     lambda x: nnf.cross_entropy(x, past, ignore_index=5, label_smoothing=0.1), dict(labels=past))
case("cross_entropy", dict(reduction="mean", smoothing=0.0), dict(x=logits[:1]),
     lambda x: nnf.cross_entropy(x, labels[:1]), dict(labels=labels[:1]))

# From distributions.
target = torch.softmax(torch.randn(rows, classes), 1)
for reduction, weighted, smoothing in itertools.product(REDUCTIONS, [False, True], [0.0, 0.1]):
    w = weights if weighted else None
    case("cross_entropy_distributions", dict(reduction=reduction, smoothing=smoothing), dict(x=logits, t=target),
         lambda x, t: nnf.cross_entropy(x, t, w, reduction=reduction, label_smoothing=smoothing),
         dict(weights=weights) if weighted else {})

x, t = torch.randn(4, 3) * 2, torch.rand(4, 3)
weight, pos_weight = torch.rand(4, 1) * 2, torch.tensor([0.5, 3.0, 1.0])
for reduction in REDUCTIONS:
    for kind, p, q in [("bce", None, None), ("bce", weight, None), ("bce", None, pos_weight), ("bce", weight, pos_weight)]:
        data = {**({"weight": p} if p is not None else {}), **({"pos_weight": q} if q is not None else {})}
        case(kind, dict(reduction=reduction), dict(x=x, t=t),
             lambda x, t: nnf.binary_cross_entropy_with_logits(x, t, p, reduction=reduction, pos_weight=q), data)
    far = torch.tensor([1e4, -1e4, 1e4, -1e4, 40.0, -40.0])
    hard = torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0, 0.0])
    case("bce", dict(reduction=reduction), dict(x=far, t=hard),
         lambda x, t: nnf.binary_cross_entropy_with_logits(x, t, reduction=reduction))
    y = torch.randn(4, 3) * 2
    case("mse", dict(reduction=reduction), dict(x=x, t=y), lambda x, t: nnf.mse_loss(x, t, reduction=reduction))
    case("l1", dict(reduction=reduction), dict(x=x, t=y), lambda x, t: nnf.l1_loss(x, t, reduction=reduction))
    for delta in [1.0, 0.3, 2.5]:
        case("huber", dict(reduction=reduction, delta=delta), dict(x=x, t=y),
             lambda x, t: nnf.huber_loss(x, t, reduction=reduction, delta=delta))
    for beta in [0.0, 0.7, 2.0]:
        case("smooth_l1", dict(reduction=reduction, beta=beta), dict(x=x, t=y),
             lambda x, t: nnf.smooth_l1_loss(x, t, reduction=reduction, beta=beta))
    # A corner of Huber's loss, and no error at all.
    case("huber", dict(reduction=reduction, delta=1.0), dict(x=torch.tensor([1.0, -1.0, 0.0]), t=torch.zeros(3)),
         lambda x, t: nnf.huber_loss(x, t, reduction=reduction))
    logs = torch.log_softmax(logits, 1)
    case("kl_div", dict(reduction=reduction), dict(x=logs, t=target), lambda x, t: nnf.kl_div(x, t, reduction=reduction))
    case("kl_div", dict(reduction=reduction, log_target=1), dict(x=logs, t=target.log()),
         lambda x, t: nnf.kl_div(x, t, reduction=reduction, log_target=True))
    # 0 ln 0 = 0. (PyTorch's gradient of the target is that of a 0 it treats as a constant, so only x is asked for.)
    zeros = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]]).repeat(rows, 1)
    case("kl_div", dict(reduction=reduction), dict(x=logs), lambda x: nnf.kl_div(x, zeros, reduction=reduction), dict(t=zeros))
