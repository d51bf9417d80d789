#!/usr/bin/env python3
"""The workloads of benches/workloads for PyTorch and JAX (f32, CPU), and some that are to come.

python_steps.py --peer torch|torch-compile|jax --threads 1|2 [--seconds S] [--only A,B] [--opt default|fused] [--serve]

One JSON object a line. Every step is timed alone and ends with the loss as a Python float; for JAX also with all
outputs ready (updated parameters or gradients).

With --serve the process reads lines "NAME [SECONDS]" from its input, measures that workload for so long and answers
with one line each; the end of its input ends it. A workload is built when its name is not that of the line before.
The first line it prints is {"ready": "torch 2.x"}. So several processes can take turns on one machine.
"""
import argparse, gzip, json, os, pathlib, sys, time

ap = argparse.ArgumentParser()
ap.add_argument("--peer", required=True, choices=["torch", "torch-compile", "jax"])
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seconds", type=float, default=1.0)
ap.add_argument("--only", default="")
ap.add_argument("--opt", default="default", choices=["default", "fused"], help="torch optimizers")
ap.add_argument("--tag", default="pip-wheel")
ap.add_argument("--serve", action="store_true", help="read workloads from standard input")
ARGS = ap.parse_args()

# Must run before numpy, torch or jax is imported (and before any thread pool exists).
for k in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(k, None)
for k in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[k] = str(ARGS.threads)
if ARGS.peer == "jax":
    os.environ["JAX_PLATFORMS"] = "cpu"
    # XLA sizes its pools by the affinity mask.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: ARGS.threads])
    if ARGS.threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false " + os.environ.get("XLA_FLAGS", "")

import numpy as np

T_IMPORT = time.perf_counter()
if ARGS.peer == "jax":
    import jax
    import jax.numpy as jnp
else:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
T_IMPORT = time.perf_counter() - T_IMPORT

ONLY = [s for s in ARGS.only.split(",") if s]


def status_mb(key):
    try:
        for l in open("/proc/self/status"):
            if l.startswith(key):
                return int(l.split()[1]) / 1024
    except OSError:
        pass
    return None


RSS_IMPORT = status_mb("VmRSS")
M64 = (1 << 64) - 1


class Rng:
    """The xorshift of benches/workloads (same data on every side)."""

    def __init__(self, seed):
        self.s = (seed * 0x9E3779B97F4A7C15 & M64) | 1

    def next(self):
        s = self.s
        s ^= s << 13 & M64
        s ^= s >> 7
        s ^= s << 17 & M64
        self.s = s
        return s

    def vec(self, shape, lo, hi):
        n = int(np.prod(shape))
        if n > 3_000_000:  # too slow in Python: numpy's generator, same distribution
            return np.random.default_rng(0).uniform(lo, hi, n).astype(np.float32).reshape(shape)
        nx = self.next
        u = np.fromiter((nx() >> 40 for _ in range(n)), np.float32, n)
        u /= np.float32(1 << 24)
        u *= np.float32(hi - lo)
        u += np.float32(lo)
        return u.reshape(shape)

    def below(self, n):
        return (self.next() >> 33) % n

    def labels(self, n, k):
        return np.fromiter((self.below(k) for _ in range(n)), np.int64, n)


def copy_task(t, b, k=10):
    r = Rng(7)
    x = np.zeros((t, b, k), np.float32)
    y = np.zeros((t, b), np.int64)
    lag = t // 2
    for i in range(t):
        for j in range(b):
            c = r.below(k)
            x[i, j, c] = 1
            if i + lag < t:
                y[i + lag, j] = c
    return x, y


MNIST = pathlib.Path(__file__).resolve().parents[2] / "data" / "mnist"


def digits_data():
    """The 8,000 digits to train on: rows of numbers in 0..=1, and labels."""

    def read(name, header):
        with gzip.open(MNIST / name) as f:
            return np.frombuffer(f.read(), np.uint8, offset=header)

    x = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32) / np.float32(255)
    y = read("train-labels-idx1-ubyte.gz", 8).astype(np.int64)
    assert x.shape == (8000, 784) and y.shape == (8000,), (x.shape, y.shape)
    return x, y


