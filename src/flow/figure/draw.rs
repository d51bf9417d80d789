//! A picture as SVG.
use super::{
    Figure,
    page::{Page, Px, WIDTH},
    text::Escaped,
};
use std::fmt;

impl Figure {
    /// The picture.
    pub fn svg(&self) -> String {
        let page = Page::of(self);
        let mut body = String::new();
        self.draw(&page, &mut body).expect("writing into a string cannot fail");
        let height = page.bottom + if self.x.0.is_empty() { 30.0 } else { 48.0 };
        // Several pictures may stand in one page: each rule of style speaks of its own.
        let id = format!("figure-{:016x}", fnv(&[&self.title, &body]));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"{id}\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" \
             role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n<style>{style}</style>\n\
             <rect class=\"page\" width=\"{w}\" height=\"{h}\" rx=\"6\"/>\n{body}</svg>\n",
            w = Px(WIDTH),
            h = Px(height),
            title = Escaped(&self.title),
            style = self.style(&id),
        )
    }

    fn draw(&self, page: &Page, to: &mut String) -> fmt::Result {
        self.draw_frame(page, to)?;
        self.draw_marks(page, to)?;
        self.draw_lines(page, to)?;
        self.draw_color_bar(page, to)
    }
}

/// Fowler, Noll and Vo's hash, variant 1a, of 64 bits.
fn fnv(texts: &[&str]) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    texts.iter().flat_map(|t| t.bytes()).fold(0xcbf2_9ce4_8422_2325, step)
}
