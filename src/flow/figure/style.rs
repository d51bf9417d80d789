//! One rule of style for each kind of thing, in light and in dark.
use super::{
    Figure,
    palette::{DARK, LIGHT, Scheme, hex},
};

/// Colours of cells.
pub(super) const LEVELS: usize = 32;

const SHARED: &[(&str, &str)] = &[
    ("", "font:12px system-ui,sans-serif"),
    (" .title", "font-size:15px;font-weight:600"),
    (" .power", "font-size:9px"),
    (" .line", "fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round"),
    (" .dot", "stroke-width:4"),
    (" .leader", "fill:none;stroke:currentColor;stroke-width:1;opacity:.7"),
];

const OF_MARKS: &[(&str, &str)] = &[
    (" .spot", "stroke-width:6"),
    (" .halo", "fill:none;stroke-width:4.5;stroke-linejoin:round"),
    (" .lane", "fill:currentColor"),
    (" .shade", "fill:currentColor;opacity:.1"),
    (" .rule", "fill:none;stroke-width:1.2;stroke-dasharray:6 4"),
    (" .unit", "fill:none;stroke-width:1.4"),
    (" .tick", "fill:none;stroke-width:2"),
    (" .bar", "fill:currentColor"),
    (" .faint", "opacity:.4"),
    (" .cell", "shape-rendering:crispEdges"),
    (" .ridge", "fill:currentColor;fill-opacity:.25;stroke:currentColor;stroke-width:1.2;stroke-linejoin:round"),
    (" .broken", "fill:none;stroke-width:2"),
    (" .rug", "fill:none;stroke-width:1.5"),
];

impl Figure {
    pub(super) fn style(&self, id: &str) -> String {
        let rule = |(of, what): &(&str, &str)| format!("#{id}{of}{{{what}}}");
        let marks = if self.marks.is_empty() && self.lanes.is_empty() { &[] } else { OF_MARKS };
        let shared: String = SHARED.iter().chain(marks).map(rule).collect();
        let (light, dark) = (self.colors_of(&LIGHT, id), self.colors_of(&DARK, id));
        format!("{shared}\n{light}\n@media (prefers-color-scheme:dark){{{dark}}}")
    }

    fn colors_of(&self, s: &Scheme, id: &str) -> String {
        let mut rules = format!(
            "#{id} .page{{fill:{}}}#{id} text{{fill:{}}}#{id} .dim{{fill:{}}}#{id} .grid{{stroke:{}}}",
            hex(s.page),
            hex(s.text),
            hex(s.dim),
            hex(s.grid)
        );
        let lines = self.lines.iter().map(|line| line.color);
        let n = lines.chain(self.marks.iter().filter_map(|m| m.color())).map(|c| c + 1).max().unwrap_or(0);
        for k in 0..n {
            rules += &format!("#{id} .c{k}{{color:{}}}", hex(s.line(k, n, self.ordered)));
        }
        for (k, tone) in s.tones.iter().enumerate().filter(|_| !self.lanes.is_empty()) {
            rules += &format!("#{id} .t{k}{{color:{}}}", hex(*tone));
        }
        if !self.marks.is_empty() {
            let (text, dim, page, bad) = (hex(s.text), hex(s.dim), hex(s.page), hex(s.tones[2]));
            rules += &format!(
                "#{id} .band{{fill:{}}}#{id} .rule{{stroke:{dim}}}#{id} .quiet{{color:{dim}}}#{id} .unit,#{id} .tick\
                 {{stroke:{text}}}#{id} .over{{color:{text}}}#{id} .halo{{stroke:{page}}}#{id} .broken{{stroke:{bad}}}\
                 #{id} .zeros{{fill:{dim}}}#{id} .rug{{stroke:{}}}",
                hex(s.grid),
                hex(s.tones[1])
            );
        }
        if self.cells().next().is_some() {
            let level = |k: usize| hex(s.shade(k as f64 / (LEVELS - 1) as f64));
            let ramp = (0..LEVELS).map(|k| format!("#{id} .k{k}{{fill:{}}}", level(k)));
            rules += &ramp.collect::<String>();
            let (zero, broken) = (hex(s.grid), hex(s.tones[2]));
            rules += &format!("#{id} .k{LEVELS}{{fill:{zero}}}#{id} .k{}{{fill:{broken}}}", LEVELS + 1);
        }
        rules
    }
}
