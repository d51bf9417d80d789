use std::fmt;

/// A dotted path such as `encoder.0.weight`, on the stack: walking a module allocates nothing.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
    /// The type of which it is a field, where `module!` knows it.
    owner: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    /// Where a walk begins.
    pub const ROOT: Path<'static> = Path { parent: None, step: Step::Name(""), owner: None };

    /// The path of a field.
    pub fn join(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name), owner: None }
    }

    /// The path of a field of a type, whose name may have generics.
    #[doc(hidden)]
    pub fn field(&'a self, owner: &'static str, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Name(name), owner: Some(owner) }
    }

    /// The path of an element.
    pub fn index(&'a self, i: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(i), owner: self.owner }
    }

    /// The name of the type that it is a field of (directly, or in a `Vec` or tuple); `None` where no `module!` says it.
    pub fn owner(&self) -> Option<&'static str> {
        let plain = self.owner?.split('<').next()?.trim();
        plain.rsplit("::").next()
    }

    /// Whether it reads as `text`; allocates nothing.
    pub fn is(&self, text: &str) -> bool {
        self.rest_of(text) == Some("")
    }

    /// What is left of `text` before this path.
    fn rest_of<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Some(parent) = self.parent else { return Some(text) };
        let rest = match self.step {
            Step::Name(name) => text.strip_suffix(name)?,
            Step::Index(mut i) => {
                let mut rest = text;
                loop {
                    rest = rest.strip_suffix((b'0' + (i % 10) as u8) as char)?;
                    i /= 10;
                    if i == 0 {
                        break rest;
                    }
                }
            }
        };
        if parent.parent.is_some() { parent.rest_of(rest.strip_suffix('.')?) } else { Some(rest) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent
            && parent.parent.is_some()
        {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::Name(name) => f.write_str(name),
            Step::Index(i) => write!(f, "{i}"),
        }
    }
}
