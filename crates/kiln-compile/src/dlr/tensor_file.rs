//! The file of tensors that the runner reads and writes; native/runner.c says
//! how it is laid out.

use super::{DlrError, Tensor, TensorInfo};

/// More dimensions than this are no tensor's.
const RANK_LIMIT: u32 = 16;

/// The tensors as the bytes of a file.
pub(super) fn encode(tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Tensor {
        info,
        bytes: values,
    } in tensors
    {
        for text in [&info.name, &info.kind] {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend((info.shape.len() as u32).to_le_bytes());
        bytes.extend(info.shape.iter().flat_map(|size| size.to_le_bytes()));
        bytes.extend((values.len() as u64).to_le_bytes());
        bytes.extend(values);
    }
    bytes
}

/// The tensors of a file.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Vec<Tensor>, DlrError> {
    let mut tensors = Vec::new();
    while !bytes.is_empty() {
        tensors.push(tensor(&mut bytes)?);
    }
    Ok(tensors)
}

fn tensor(rest: &mut &[u8]) -> Result<Tensor, DlrError> {
    let (name, kind) = (text(rest)?, text(rest)?);
    let rank = number(rest)?;
    if rank > RANK_LIMIT {
        return Err(DlrError::Tensors("a tensor has too many dimensions"));
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(i64::from_le_bytes(*array(rest)?));
    }
    let length = u64::from_le_bytes(*array(rest)?);
    let length = usize::try_from(length).map_err(|_| TOO_SHORT)?;
    let bytes = take(rest, length)?.to_vec();
    let info = TensorInfo { name, kind, shape };
    Ok(Tensor { info, bytes })
}

const TOO_SHORT: DlrError = DlrError::Tensors("it ends too soon");

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], DlrError> {
    let (taken, left) = rest.split_at_checked(length).ok_or(TOO_SHORT)?;
    *rest = left;
    Ok(taken)
}

fn array<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], DlrError> {
    let (taken, left) = rest.split_first_chunk().ok_or(TOO_SHORT)?;
    *rest = left;
    Ok(taken)
}

fn number(rest: &mut &[u8]) -> Result<u32, DlrError> {
    Ok(u32::from_le_bytes(*array(rest)?))
}

fn text(rest: &mut &[u8]) -> Result<String, DlrError> {
    let length = number(rest)? as usize;
    let bytes = take(rest, length)?.to_vec();
    String::from_utf8(bytes).map_err(|_| DlrError::Tensors("a name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tensors() -> impl Strategy<Value = Vec<Tensor>> {
        let parts = (
            ".{0,8}",
            "[a-z]{0,6}[0-9]{0,2}",
            prop::collection::vec(any::<i64>(), 0..5),
            prop::collection::vec(any::<u8>(), 0..40),
        );
        let tensor = parts.prop_map(|(name, kind, shape, bytes)| {
            let info = TensorInfo { name, kind, shape };
            Tensor { info, bytes }
        });
        prop::collection::vec(tensor, 0..4)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(tensors in tensors()) {
            prop_assert_eq!(decode(&encode(&tensors)).unwrap(), tensors);
        }

        #[test]
        fn any_bytes_are_tensors_or_refused(bytes: Vec<u8>) {
            if let Ok(tensors) = decode(&bytes) {
                prop_assert_eq!(encode(&tensors), bytes);
            }
        }
    }
}
