#!/bin/sh
# What a user waits for: the cold release build of a crate with one gradient (its downloads done), and how much slower a
# debug build trains than a release build when dependencies are optimised. Usage: benches/cold_build.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT
unset CARGO_TARGET_DIR
mkdir "$crate/src"
cp "$root/Cargo.lock" "$crate"
cat > "$crate/Cargo.toml" <<END
[package]
name = "hello-gradient"
edition = "2024"

[dependencies]
chainrule = { path = "$root" }

[profile.dev.package."*"]
opt-level = 3

[workspace]
END
cat > "$crate/src/main.rs" <<'END'
use chainrule::prelude::*;

fn main() -> Result<(), Error> {
    let mut tape = Tape::new();
    let x = tape.begin().variable(&Tensor::new([3], vec![0.5, -1.0, 2.0]));
    let g = (x.tanh() * x).sum().grads_of(&[x])?;
    println!("{:?}", g[0]);
    Ok(())
}
END
cd "$crate"
cargo fetch --quiet
now() { date +%s.%N; }
start=$(now)
cargo build --release --quiet
end=$(now)
./target/release/hello-gradient > /dev/null
awk "BEGIN { printf \"cold release build: %.1f s on $(nproc) processors\\n\", $end - $start }"
start=$(now)
cargo build --quiet
end=$(now)
awk "BEGIN { printf \"cold debug build, dependencies optimised: %.1f s\\n\", $end - $start }"

cat > src/main.rs <<'END'
use chainrule::prelude::*;
use std::time::Instant;

struct Mlp { hidden: Dense, out: Dense }
module!(Mlp { hidden, out });

impl Layer for Mlp {
    fn forward<T: TensorLike<Elem = f32>>(&self, x: &T) -> T {
        self.out.forward(&self.hidden.forward(x).relu())
    }
}

fn main() -> Result<(), Error> {
    let mut rng = Rng::seed(42);
    let mut net = Mlp { hidden: Dense::new(784, 128, &mut rng), out: Dense::new(128, 10, &mut rng) };
    let (mut opt, mut tape) = (Adam::new(1e-3), Tape::new());
    let x = Tensor::uniform([64, 784], 0.0, 1.0, &mut rng);
    let y = Labels::new((0..64).map(|i| i % 10), 10)?;
    let mut times = vec![];
    for _ in 0..2000 {
        let start = Instant::now();
        let loss = net.forward(&tape.begin().constant(&x)).softmax_cross_entropy(&y);
        let mut g = loss.backward(&net)?;
        g.clip_global_norm(1.0)?;
        opt.step(&mut net, &g)?;
        times.push(start.elapsed());
    }
    times.sort();
    println!("{:.1}", times[times.len() / 2].as_secs_f64() * 1e6);
    Ok(())
}
END
# In turns, and the medians of the ratios: other programs disturb both.
compare() {
    cargo build --release --quiet
    cargo build --quiet
    for _ in 1 2 3 4 5; do
        echo "$(./target/release/hello-gradient) $(./target/debug/hello-gradient)"
    done | awk '{ print $2 / $1, $1, $2 }' | sort -n |
        awk -v how="$1" 'NR == 3 { printf "784-128-10 at batch 64, %s: release %s us, debug %s us, ratio %.2f\n", how, $2, $3, $1 }'
}
export RAYON_NUM_THREADS=1
compare "opt-level = 3"
sed -i 's/^opt-level = 3$/&\ndebug-assertions = false/' Cargo.toml
compare "and debug-assertions = false"
