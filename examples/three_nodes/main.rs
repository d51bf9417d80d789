//! The chain rule on the smallest deep network: layers of one node, whose gradient is a product of factors f'(z) w.
//! By hand, by the tape of tensors and by the tape of numbers.
mod chain;
#[path = "../common/mod.rs"]
mod common;
mod plot;

use chain::{ALL, Activation, Chain, Compared, Node};
use chainrule::prelude::*;
use clap::Parser;
use common::{
    claims::{Claims, larger},
    cli::{any_number, end, finite, read},
    picture::Picture,
    terminal::bold,
};
use std::path::PathBuf;

/// Differentiates a chain of layers of one node each by hand and by the tapes of tensors and of numbers.
///
/// With h_0 = x, z_k = w h_(k-1) + b, h_k = f(z_k) and y the last h, the gradient at layer k is a product with a factor
/// f'(z) w for every layer above it. Small factors make it vanish with depth, large ones make it explode.
#[derive(Parser, Debug)]
#[command(name = "three_nodes", max_term_width = 100)]
struct Options {
    /// How many layers
    #[arg(long, default_value_t = 3, value_parser = layers)]
    depth: usize,
    /// The weight w of every layer
    #[arg(long, default_value_t = 1.0, value_parser = finite, allow_hyphen_values = true)]
    weight: f64,
    /// The bias b of every layer
    #[arg(long, default_value_t = 0.0, value_parser = finite, allow_hyphen_values = true)]
    bias: f64,
    /// The input x
    #[arg(long, default_value_t = 1.0, value_parser = finite, allow_hyphen_values = true)]
    input: f64,
    /// Draws the activations and their derivatives
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn layers(text: &str) -> Result<usize, String> {
    match any_number(text)? {
        n @ 1..=10_000 => Ok(n),
        _ => Err("must be 1 to 10000".to_owned()),
    }
}

/// The relative difference that the two gradients may have: they agree to 10 digits.
const AGREE: f64 = 1e-10;

fn main() {
    end(run(&read::<Options>().0));
}

fn run(options: &Options) -> Result<(), Error> {
    let picture = options.svg.as_deref().map(Picture::open).transpose()?;
    println!("{}\n", bold("(a) Activations (*) and their derivatives (o)"));
    for f in ALL {
        println!("     {}, f' at most {}\n{}", f.name(), f.steepest(), plot::text(f));
    }
    if let Some(picture) = picture {
        picture.write(&plot::figure())?;
    }

    let Options { depth, weight: w, bias: b, input: x, .. } = *options;
    let layers = if depth == 1 { "layer" } else { "layers" };
    println!(
        "{}",
        bold(&format!("(b) {depth} {layers} of one node: h_0 = x, z_k = w h_(k-1) + b, h_k = f(z_k), y = h_{depth}"))
    );
    println!("    x = {x}, w = {w}, b = {b}\n");
    println!(
        "    dy/dw_k = f'(z_k) h_(k-1), times f'(z_j) w for every layer j above k; dy/dx is the product of all f'(z) w\n"
    );
    for f in ALL {
        let chain = Chain::new(f, depth, x, w, b)?;
        table(f, &chain);
        check(f, &chain, w)?;
    }
    Ok(())
}

fn table(f: Activation, chain: &Chain) {
    let n = chain.nodes.len();
    println!("{}", bold(f.name()));
    println!(
        "  layer          z       f(z)      f'(z)    f'(z) w  {:>18}  {:>17}  {:>17}",
        "dy/dw as a product", "tape of tensors", "scalar::grad"
    );
    for (k, Node { z, h, slope, factor, gradient }) in chain.nodes.iter().enumerate().rev() {
        if n > 12 && (4..n - 4).contains(&k) {
            if k == 4 {
                println!("    ...");
            }
            continue;
        }
        let gradients = written(gradient);
        println!("  {:>5} {z:>10.3e} {h:>10.3e} {slope:>10.3e} {factor:>10.3e}  {gradients}", k + 1);
    }
    println!("  {:<49}  {}", "dy/dx", written(&chain.input));
}

/// All three with the digits to which they agree; a product that f64 cannot hold by its decimal logarithm.
fn written(c: &Compared) -> String {
    let product = if c.beyond { format!("size 10^{:.1}", c.log) } else { format!("{:.9e}", c.product) };
    format!("{product:>18}  {:>17.9e}  {:>17.9e}", c.tape, c.scalar)
}

/// What the program says must be true, or it fails.
fn check(f: Activation, chain: &Chain, w: f64) -> Result<(), Error> {
    let n = chain.nodes.len();
    let differences: Vec<f64> = chain.compared().filter_map(Compared::difference).collect();
    let worst = differences.iter().copied().fold(0.0, f64::max);
    // NaN is not at most anything.
    let agree = differences.iter().all(|d| *d <= AGREE);
    let beyond = n + 1 - differences.len();
    let left = if beyond == 0 { String::new() } else { format!("; {beyond} beyond the digits of f64, not compared") };
    let mut claims = Claims::default();
    let compared = format!("{} of {} gradients (worst difference {worst:.0e})", differences.len(), n + 1);
    claims.add(format!("product and tape agree to 10 digits in {compared}{left}"), agree);
    let apart = chain.compared().filter_map(Compared::between_tapes).fold(0.0, larger);
    // Each layer is a few products, rounded in another order.
    let most = 4.0 * (n + 1) as f64 * f64::EPSILON;
    claims.add(format!("the tapes of tensors and of numbers differ by roundings (at most {apart:.0e})"), apart <= most);
    let local = |node: &Node| {
        let by_hand = f.value(node.z);
        node.h == by_hand || (node.h - by_hand).abs() <= (1e-12 * by_hand.abs()).max(f64::MIN_POSITIVE)
    };
    claims.add("f(z) is that of the closed form to 12 digits in every layer", chain.nodes.iter().all(local));
    let (log, most) = (chain.input.log, n as f64 * (w.abs().log10() + f.steepest().log10()));
    let bound = if f == Activation::Sigmoid { "(|w|/4)" } else { "|w|" };
    // The logarithms round, too.
    let within = log <= most + 1e-9 * most.abs().max(1.0) || log == f64::NEG_INFINITY;
    claims.add(format!("|dy/dx| = {} is at most {bound}^{n} = {}", power(log), power(most)), within);
    claims.check().map_err(|e| e.context(f.name()))?;
    println!();
    Ok(())
}

/// A number of that decimal logarithm.
fn power(log: f64) -> String {
    if log == f64::NEG_INFINITY || log.abs() < 290.0 {
        format!("{:.3e}", 10f64.powf(log))
    } else {
        format!("10^{log:.1}")
    }
}
