//! Tensors as compiled models take and give them.

use super::DlrError;

/// An input or output, without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its values, as numpy writes it: `float32`, `int64`, `bool`.
    pub kind: String,
    /// Its shape; -1 where a size is not known before the model has run.
    pub shape: Vec<i64>,
}

/// An input or output with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// What it is.
    pub info: TensorInfo,
    /// The values in little endian, the last dimension side by side.
    pub bytes: Vec<u8>,
}

impl TensorInfo {
    /// How many values there are; nothing where a size is not known.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |count, &size| {
            count.checked_mul(usize::try_from(size).ok()?)
        })
    }

    /// Bytes of one value: a type's name ends in its bits.
    #[must_use]
    pub fn width(&self) -> usize {
        let digits = self
            .kind
            .trim_start_matches(|letter: char| !letter.is_ascii_digit());
        digits.parse().map_or(1, |bits: usize| (bits / 8).max(1))
    }
}

impl Tensor {
    /// A tensor of 32-bit floats.
    #[must_use]
    pub fn of_floats(name: &str, shape: &[i64], values: &[f32]) -> Self {
        Self {
            info: TensorInfo {
                name: name.to_owned(),
                kind: "float32".to_owned(),
                shape: shape.to_vec(),
            },
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    /// The values of a tensor of 32-bit floats; nothing for another type.
    #[must_use]
    pub fn floats(&self) -> Option<Vec<f32>> {
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        (self.info.kind == "float32").then(|| self.bytes.chunks_exact(4).map(value).collect())
    }

    /// Fails unless there are as many bytes as shape and type say.
    pub(super) fn check(&self) -> Result<(), DlrError> {
        let (found, count) = (self.bytes.len(), self.info.count());
        let wanted = count.and_then(|count| count.checked_mul(self.info.width()));
        if wanted == Some(found) {
            return Ok(());
        }
        Err(DlrError::Length {
            name: self.info.name.clone(),
            found,
            wanted: wanted.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_widths_and_shapes_have_counts() {
        let cases: [(&str, &[i64], usize, Option<usize>); 6] = [
            ("float32", &[2, 3], 4, Some(6)),
            ("int64", &[], 8, Some(1)),
            ("uint8", &[0, 5], 1, Some(0)),
            ("bool", &[7], 1, Some(7)),
            ("float16", &[-1, 2], 2, None),
            ("bfloat16", &[i64::MAX, 4], 2, None),
        ];
        for (kind, shape, width, count) in cases {
            let info = TensorInfo {
                name: String::new(),
                kind: kind.to_owned(),
                shape: shape.to_vec(),
            };
            assert_eq!((info.width(), info.count()), (width, count), "{kind}");
        }
    }

    #[test]
    fn a_tensor_of_another_length_is_refused() {
        let mut tensor = Tensor::of_floats("x", &[2], &[1.0, 2.0]);
        assert!(tensor.check().is_ok());
        assert_eq!(tensor.floats(), Some(vec![1.0, 2.0]));
        tensor.bytes.pop();
        let said = tensor.check().unwrap_err().to_string();
        let wanted = "The input \"x\" has 7 bytes, where its shape and type make 8.";
        assert_eq!(said, wanted);
    }
}
