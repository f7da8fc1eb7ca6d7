//! numpy's `.npy` files, versions 1 to 3 (numpy.lib.format).

use super::{Array, ArrayError, Element};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The header of an array with 64 sizes is shorter.
const LONGEST_HEADER: usize = 1 << 16;

/// Reads an array in either byte order and either order of indices.
///
/// # Errors
/// When the bytes are no such file, or hold anything but numbers.
pub fn read(bytes: &[u8]) -> Result<Array, ArrayError> {
    let wrong = |what: &str| ArrayError::Npy(what.to_owned());
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| wrong("it does not begin as one"))?;
    let (version, rest) = rest
        .split_at_checked(2)
        .ok_or_else(|| wrong("it is cut off"))?;
    let width = match version[0] {
        1 => 2,
        2 | 3 => 4,
        other => return Err(wrong(&format!("its version is {other}"))),
    };
    let (length, rest) = rest
        .split_at_checked(width)
        .ok_or_else(|| wrong("it is cut off"))?;
    let length = length
        .iter()
        .rev()
        .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    if length > LONGEST_HEADER {
        return Err(wrong("its header is too long"));
    }
    let (header, data) = rest
        .split_at_checked(length)
        .ok_or_else(|| wrong("it is cut off"))?;
    let header = std::str::from_utf8(header).map_err(|_| wrong("its header is no text"))?;
    let header = Header::read(header).ok_or_else(|| wrong("its header cannot be read"))?;
    header.array(data)
}

/// An array's file, version 1.
#[must_use]
pub fn write(array: &Array) -> Vec<u8> {
    let order = if array.element.size() == 1 { '|' } else { '<' };
    let sizes: String = array.shape.iter().map(|size| format!("{size}, ")).collect();
    let code = array.element.code();
    let mut header = format!(
        "{{'descr': '{order}{code}', 'fortran_order': False, 'shape': ({}), }}",
        sizes.trim_end()
    );
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.extend(std::iter::repeat_n(' ', padding % 64));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(&array.bytes);
    bytes
}

/// What a file says of its array.
struct Header {
    element: Element,
    big_endian: bool,
    columns_first: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, which
    /// is all that numpy writes for plain numbers.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        let after = |key: &str| {
            let at = text.find(&format!("'{key}'"))?;
            text[at + key.len() + 2..].trim_start().strip_prefix(':')
        };
        let descr = after("descr")?.trim_start().strip_prefix('\'')?;
        let (descr, _) = descr.split_once('\'')?;
        let (order, code) = descr.split_at_checked(1)?;
        let element = Element::ALL.iter().find(|one| one.code() == code)?;
        let columns_first = after("fortran_order")?.trim_start().starts_with("True");
        let shape = after("shape")?.trim_start().strip_prefix('(')?;
        let (shape, _) = shape.split_once(')')?;
        let sizes = shape
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty());
        Some(Self {
            element: *element,
            big_endian: order == ">",
            columns_first,
            shape: sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?,
        })
    }

    fn array(self, data: &[u8]) -> Result<Array, ArrayError> {
        let size = self.element.size();
        let mut bytes = data.to_vec();
        if self.big_endian {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        if !self.columns_first {
            return Array::new(self.element, self.shape, bytes);
        }
        let turned: Vec<usize> = self.shape.iter().rev().copied().collect();
        let array = Array::new(self.element, turned, bytes)?;
        Ok(transposed(&array))
    }
}

/// The array with its indices in the opposite order.
fn transposed(array: &Array) -> Array {
    let shape: Vec<usize> = array.shape.iter().rev().copied().collect();
    let size = array.element.size();
    let mut bytes = vec![0; array.bytes.len()];
    let mut index = vec![0; shape.len()];
    // `index` counts through the old order, whose last index is the new first.
    for element in array.bytes.chunks_exact(size) {
        let at = shape
            .iter()
            .zip(index.iter().rev())
            .fold(0, |at, (dim, i)| at * dim + i);
        bytes[at * size..][..size].copy_from_slice(element);
        for (i, dim) in index.iter_mut().zip(&array.shape).rev() {
            *i += 1;
            if *i < *dim {
                break;
            }
            *i = 0;
        }
    }
    Array {
        element: array.element,
        shape,
        bytes,
    }
}
