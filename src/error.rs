//! One small boxed error for everything that depends on data, files, numbers or configuration.
use std::{fmt, io};

/// What kind of thing went wrong; the message of the [`Error`] says what, where, and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A parameter on the recording that the module does not visit.
    NotVisited,
    /// A trained parameter without a gradient.
    NoGradient,
    /// A NaN or an infinity where a finite number is needed.
    NonFinite,
    /// Gradients or values that belong to another module, or a path that the module does not have.
    Mismatch,
    /// A derivative rule that gave too little, or a cotangent of another shape.
    BadRule,
    /// A derivative that differs from its finite difference.
    GradCheck,
    /// Shapes that do not fit, from a `try_` function.
    Shape,
    /// A recorded program asked for a point at which it takes another branch.
    Branch,
    /// Data, a file or an option that cannot be used.
    BadData,
    /// Reading or writing failed.
    Io,
    /// Raised by an observer.
    Observer,
}

/// The error of this crate: one word wide, with a message written for people.
///
/// ```
/// use chainrule::prelude::*;
/// let e = Tensor::try_new([2, 3], vec![0.0; 5]).unwrap_err();
/// assert_eq!(e.kind(), ErrorKind::Shape);
/// assert_eq!(e.to_string(), "Tensor::new: shape [2, 3] has 6 elements, but the data has 5");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

impl Error {
    /// An error of one's own, for instance in an [`Observer`](crate::core::Observer).
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// An error of reading or writing, with what was being read or written.
    #[cold]
    pub fn io(what: impl fmt::Display, source: io::Error) -> Self {
        Self(Box::new(Inner { kind: ErrorKind::Io, message: format!("{what}: {source}"), source: Some(source) }))
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The same error with `what: ` before its message.
    #[cold]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}