def timed(seconds, step, least=5, most=200_000):
    """The time of each step in microseconds, and the last loss."""
    pc = time.perf_counter
    xs, last = [], None
    t0 = pc()
    while len(xs) < least or (pc() - t0 < seconds and len(xs) < most):
        t = time.perf_counter_ns()
        last = step()
        xs.append((time.perf_counter_ns() - t) / 1000)
    return xs, last


def median(xs):
    xs = sorted(xs)
    n = len(xs)
    return xs[n // 2] if n % 2 else 0.5 * (xs[n // 2 - 1] + xs[n // 2])


class Ready:
    """A workload that is built and warm. `setup` gives a step, or several forms of it by name: the fastest is kept."""

    def __init__(self, name, setup, extra, seconds):
        self.name, self.extra = name, extra
        forms = setup()
        if not isinstance(forms, dict):
            forms = {"": forms}
        firsts, times = {}, {form: [] for form in forms}
        for form, step in forms.items():
            t0 = time.perf_counter()
            first = step()
            firsts[form] = first, time.perf_counter() - t0
            # Two more steps, so that nothing of the first call is left; one where it takes seconds.
            timed(0.3 * seconds / len(forms), step, 1 if firsts[form][1] > 2 else 2, 10_000)
        for _ in range(5 if len(forms) > 1 else 1):
            for form, step in forms.items():
                times[form] += timed(0.05 * seconds, step, 1)[0]
        mid = {form: median(xs) for form, xs in times.items()}
        self.form = min(mid, key=mid.get)
        self.step = forms[self.form]
        self.first, self.first_s = firsts[self.form]
        self.long = mid[self.form] > 50_000
        self.tried = {form: round(us, 3) for form, us in mid.items()} if len(forms) > 1 else None

    def turn(self, seconds, least):
        xs, last = timed(seconds, self.step, least)
        med = median(xs)
        ex = {"loss_first": self.first, "loss_last": last, **self.extra(med), "first_step_s": round(self.first_s, 4),
              "peak_rss_mb": status_mb("VmHWM"), "import_rss_mb": RSS_IMPORT, "import_s": round(T_IMPORT, 3),
              "build": ARGS.tag}
        if self.tried:
            ex.update(form=self.form, forms_us=self.tried)
        return {"median_us": round(med, 3), "min_us": round(min(xs), 3), "n": len(xs), "extra": ex}


WORKLOADS = {}  # name: peer, setup, extra, whether it is among those without --only


def run(peer, name, setup, extra=lambda us: {}, default=True):
    WORKLOADS[name] = peer, setup, extra, default


def failed(e):
    text = f"{type(e).__name__}: {e}"[:300]
    return {"median_us": None, "min_us": None, "n": 0, "extra": {"error": text, "build": ARGS.tag}}


def say(name, result):
    peer = WORKLOADS[name][0] if name in WORKLOADS else ARGS.peer
    print(json.dumps({"peer": peer, "workload": name, "threads": ARGS.threads, **result}), flush=True)


def serve():
    """Orders of one line, answers of one line."""
    lib = jax if ARGS.peer == "jax" else torch
    name_of = "jax" if ARGS.peer == "jax" else "torch"
    print(json.dumps({"ready": f"{name_of} {lib.__version__.split('+')[0]}"}), flush=True)
    ready = None
    for line in sys.stdin:
        words = line.split()
        if not words:
            continue
        name = words[0]
        try:
            seconds = float(words[1]) if len(words) > 1 else ARGS.seconds
            if name not in WORKLOADS:
                raise KeyError(f"unknown workload; known: {', '.join(WORKLOADS)}")
            if ready is None or ready.name != name:
                ready = None  # gives its memory back
                _, setup, extra, _ = WORKLOADS[name]
                ready = Ready(name, setup, extra, max(seconds, 0.3))
            elif not ready.long:
                ready.step()  # whoever had the turn before has the caches
            say(name, ready.turn(seconds, 1))
        except Exception as e:
            ready = None
            say(name, failed(e))


def once():
    """The chosen workloads one after another."""
    unknown = [n for n in ONLY if n not in WORKLOADS]
    if unknown:
        sys.exit(f"unknown workload: {', '.join(unknown)}; known: {', '.join(WORKLOADS)}")
    for name, (_, setup, extra, default) in WORKLOADS.items():
        if (name in ONLY) if ONLY else default:
            try:
                say(name, Ready(name, setup, extra, ARGS.seconds).turn(ARGS.seconds, 5))
            except Exception as e:
                say(name, failed(e))


NSOP = lambda us: {"ns_per_op": us}
GF = lambda n: lambda us: {"gflops": 6.0 * n**3 / us / 1e3}
DEEP = [784] + [256] * 8 + [10]


# --------------------------------------------------------------------------------------- torch
def bench_torch():
    torch.set_num_threads(ARGS.threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    comp = ARGS.peer == "torch-compile"
    peer = f"{ARGS.peer} {torch.__version__.split('+')[0]}" + (" fused-opt" if ARGS.opt == "fused" else "")
    C = torch.compile if comp else (lambda f: f)
    T = torch.from_numpy
    kw = {"fused": True} if ARGS.opt == "fused" else {}
    sgd = lambda lr, m=0.0: lambda p: torch.optim.SGD(p, lr=lr, momentum=m, **kw)
    adam = lambda p: torch.optim.Adam(p, lr=1e-3, **kw)

    def train(params, opt, loss_fn, clip=None):
        params = list(params)
        o = opt(params)
        loss_fn = C(loss_fn)

        def step():
            o.zero_grad()
            l = loss_fn()
            l.backward()
            if clip:
                nn.utils.clip_grad_norm_(params, clip)
            o.step()
            return l.item()

        return step

    def mlp(sizes, act, b, opt, clip=None):
        def setup():
            r = Rng(1)
            ls = []
            for i in range(len(sizes) - 1):
                ls.append(nn.Linear(sizes[i], sizes[i + 1]))
                if i < len(sizes) - 2:
                    ls.append(act())
            net = nn.Sequential(*ls)
            x, y = T(r.vec((b, 784), 0, 1)), T(r.labels(b, 10))
            return train(net.parameters(), opt, lambda: F.cross_entropy(net(x), y), clip)

        return setup

    def adam_only(sizes):
        def setup():
            net = nn.Sequential(*[nn.Linear(i, o) for i, o in zip(sizes, sizes[1:])])
            for p in net.parameters():
                p.grad = torch.empty_like(p).uniform_(-0.1, 0.1)
            o = adam(net.parameters())
            bias = net[-1].bias
            start = bias[0].item()

            def step():
                o.step()
                return abs(bias[0].item() - start)

            return step

        return setup

    def digits():
        x, y = map(T, digits_data())

        def step():
            net = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
            o = adam(net.parameters())
            for _ in range(8):
                order, total = torch.randperm(len(y)), 0.0
                for at in range(0, len(y), 128):
                    rows = order[at : at + 128]
                    o.zero_grad()
                    l = F.cross_entropy(net(x[rows]), y[rows])
                    l.backward()
                    o.step()
                    total += l.item() * len(rows)
            return total / len(y)

        return step

    def recurrent(kind, t, b, h):
        def setup():
            net, out = kind(10, h), nn.Linear(h, 10)
            x, y = copy_task(t, b)
            x, y = T(x), T(y.reshape(-1))
            f = lambda: F.cross_entropy(out(net(x)[0]).view(t * b, 10), y)
            return train([*net.parameters(), *out.parameters()], adam, f, 1.0)

        return setup

    def lstm_large():
        net = nn.LSTM(256, 512)
        x = T(Rng(5).vec((64, 64, 256), -1, 1))
        return train(net.parameters(), adam, lambda: net(x)[0].square().mean())

    def grads(fn, *leaves):
        leaves = [T(v).requires_grad_() for v in leaves]
        fn = C(fn)

        def step():
            l = fn(*leaves)
            torch.autograd.grad(l, leaves)
            return l.item()

        return step

    def dots(f, w, *leaves):
        """The dot product with w in both ways: which is faster depends on f and on the machine."""
        return {
            "(y * w).sum()": grads(lambda *x: (f(*x) * w).sum(), *leaves),
            "torch.dot": grads(lambda *x: torch.dot(f(*x).view(-1), w.view(-1)), *leaves),
        }

    def tiny():
        r = Rng(2)

        def f(x, a, b):
            y = x
            for i in range(1000):
                y = y * a if i % 3 == 0 else y + b if i % 3 == 1 else torch.tanh(y)
            return y.sum()

        return grads(f, r.vec((16,), -1, 1), r.vec((16,), 0.9, 1.1), r.vec((16,), -0.1, 0.1))

    def matmul(n):
        def setup():
            r = Rng(2)
            w = T(Rng(3).vec((n, n), -1, 1))
            return dots(lambda a, b: a @ b, w, r.vec((n, n), -1, 1), r.vec((n, n), -1, 1))

        return setup

    unary = lambda f: lambda: dots(f, T(Rng(3).vec((1_000_000,), -1, 1)), Rng(2).vec((1_000_000,), -2, 2))

    def softmax_ce():
        r = Rng(2)
        x = r.vec((1024, 10_000), -2, 2)
        y = T(r.labels(1024, 10_000))
        return grads(lambda x: F.cross_entropy(x, y), x)

    def layernorm():
        r = Rng(2)
        x, w, b = r.vec((4096, 512), -2, 2), r.vec((512,), 0.9, 1.1), r.vec((512,), -0.1, 0.1)
        return grads(lambda x, w, b: F.layer_norm(x, (512,), w, b, 1e-5).square().sum(), x, w, b)

    def conv():
        r = Rng(2)
        net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1),
                            nn.ReLU(), nn.Flatten(), nn.Linear(32 * 14 * 14, 10))
        x, y = T(r.vec((32, 1, 28, 28), 0, 1)), T(r.labels(32, 10))
        return train(net.parameters(), sgd(0.05), lambda: F.cross_entropy(net(x), y))

    def attention(sdpa):
        def setup():
            r = Rng(2)
            qkv = [r.vec((8, 4, 128, 64), -1, 1) for _ in range(3)]
            mask = torch.full((128, 128), float("-inf")).triu(1)
            if sdpa:
                f = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True).square().mean()
            else:
                f = lambda q, k, v: (torch.softmax(q @ k.transpose(-1, -2) * 0.125 + mask, -1) @ v).square().mean()
            return grads(f, *qkv)

        return setup

    run(peer, "mlp_small", mlp([784, 128, 128, 10], nn.Sigmoid, 64, sgd(0.1)))
    run(peer, "mlp_deep", mlp(DEEP, nn.ReLU, 128, sgd(0.01, 0.9), 1.0))
    run(peer, "mlp_large", mlp([784, 2048, 2048, 10], nn.ReLU, 512, adam))
    run(peer, "adam_5m", adam_only([784, 2048, 2048, 10]))
    run(peer, "digits", digits, default=not comp)
    run(peer, "rnn_copy", recurrent(nn.RNN, 50, 32, 128), default=not comp)
    run(peer, "lstm_copy", recurrent(nn.LSTM, 120, 32, 128), default=not comp)
    run(peer, "lstm_tokens", recurrent(nn.LSTM, 120, 32, 128), default=False)  # has no tokens: as lstm_copy
    run(peer, "gru_copy", recurrent(nn.GRU, 120, 32, 128), default=not comp)
    run(peer, "lstm_large", lstm_large, default=not comp)
    run(peer, "tiny_chain", tiny, NSOP)
    run(peer, "matmul_1024", matmul(1024), GF(1024.0))
    run(peer, "matmul_64", matmul(64), GF(64.0))
    run(peer, "tanh_1m", unary(torch.tanh))
    run(peer, "sigmoid_1m", unary(torch.sigmoid))
    run(peer, "exp_1m", unary(torch.exp))
    run(peer, "gelu_1m", unary(lambda x: F.gelu(x, approximate="tanh")))
    run(peer, "gelu_erf_1m", unary(F.gelu))
    run(peer, "softmax_ce", softmax_ce)
    run(peer, "layernorm", layernorm)
    run(peer, "conv2d", conv)
    run(peer, "attention", attention(False))
    run(peer, "attention_sdpa", attention(True))


