//! The colours of cells, and the bar that explains them.
use super::{
    Figure,
    axis::Axis,
    page::{BAR, LEADER, Page, Px, most_y},
    style::LEVELS,
};
use std::fmt::{self, Write};

/// Which colour a number has: one of the ramp, that of zero, or that of what is not finite.
pub(super) fn level(heat: &Axis, value: f64) -> usize {
    if value == 0.0 {
        LEVELS
    } else if value.is_finite() && value > 0.0 {
        (heat.place(value) * LEVELS as f64).clamp(0.0, LEVELS as f64 - 1.0) as usize
    } else {
        LEVELS + 1
    }
}

impl Figure {
    /// The colour bar, with its decades.
    pub(super) fn draw_color_bar(&self, page: &Page, to: &mut String) -> fmt::Result {
        let Some(heat) = &page.heat else { return Ok(()) };
        let (x, height) = (page.right + LEADER, page.bottom - page.top);
        let step = height / LEVELS as f64;
        for k in 0..LEVELS {
            let (x, y, h) = (Px(x), Px(page.bottom - (k + 1) as f64 * step), Px(step));
            writeln!(to, "<rect class=\"cell k{k}\" x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{h}\"/>", Px(BAR))?;
        }
        for tick in heat.ticks(most_y(height)) {
            let y = page.bottom - tick.at * height;
            let (x, y) = (Px(x + BAR + 6.0), Px(y + 4.0));
            writeln!(to, "<text class=\"dim\" x=\"{x}\" y=\"{y}\">{tick}</text>")?;
        }
        Ok(())
    }
}
