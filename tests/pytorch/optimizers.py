"""The numbers that tests/optimizers.rs and tests/schedules.rs hold chainrule against.

Run from the root of the repository, with PyTorch (made with 2.15) installed:

    python tests/pytorch/optimizers.py

It writes optimizers.csv, gradients.csv, overflow.csv and schedules.csv beside itself. Everything but overflow.csv is f64;
all runs on the CPU and is seeded. Each optimizer is PyTorch's own, but for Lion, which PyTorch does not have: that one is
written here from Program 1 of Chen et al., "Symbolic discovery of optimization algorithms", 2023.
"""

import csv
import math
import pathlib

import torch

HERE = pathlib.Path(__file__).parent
STEPS, SIZES = 14, {"a": (3, 2), "b": (4,)}
torch.set_default_dtype(torch.float64)


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = m * b1 + p.grad * (1 - b1)
                update = torch.sign(update) + p * group["weight_decay"]
                self.state[p]["m"] = m * b2 + p.grad * (1 - b2)
                p -= group["lr"] * update


O = torch.optim
# The names are those of the rows of tests/optimizers.rs.
CASES = {
    "sgd": lambda p: O.SGD(p, lr=0.1),
    "sgd decay": lambda p: O.SGD(p, lr=0.1, weight_decay=0.3),
    "sgd momentum": lambda p: O.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.02),
    "sgd dampening": lambda p: O.SGD(p, lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.02),
    "sgd nesterov": lambda p: O.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.02),
    "adam": lambda p: O.Adam(p, lr=0.01),
    "adam decay": lambda p: O.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.3),
    "adam amsgrad": lambda p: O.Adam(p, lr=0.02, betas=(0.7, 0.6), eps=0.05, weight_decay=0.1, amsgrad=True),
    "adamw": lambda p: O.AdamW(p, lr=0.01),
    "adamw decay": lambda p: O.AdamW(p, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.3),
    "adamw amsgrad": lambda p: O.AdamW(p, lr=0.02, betas=(0.7, 0.6), eps=0.05, weight_decay=0.1, amsgrad=True),
    "nadam": lambda p: O.NAdam(p, lr=0.01),
    "nadam decay": lambda p: O.NAdam(p, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.3, momentum_decay=0.2),
    "nadam decoupled": lambda p: O.NAdam(p, lr=0.02, weight_decay=0.3, decoupled_weight_decay=True),
    "radam": lambda p: O.RAdam(p, lr=0.01),
    "radam decay": lambda p: O.RAdam(p, lr=0.02, betas=(0.8, 0.95), eps=0.1, weight_decay=0.3),
    "radam decoupled": lambda p: O.RAdam(p, lr=0.02, betas=(0.9, 0.8), weight_decay=0.3, decoupled_weight_decay=True),
    "rmsprop": lambda p: O.RMSprop(p, lr=0.01),
    "rmsprop decay": lambda p: O.RMSprop(p, lr=0.02, alpha=0.9, eps=0.1, weight_decay=0.3),
    "rmsprop momentum": lambda p: O.RMSprop(p, lr=0.01, alpha=0.9, eps=0.05, momentum=0.7, weight_decay=0.1),
    "rmsprop centered": lambda p: O.RMSprop(p, lr=0.01, alpha=0.9, eps=0.05, centered=True, weight_decay=0.1),
    "rmsprop both": lambda p: O.RMSprop(p, lr=0.01, alpha=0.8, eps=0.05, momentum=0.6, centered=True),
    "adagrad": lambda p: O.Adagrad(p, lr=0.1),
    "adagrad decay": lambda p: O.Adagrad(
        p, lr=0.1, lr_decay=0.2, weight_decay=0.3, initial_accumulator_value=0.5, eps=0.1
    ),
    "lion": lambda p: Lion(p, lr=0.01),
    "lion decay": lambda p: Lion(p, lr=0.02, betas=(0.8, 0.95), weight_decay=0.3),
}


def draw(seed):
    """Gradients of every step, small and large; that of "b" is missing in steps 3, 7 and 8."""
    g = torch.Generator().manual_seed(seed)
    start = {k: torch.rand(s, generator=g) * 2 - 1 for k, s in SIZES.items()}
    steps = []
    for t in range(STEPS):
        row = {k: torch.randn(s, generator=g) * 10 ** (3 * torch.rand(s, generator=g) - 2) for k, s in SIZES.items()}
        if t in (3, 7, 8):
            row["b"] = None
        steps.append(row)
    steps[5]["a"][1, 1] = 0.0
    return start, steps


