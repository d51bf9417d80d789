"""Recurrent networks as PyTorch computes them in float64, for tests/pytorch_recurrent.rs.

Run, with PyTorch 2 installed:  python tests/pytorch/recurrent.py > tests/pytorch/recurrent.csv

The file holds results alone: weights, inputs, first states and upstream cotangents are numbers of a small generator that the test
has, too, drawn in the order written here.
"""
import torch

torch.set_default_dtype(torch.float64)
BATCH, INPUTS, HIDDEN = 3, 4, 6


class Numbers:
    """Exact in float64, so that both sides draw the same."""

    def __init__(self, seed):
        self.state = seed

    def draw(self, shape, scale):
        data = []
        for _ in range(torch.Size(shape).numel()):
            self.state = (self.state * 1103515245 + 12345) % 2**31
            data.append((self.state / 2**30 - 1) * scale)
        return torch.tensor(data).reshape(shape)


CELLS = {"tanh": (torch.nn.RNN, "tanh"), "relu": (torch.nn.RNN, "relu"), "lstm": (torch.nn.LSTM, None), "gru": (torch.nn.GRU, None)}


def case(cell, layers, steps, bias, state, seed):
    make, nonlinearity = CELLS[cell]
    options = {"nonlinearity": nonlinearity} if nonlinearity else {}
    net = make(INPUTS, HIDDEN, layers, bias=bias, **options)
    numbers = Numbers(seed)
    for _, p in net.named_parameters():  # weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l1, ..
        p.data = numbers.draw(p.shape, 0.7)
    x = numbers.draw((steps, BATCH, INPUTS), 1.5).requires_grad_()
    first = {k: numbers.draw((layers, BATCH, HIDDEN), 1.0).requires_grad_() for k in (["h", "c"] if cell == "lstm" else ["h"])}
    given = (tuple(first.values()) if cell == "lstm" else first["h"]) if state else None
    y, last = net(x, given)
    results = {"y": y, **dict(zip(first, last if cell == "lstm" else [last]))}
    loss = sum((v * numbers.draw(v.shape, 1.0)).sum() for v in results.values())
    loss.backward()
    results["x_bar"] = x.grad
    if state:
        results |= {f"{k}0_bar": v.grad for k, v in first.items()}
    results |= {k: p.grad for k, p in net.named_parameters()}
    for name, t in results.items():
        print(cell, layers, steps, int(bias), int(state), seed, name, *(repr(v.item()) for v in t.flatten()), sep=",")


print("cell,layers,steps,bias,state,seed,name,numbers")
for k, cell in enumerate(CELLS):
    case(cell, 1, 5, True, True, 10 + k)
    case(cell, 2, 7, True, True, 20 + k)
    case(cell, 2, 6, False, False, 30 + k)
