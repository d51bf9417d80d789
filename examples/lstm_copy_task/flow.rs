//! How the gradient goes back through time when networks begin.
use crate::{
    common::{claims::Claims, plot, terminal::bold},
    net::{Make, Net, Work},
    options::{Cell, Start},
    task::{Copying, SAID},
};
use chainrule::{
    flow::{Figure, InTime, probe},
    op::recurrent,
    prelude::*,
};

/// What is compared, with a mark for each in the plot.
const COMPARED: [(char, Cell, Start); 7] = [
    ('t', Cell::Rnn, Start::Usual),
    ('x', Cell::Rnn, Start::Scaled),
    ('o', Cell::Rnn, Start::Orthogonal),
    ('l', Cell::Orthogonal, Start::Orthogonal),
    ('0', Cell::Lstm, Start::Bias0),
    ('1', Cell::Lstm, Start::Usual),
    ('c', Cell::Lstm, Start::Chrono),
];

const BACK: [usize; 6] = [1, 10, 50, 100, 200, 500];

/// One sweep in f64, of the cross-entropy of the last symbol alone.
struct Probe {
    copying: Copying,
}

impl Work<f64> for Probe {
    type Out = InTime;
    fn with<K: recurrent::Recurrence>(self, net: Net<K, f64>) -> Result<InTime, Error> {
        let Copying { said, recall, .. } = self.copying;
        let batch = said.shape()[1];
        let last = recall.select(&((SAID - 1) * batch..SAID * batch).collect::<Vec<_>>());
        let time = probe(&net, |r| {
            let (_, state) = net.cell.run_tokens(r, &said, None);
            net.out.forward(state.output()).softmax_cross_entropy(&last)
        })?;
        Ok(time.get("cell.0").expect("one recurrent layer").clone())
    }
}

pub fn measure(make: Make, batch: usize, seed: u64) -> Result<InTime, Error> {
    let mut rng = Rng::seed(seed);
    let copying = Copying::draw(make.t, batch, &mut rng)?;
    make.make(&mut rng, Probe { copying })
}

/// The table, the plot, and what must be true of them.
pub fn show(t: usize, hidden: usize, batch: usize, seed: u64, own: bool) -> Result<Figure, Error> {
    let title = format!("{hidden} units, T = {t}, batch {batch}, seed {seed}");
    println!("{}\n", bold(&format!("(1) The gradient through time when a network begins  ({title}; f64)")));
    println!(
        "  ||dL/ds(t-k)|| / ||dL/ds(t)||, s the state (h; of an LSTM c), L the cross-entropy of the last symbol alone\n"
    );
    let make = |cell, start| Make { cell, start, hidden, t };
    let times = COMPARED.map(|(mark, cell, start)| (mark, make(cell, start)));
    let times = times.into_iter().map(|(mark, make)| Ok((mark, make, measure(make, batch, seed)?)));
    let times = times.collect::<Result<Vec<_>, Error>>()?;
    table(times.iter().map(|(mark, make, time)| (Some(*mark), *make, time)));
    let lines: Vec<_> = times.iter().map(|(mark, _, time)| (*mark, line(time))).collect();
    println!("  By k, in decades:\n");
    println!("{}", plot::text(&lines, (t + 2 * SAID - 1) as f64, -60.0, (-37.9, "the smallest normal number of f32")));

    let mut claims = Claims::default();
    let at = |mark: char, k: usize| {
        let found = times.iter().find(|(m, ..)| *m == mark).and_then(|(_, _, time)| time.ratio(k));
        found.unwrap_or(f64::NAN)
    };
    let whole = times.iter().all(|(_, _, time)| time.ended_at().is_none());
    claims.add("no norm is 0 or beyond f64", whole);
    let most = t + 2 * SAID - 1;
    claims.add("the linear orthogonal RNN keeps the norm to 9 digits", at('l', most).abs() < 1e-9);
    if !own {
        claims.add("the usual tanh RNN vanishes: x0.62 a step or less", at('t', most) < most as f64 * 0.62f64.log10());
        claims.add("the over-scaled one explodes", at('x', most) > 0.0);
        let order = at('t', most) < at('o', most) && at('0', most) < at('1', most) && at('1', most) < at('c', most);
        claims.add("orthogonal weights, forget bias 1 and chrono biases each leave more", order);
        claims.add("the chrono LSTM keeps more than a tenth over all steps", at('c', most) > -1.0);
    }
    claims.check()?;
    println!();
    Ok(figure(title, times.iter().map(|(_, make, time)| (make.name(), line(time)))))
}

/// Logarithms by the number of steps back.
pub fn line(time: &InTime) -> Vec<(f64, f64)> {
    (0..time.steps()).filter_map(|k| Some((k as f64, time.ratio(k)?))).collect()
}

/// A row for each network.
pub fn table<'a>(rows: impl Iterator<Item = (Option<char>, Make, &'a InTime)>) {
    let columns: String = BACK.map(|k| format!("{:>10}", format!("k = {k}"))).concat();
    println!("  {:30}{columns}  per step  1 % after", "");
    for (mark, make, time) in rows {
        let cells =
            BACK.map(|k| time.ratio(k).map_or(format!("{:>10}", "-"), |log| format!("{:>10.1e}", 10f64.powf(log))));
        let rho = time.rho().map_or("-".to_owned(), |rho| format!("x{rho:.3}"));
        let horizon = match time.horizon() {
            Some(h) if h < 1e5 => format!("{h:.0}"),
            Some(_) => "never".to_owned(),
            None => "-".to_owned(),
        };
        let mark = mark.map_or(String::new(), |mark| format!("{mark}  "));
        println!("  {:30}{}  {rho:>8}  {horizon:>9}", format!("{mark}{}", make.name()), cells.concat());
    }
    println!();
}

pub fn figure(subtitle: String, lines: impl Iterator<Item = (String, Vec<(f64, f64)>)>) -> Figure {
    let empty = Figure::new("What is left of the gradient k steps back").subtitle(subtitle);
    let empty = empty.x_axis("k").y_axis("||dL/ds(t-k)|| / ||dL/ds(t)||").log_y();
    lines.fold(empty, |figure, (name, points)| {
        figure.line(name, points.into_iter().map(|(k, log)| (k, 10f64.powf(log))))
    })
}