def optimizers():
    start, steps = draw(7)
    with open(HERE / "gradients.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["step", "parameter", "numbers"])
        for k, w in start.items():
            out.writerow(["start", k, *map(repr, w.flatten().tolist())])
        for t, row in enumerate(steps):
            for k, g in row.items():
                out.writerow([t, k, *([] if g is None else map(repr, g.flatten().tolist()))])
    with open(HERE / "optimizers.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "step", "a and b"])
        for name, make in CASES.items():
            params = {k: torch.nn.Parameter(w.clone()) for k, w in start.items()}
            opt = make(list(params.values()))
            for t, row in enumerate(steps):
                for k, p in params.items():
                    p.grad = None if row[k] is None else row[k].clone()
                opt.step()
                if t in (0, 1, 2, 5, 9, STEPS - 1):
                    out.writerow([name, t, *(repr(x) for p in params.values() for x in p.flatten().tolist())])


OVERFLOWS = {
    "radam": lambda p: O.RAdam(p, lr=0.1),
    "radam decay": lambda p: O.RAdam(p, lr=0.1, weight_decay=0.1),
    "rmsprop centered": lambda p: O.RMSprop(p, lr=0.1, centered=True),
    "rmsprop both": lambda p: O.RMSprop(p, lr=0.1, momentum=0.9, centered=True),
}


def overflows():
    """A parameter of 1 in f32: after a gradient whose square may be too large, and after gradients of 1."""
    with open(HERE / "overflow.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "first gradient", "values"])
        for name, make in OVERFLOWS.items():
            for first in (1e18, 1e20, 1e22, 1e30, 1e38):
                w, seen = torch.nn.Parameter(torch.ones(1, dtype=torch.float32)), []
                opt = make([w])
                for g in (first, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
                    w.grad = torch.full_like(w, g)
                    opt.step()
                    seen.append(w.item())
                out.writerow([name, first, *map(repr, seen)])


def rates(make, steps):
    """The learning rate of each step under one of PyTorch's schedulers."""
    opt = O.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler, seen = make(opt), []
    for _ in range(steps):
        seen.append(opt.param_groups[0]["lr"])
        opt.step()
        scheduler.step()
    return seen


S = torch.optim.lr_scheduler
SCHEDULES = {
    "constant": lambda o: S.ConstantLR(o, factor=1.0, total_iters=0),
    "step": lambda o: S.StepLR(o, step_size=7, gamma=0.3),
    "multi step": lambda o: S.MultiStepLR(o, milestones=[3, 10, 11, 30], gamma=0.5),
    "exponential": lambda o: S.ExponentialLR(o, gamma=0.9),
    "linear": lambda o: S.LinearLR(o, start_factor=0.25, end_factor=0.75, total_iters=12),
    "cosine": lambda o: S.CosineAnnealingLR(o, T_max=39, eta_min=0.003),
    "one cycle": lambda o: S.OneCycleLR(o, max_lr=0.7, total_steps=41),
    "one cycle linear": lambda o: S.OneCycleLR(
        o, max_lr=0.7, total_steps=41, pct_start=0.2, anneal_strategy="linear", div_factor=10, final_div_factor=50
    ),
    "one cycle three phases": lambda o: S.OneCycleLR(o, max_lr=0.7, total_steps=41, three_phase=True, pct_start=0.4),
    "warm-up": lambda o: S.SequentialLR(
        o,
        [S.LinearLR(o, start_factor=0.2, total_iters=5), S.CosineAnnealingLR(o, T_max=35)],
        milestones=[5],
    ),
    "sequence": lambda o: S.SequentialLR(
        o,
        [S.ConstantLR(o, factor=0.1, total_iters=100), S.ExponentialLR(o, gamma=0.8), S.StepLR(o, step_size=2)],
        milestones=[6, 20],
    ),
    "product": lambda o: S.ChainedScheduler(
        [S.ExponentialLR(o, gamma=0.95), S.MultiStepLR(o, milestones=[10, 20], gamma=0.1)]
    ),
    # Vaswani et al., "Attention is all you need", 2017, equation 3, for d_model = 64 and 12 steps of warm-up.
    "inverse sqrt": lambda o: S.LambdaLR(
        o, lambda t: 10 * 64**-0.5 * min((t + 1) ** -0.5, (t + 1) * 12**-1.5)
    ),
}

LOSSES = [
    *[1 - 0.05 * t for t in range(6)],
    *[0.75] * 8,
    0.74999,
    0.7,
    *[0.71, 0.72, float("nan"), 0.73],
    *[0.69, 0.7, 0.71] * 5,
    *[0.9] * 12,
    0.1,
    *[0.5] * 9,
]
PLATEAUS = {
    "plateau": dict(patience=3),
    "plateau max": dict(mode="max", patience=2, factor=0.5),
    "plateau absolute": dict(patience=2, threshold=0.02, threshold_mode="abs", factor=0.5),
    "plateau cooldown": dict(patience=1, cooldown=3, factor=0.5, min_lr=0.01),
    "plateau max absolute": dict(mode="max", patience=1, cooldown=1, threshold=0.1, threshold_mode="abs", factor=0.9),
}


def schedules():
    with open(HERE / "schedules.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["schedule", "rates"])
        for name, make in SCHEDULES.items():
            out.writerow([name, *map(repr, rates(make, 40))])
        out.writerow(["losses", *(repr(float(x)) for x in LOSSES)])
        for name, options in PLATEAUS.items():
            opt = O.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            plateau, seen = S.ReduceLROnPlateau(opt, **options), []
            for loss in LOSSES:
                plateau.step(loss)
                seen.append(opt.param_groups[0]["lr"])
            out.writerow([name, *map(repr, seen)])


if __name__ == "__main__":
    assert math.isclose(sum(rates(SCHEDULES["constant"], 3)), 0.3)
    optimizers()
    overflows()
    schedules()