# ----------------------------------------------------------------------------------------- jax
def bench_jax():
    peer = f"jax {jax.__version__}"
    tm = jax.tree_util.tree_map
    nrng = np.random.default_rng(0)

    def lin(i, o, fan=None):
        k = (fan or i) ** -0.5
        return nrng.uniform(-k, k, (i, o)).astype(np.float32), nrng.uniform(-k, k, (o,)).astype(np.float32)

    def xent(logits, y):
        lse = jax.nn.logsumexp(logits, axis=-1)
        return jnp.mean(lse - jnp.take_along_axis(logits, y[:, None], axis=-1)[:, 0])

    def sgd(lr, m=0.0):
        if not m:
            return lambda p: (), lambda p, g, s: (tm(lambda p, g: p - lr * g, p, g), s)

        def upd(p, g, s):
            s = tm(lambda v, g: m * v + g, s, g)
            return tm(lambda p, v: p - lr * v, p, s), s

        return lambda p: tm(jnp.zeros_like, p), upd

    def adam(lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
        def init(p):
            return tm(jnp.zeros_like, p), tm(jnp.zeros_like, p), jnp.zeros((), jnp.float32)

        def upd(p, g, s):
            m, v, t = s
            t = t + 1
            m = tm(lambda m, g: b1 * m + (1 - b1) * g, m, g)
            v = tm(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
            c1, c2 = 1 - b1**t, 1 - b2**t
            return tm(lambda p, m, v: p - lr * (m / c1) / (jnp.sqrt(v / c2) + eps), p, m, v), (m, v, t)

        return init, upd

    def train(params, opt, loss_fn, data, clip=None):
        params = tm(jnp.asarray, params)
        init, upd = opt
        st = [params, init(params)]

        def one(p, s, *data):
            l, g = jax.value_and_grad(loss_fn)(p, *data)
            if clip:
                n = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree_util.tree_leaves(g)))
                g = tm(lambda x: x * jnp.minimum(1.0, clip / (n + 1e-6)), g)
            p, s = upd(p, g, s)
            return p, s, l

        f = jax.jit(one, donate_argnums=(0, 1))
        data = [jnp.asarray(d) for d in data]

        def step():
            st[0], st[1], l = f(st[0], st[1], *data)
            jax.block_until_ready(st)
            return float(l)

        return step

    def grads(fn, leaves, *data):
        leaves = tuple(jnp.asarray(v) for v in leaves)
        data = [jnp.asarray(d) for d in data]
        f = jax.jit(jax.value_and_grad(lambda ls, *d: fn(*ls, *d)))

        def step():
            l, g = f(leaves, *data)
            jax.block_until_ready(g)
            return float(l)

        return step

    def mlp(sizes, act, b, opt, clip=None):
        def setup():
            r = Rng(1)
            params = [lin(i, o) for i, o in zip(sizes, sizes[1:])]

            def loss(ps, x, y):
                for i, (w, c) in enumerate(ps):
                    x = x @ w + c
                    if i + 1 < len(ps):
                        x = act(x)
                return xent(x, y)

            return train(params, opt, loss, (r.vec((b, 784), 0, 1), r.labels(b, 10).astype(np.int32)), clip)

        return setup

    def adam_only(sizes):
        def setup():
            params = tm(jnp.asarray, [lin(i, o) for i, o in zip(sizes, sizes[1:])])
            g = tm(lambda p: jnp.asarray(nrng.uniform(-0.1, 0.1, p.shape).astype(np.float32)), params)
            init, upd = adam()
            st = [params, init(params)]
            f = jax.jit(lambda p, s, g: upd(p, g, s), donate_argnums=(0, 1))
            start = float(params[-1][1][0])

            def step():
                st[0], st[1] = f(st[0], st[1], g)
                jax.block_until_ready(st)
                return abs(float(st[0][-1][1][0]) - start)

            return step

        return setup

    def digits():
        x, y = digits_data()
        x, y = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
        init, upd = adam()

        def loss(ps, x, y):
            for i, (w, c) in enumerate(ps):
                x = x @ w + c
                if i + 1 < len(ps):
                    x = jax.nn.relu(x)
            return xent(x, y)

        def one(p, s, x, y, rows):
            l, g = jax.value_and_grad(loss)(p, x[rows], y[rows])
            return *upd(p, g, s), l

        f = jax.jit(one, donate_argnums=(0, 1))

        def step():
            p = tm(jnp.asarray, [lin(i, o) for i, o in ((784, 128), (128, 128), (128, 10))])
            s = init(p)
            for _ in range(8):
                order, total = nrng.permutation(len(y)), 0.0
                for at in range(0, len(y), 128):
                    rows = order[at : at + 128]
                    p, s, l = f(p, s, x, y, rows)
                    total += float(l) * len(rows)
            jax.block_until_ready((p, s))
            return total / len(y)

        return step

    def lstm_scan(wx, wh, bias, x, unroll=1):
        h = wh.shape[0]
        z = x @ wx + bias  # [t, b, 4h] in one product

        def cell(c, z):
            s, c = c
            i, f, g, o = jnp.split(z + s @ wh, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            s = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (s, c), s

        s0 = jnp.zeros((x.shape[1], h), x.dtype)
        return jax.lax.scan(cell, (s0, s0), z, unroll=unroll)[1]

    def rnn_scan(wx, wh, bias, x, unroll=1):
        def cell(s, z):
            s = jnp.tanh(z + s @ wh)
            return s, s

        return jax.lax.scan(cell, jnp.zeros((x.shape[1], wh.shape[0]), x.dtype), x @ wx + bias, unroll=unroll)[1]

    def gru_scan(wx, wh, bias, x, unroll=1):
        bias, bn = bias  # the reset gate acts on the product with its bias
        h = wh.shape[0]
        z = x @ wx + bias

        def cell(s, z):
            v = s @ wh
            r, u = jnp.split(jax.nn.sigmoid(z[:, : 2 * h] + v[:, : 2 * h]), 2, axis=-1)
            n = jnp.tanh(z[:, 2 * h :] + r * (v[:, 2 * h :] + bn))
            s = n + u * (s - n)
            return s, s

        return jax.lax.scan(cell, jnp.zeros((x.shape[1], h), x.dtype), z, unroll=unroll)[1]

    def recurrent(scan, gates, t, b, h, unroll=1):
        def setup():
            (wx, bx), (wh, bh), out = lin(10, gates * h, h), lin(h, gates * h), lin(h, 10)
            if scan is gru_scan:
                bx = bx, bh[-h:]
            x, y = copy_task(t, b)

            def loss(p, x, y):
                wx, wh, bx, (wo, bo) = p
                hs = scan(wx, wh, bx, x, unroll)
                return xent(hs.reshape(t * b, h) @ wo + bo, y)

            return train((wx, wh, bx, out), adam(), loss, (x, y.reshape(-1).astype(np.int32)), 1.0)

        return setup

    def lstm_large(unroll=1):
        def setup():
            (wx, bx), (wh, _) = lin(256, 2048, 512), lin(512, 2048)
            x = Rng(5).vec((64, 64, 256), -1, 1)
            loss = lambda p, x: jnp.mean(jnp.square(lstm_scan(*p, x, unroll)))
            return train((wx, wh, bx), adam(), loss, (x,))

        return setup

    def dots(f, leaves, w):
        """The dot product with w in both ways."""
        return {
            "(y * w).sum()": grads(lambda *xw: (f(*xw[:-1]) * xw[-1]).sum(), leaves, w),
            "jnp.vdot": grads(lambda *xw: jnp.vdot(f(*xw[:-1]), xw[-1]), leaves, w),
        }

    def tiny():
        r = Rng(2)

        def f(x, a, b):
            y = x
            for i in range(1000):
                y = y * a if i % 3 == 0 else y + b if i % 3 == 1 else jnp.tanh(y)
            return y.sum()

        return grads(f, (r.vec((16,), -1, 1), r.vec((16,), 0.9, 1.1), r.vec((16,), -0.1, 0.1)))

    def matmul(n):
        def setup():
            r = Rng(2)
            ab = (r.vec((n, n), -1, 1), r.vec((n, n), -1, 1))
            return dots(lambda a, b: a @ b, ab, Rng(3).vec((n, n), -1, 1))

        return setup

    unary = lambda f: lambda: dots(f, (Rng(2).vec((1_000_000,), -2, 2),), Rng(3).vec((1_000_000,), -1, 1))

    def softmax_ce():
        r = Rng(2)
        return grads(xent, (r.vec((1024, 10_000), -2, 2),), r.labels(1024, 10_000).astype(np.int32))

    def layernorm():
        r = Rng(2)

        def f(x, w, b):
            d = x - x.mean(-1, keepdims=True)
            return jnp.square(d * jax.lax.rsqrt(jnp.square(d).mean(-1, keepdims=True) + 1e-5) * w + b).sum()

        return grads(f, (r.vec((4096, 512), -2, 2), r.vec((512,), 0.9, 1.1), r.vec((512,), -0.1, 0.1)))

    def conv(layout):
        def setup():
            r = Rng(2)
            u = lambda s, k: nrng.uniform(-k, k, s).astype(np.float32)
            p = (u((3, 3, 1, 16), 1 / 3), u((16,), 1 / 3), u((3, 3, 16, 32), 1 / 12), u((32,), 1 / 12), lin(6272, 10))
            x = r.vec((32, 1, 28, 28), 0, 1)
            if layout == "NHWC":
                x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))

            def c2(x, w, b, s):
                y = jax.lax.conv_general_dilated(x, w, (s, s), ((1, 1), (1, 1)), dimension_numbers=(layout, "HWIO", layout))
                return jax.nn.relu(y + (b if layout == "NHWC" else b[:, None, None]))

            def loss(p, x, y):
                w1, b1, w2, b2, (wd, bd) = p
                h = c2(c2(x, w1, b1, 1), w2, b2, 2)
                return xent(h.reshape(32, -1) @ wd + bd, y)

            return train(p, sgd(0.05), loss, (x, r.labels(32, 10).astype(np.int32)))

        return setup

    def attention():
        r = Rng(2)
        mask = np.triu(np.full((128, 128), -np.inf, np.float32), 1)
        f = lambda q, k, v, m: jnp.mean(jnp.square(jax.nn.softmax(q @ k.swapaxes(-1, -2) * 0.125 + m, axis=-1) @ v))
        return grads(f, tuple(r.vec((8, 4, 128, 64), -1, 1) for _ in range(3)), mask)

    run(peer, "mlp_small", mlp([784, 128, 128, 10], jax.nn.sigmoid, 64, sgd(0.1)))
    run(peer, "mlp_deep", mlp(DEEP, jax.nn.relu, 128, sgd(0.01, 0.9), 1.0))
    run(peer, "mlp_large", mlp([784, 2048, 2048, 10], jax.nn.relu, 512, adam()))
    run(peer, "adam_5m", adam_only([784, 2048, 2048, 10]))
    run(peer, "digits", digits)
    run(peer, "rnn_copy", recurrent(rnn_scan, 1, 50, 32, 128))
    run(peer, "lstm_copy", recurrent(lstm_scan, 4, 120, 32, 128))
    run(peer, "lstm_tokens", recurrent(lstm_scan, 4, 120, 32, 128), default=False)
    run(peer, "gru_copy", recurrent(gru_scan, 3, 120, 32, 128))
    run(peer, "lstm_large", lstm_large())
    run(peer, "rnn_copy_unroll10", recurrent(rnn_scan, 1, 50, 32, 128, 10), default=False)
    run(peer, "lstm_copy_unroll10", recurrent(lstm_scan, 4, 120, 32, 128, 10), default=False)
    run(peer, "tiny_chain", tiny, NSOP)
    run(peer, "matmul_1024", matmul(1024), GF(1024.0))
    run(peer, "matmul_64", matmul(64), GF(64.0))
    run(peer, "tanh_1m", unary(jnp.tanh))
    run(peer, "sigmoid_1m", unary(jax.nn.sigmoid))
    run(peer, "exp_1m", unary(jnp.exp))
    run(peer, "gelu_1m", unary(lambda x: jax.nn.gelu(x, approximate=True)))
    run(peer, "gelu_erf_1m", unary(lambda x: jax.nn.gelu(x, approximate=False)))
    run(peer, "softmax_ce", softmax_ce)
    run(peer, "layernorm", layernorm)
    run(peer, "conv2d", conv("NHWC"))
    run(peer, "conv2d_nchw", conv("NCHW"), default=False)
    run(peer, "attention", attention)


(bench_jax if ARGS.peer == "jax" else bench_torch)()
(serve if ARGS.serve else once)()
