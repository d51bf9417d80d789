use crate::{
    error::{Error, ErrorKind},
    tensor::{Labels, Shape, Tensor},
};
use std::io::{self, Read};

/// An array read from an IDX file, the format of MNIST and its kin.
///
/// A file is a magic number (two zero bytes, the element type, the number of axes), the sizes as big-endian u32, and the
/// elements. Reading never panics, and memory grows with the bytes that really come, not with what the header claims.
///
/// ```
/// use chainrule::data::Idx;
/// let file = [0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]; // u8, one axis, three labels
/// let labels = Idx::read(&file[..])?.labels(10)?;
/// assert_eq!(labels.ids(), [7, 2, 1]);
/// let e = Idx::read(&file[..10]).unwrap_err();
/// assert_eq!(e.to_string(), "IDX: the header promises 3 bytes of data for shape [3], but the file has 2");
/// # Ok::<(), chainrule::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    shape: Shape,
    element: Element,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Element {
    fn new(code: u8) -> Result<Self, Error> {
        Ok(match code {
            0x08 => Self::U8,
            0x09 => Self::I8,
            0x0B => Self::I16,
            0x0C => Self::I32,
            0x0D => Self::F32,
            0x0E => Self::F64,
            _ => return Err(bad(format!("unknown element type {code:#04x} (known: 08, 09, 0b, 0c, 0d, 0e)"))),
        })
    }

    fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

#[cold]
fn bad(message: String) -> Error {
    Error::new(ErrorKind::BadData, format!("IDX: {message}"))
}

impl Idx {
    /// Reads a whole file, already decompressed.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] if it is not IDX, is shorter or longer than its header says, has no axis, more than six, or
    /// sizes whose product overflows; [`ErrorKind::Io`] if reading fails.
    pub fn read(mut from: impl Read) -> Result<Self, Error> {
        let [zero, zero2, code, axes] = header(&mut from, "the magic number")?;
        if (zero, zero2) != (0, 0) {
            let magic = u32::from_be_bytes([zero, zero2, code, axes]);
            let hint = if (zero, zero2) == (0x1f, 0x8b) { " (this is gzip: decompress it first)" } else { "" };
            return Err(bad(format!("the magic number is {magic:#010x}, but the first two bytes must be 0{hint}")));
        }
        let element = Element::new(code)?;
        let axes = usize::from(axes);
        if axes == 0 || axes > Shape::MAX_RANK {
            return Err(bad(format!("{axes} axes, but 1 to {} are supported", Shape::MAX_RANK)));
        }
        let mut sizes = [0; Shape::MAX_RANK];
        for (axis, size) in sizes[..axes].iter_mut().enumerate() {
            *size = u32::from_be_bytes(header(&mut from, &format!("the size of axis {axis}"))?) as usize;
        }
        let shape = Shape::try_new(&sizes[..axes])?;
        let expected = shape.checked_size().ok().and_then(|n| n.checked_mul(element.size()));
        let expected = expected.ok_or_else(|| bad(format!("shape {shape} is larger than memory can be")))?;
        let bytes = exactly(from, expected, shape)?;
        Ok(Self { shape, element, bytes })
    }

    /// The sizes of its axes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Its numbers times `scale`: `1.0 / 255.0` takes bytes to 0..=1.
    pub fn tensor(&self, scale: f32) -> Tensor {
        let parts = self.bytes.chunks_exact(self.element.size());
        // `chunks_exact` gives each conversion exactly the bytes it takes.
        fn number<const N: usize>(b: &[u8]) -> [u8; N] {
            b.try_into().unwrap_or([0; N])
        }
        let data = match self.element {
            Element::U8 => self.bytes.iter().map(|&b| f32::from(b) * scale).collect(),
            Element::I8 => self.bytes.iter().map(|&b| f32::from(b as i8) * scale).collect(),
            Element::I16 => parts.map(|b| f32::from(i16::from_be_bytes(number(b))) * scale).collect(),
            Element::I32 => parts.map(|b| i32::from_be_bytes(number(b)) as f32 * scale).collect(),
            Element::F32 => parts.map(|b| f32::from_be_bytes(number(b)) * scale).collect(),
            Element::F64 => parts.map(|b| f64::from_be_bytes(number(b)) as f32 * scale).collect(),
        };
        Tensor::new(self.shape, data)
    }

    /// Its bytes as class numbers below `classes`.
    ///
    /// # Errors
    /// [`ErrorKind::BadData`] if the elements are not bytes along one axis, or one is not below `classes`.
    pub fn labels(&self, classes: usize) -> Result<Labels, Error> {
        if self.element != Element::U8 || self.shape.rank() != 1 {
            let element = self.element;
            return Err(bad(format!("labels must be bytes along one axis, not {element:?} of shape {}", self.shape)));
        }
        Labels::new(self.bytes.iter().map(|&b| usize::from(b)), classes)
    }
}

fn header(from: &mut impl Read, what: &str) -> Result<[u8; 4], Error> {
    let mut bytes = [0; 4];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(bad(format!("the file ends inside {what}"))),
        Err(e) => Err(Error::io(format!("IDX: reading {what}"), e)),
    }
}

/// `expected` bytes and then the end.
fn exactly(from: impl Read, expected: usize, shape: Shape) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![];
    // One byte more than expected is enough to see that there are more.
    let read = from.take(expected as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| Error::io("IDX: reading the data", e))?;
    let promise = format!("the header promises {expected} bytes of data for shape {shape}, but the file has");
    match bytes.len() {
        n if n == expected => Ok(bytes),
        n if n < expected => Err(bad(format!("{promise} {n}"))),
        _ => Err(bad(format!("{promise} more"))),
    }
}
