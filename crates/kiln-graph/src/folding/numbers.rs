//! A constant's elements as numbers that can be computed with, and back. Every
//! whole number is held in 128 bits and every real one in 64, which is exact for
//! all that is narrower; a result is rounded to its type once.

use bytes::Bytes;
use half::{bf16, f16};

use crate::model::{Element, Tensor};

/// The bytes of one element, of types whose elements are whole bytes.
pub(crate) fn width(element: Element) -> Option<usize> {
    let bits = element.bits();
    (bits != 0 && bits.is_multiple_of(8)).then_some(bits / 8)
}

/// Whether the elements are whole numbers or truth values that fill their bytes.
pub(crate) fn is_whole(element: Element) -> bool {
    (element.is_integer() || element == Element::Bool) && width(element).is_some()
}

/// Whether the elements are real numbers that can be computed with here.
pub(crate) fn is_real(element: Element) -> bool {
    matches!(
        element,
        Element::F16 | Element::Bf16 | Element::F32 | Element::F64
    )
}

/// A tensor of whole numbers, each brought into the type's range as casting does.
pub(crate) fn from_whole(element: Element, dims: &[usize], all: &[i128]) -> Option<Tensor> {
    if is_real(element) {
        // Every whole number here has 64 bits at most.
        let all: Vec<f64> = all.iter().map(|&one| one as f64).collect();
        return from_real(element, dims, &all);
    }
    if !is_whole(element) {
        return None;
    }
    let width = width(element)?;
    let mut bytes = Vec::with_capacity(all.len().checked_mul(width)?);
    for &one in all {
        match element {
            Element::Bool => bytes.push(u8::from(one != 0)),
            _ => bytes.extend_from_slice(&one.to_le_bytes()[..width]),
        }
    }
    Tensor::new(element, dims.to_vec(), bytes.into()).ok()
}

/// A tensor of real numbers, each rounded to the type; whole types cut off what
/// is behind the point.
pub(crate) fn from_real(element: Element, dims: &[usize], all: &[f64]) -> Option<Tensor> {
    let width = width(element)?;
    let mut bytes = Vec::with_capacity(all.len().checked_mul(width)?);
    for &one in all {
        match element {
            Element::F32 => bytes.extend_from_slice(&(one as f32).to_le_bytes()),
            Element::F64 => bytes.extend_from_slice(&one.to_le_bytes()),
            Element::F16 => bytes.extend_from_slice(&f16::from_f64(one).to_le_bytes()),
            Element::Bf16 => bytes.extend_from_slice(&bf16::from_f64(one).to_le_bytes()),
            Element::Bool => bytes.push(u8::from(one != 0.0)),
            _ if is_whole(element) => {
                bytes.extend_from_slice(&(one as i128).to_le_bytes()[..width]);
            }
            _ => return None,
        }
    }
    Tensor::new(element, dims.to_vec(), bytes.into()).ok()
}

/// The elements as whole numbers, of a type that has such.
pub(crate) fn to_whole(tensor: &Tensor) -> Option<Vec<i128>> {
    let element = tensor.element();
    if !is_whole(element) {
        return None;
    }
    let signed = element.is_signed_integer();
    let each = tensor.bytes()?.chunks_exact(width(element)?);
    Some(
        each.map(|bytes| {
            let negative = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
            let mut wide = if negative { [0xff; 16] } else { [0; 16] };
            wide[..bytes.len()].copy_from_slice(bytes);
            i128::from_le_bytes(wide)
        })
        .collect(),
    )
}

/// The elements as real numbers; whole numbers become such.
pub(crate) fn to_real(tensor: &Tensor) -> Option<Vec<f64>> {
    match tensor.element() {
        Element::F32 => Some(tensor.values::<f32>()?.into_iter().map(f64::from).collect()),
        Element::F64 => tensor.values(),
        Element::F16 => Some(
            tensor
                .values::<f16>()?
                .into_iter()
                .map(f16::to_f64)
                .collect(),
        ),
        Element::Bf16 => Some(
            tensor
                .values::<bf16>()?
                .into_iter()
                .map(bf16::to_f64)
                .collect(),
        ),
        _ => Some(
            to_whole(tensor)?
                .into_iter()
                .map(|one| one as f64)
                .collect(),
        ),
    }
}

/// The one element of a tensor that has no more, as a real number.
pub(crate) fn to_one(tensor: &Tensor) -> Option<f64> {
    if tensor.len() == 1 {
        to_real(tensor)?.first().copied()
    } else {
        None
    }
}

/// A tensor of one's elements at these places.
pub(crate) fn taken(from: &Tensor, dims: Vec<usize>, places: &[usize]) -> Option<Tensor> {
    woven(&[from], dims, places.iter().map(|&place| (0, place)))
}

/// A tensor of elements of several of the same type: each place is a tensor's
/// number and the element's place in it.
pub(crate) fn woven(
    all: &[&Tensor],
    dims: Vec<usize>,
    places: impl Iterator<Item = (usize, usize)>,
) -> Option<Tensor> {
    let element = all.first()?.element();
    let width = width(element)?;
    if all.iter().any(|one| one.element() != element) {
        return None;
    }
    let all: Vec<&Bytes> = all.iter().map(|one| one.bytes()).collect::<Option<_>>()?;
    let mut bytes = Vec::with_capacity(places.size_hint().0.checked_mul(width)?);
    for (which, place) in places {
        let start = place.checked_mul(width)?;
        bytes.extend_from_slice(all.get(which)?.get(start..start.checked_add(width)?)?);
    }
    Tensor::new(element, dims, bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn casting_wraps_and_rounds() {
        use Element as E;
        for (element, given, expected) in [
            (E::I8, 200, -56.0),
            (E::U8, -1, 255.0),
            (E::Bool, 7, 1.0),
            (E::F32, 16_777_217, 16_777_216.0),
            (E::F16, 2049, 2048.0),
            (E::Bf16, 257, 256.0),
            (E::I64, -5, -5.0),
        ] {
            let tensor = from_whole(element, &[], &[given]).unwrap();
            assert_eq!(to_one(&tensor), Some(expected), "{element:?}");
        }
        assert!(from_whole(E::I4, &[1], &[1]).is_none());
    }

    proptest! {
        #[test]
        fn numbers_come_back(all in proptest::collection::vec(any::<i64>(), 0..20)) {
            let wide: Vec<i128> = all.iter().copied().map(i128::from).collect();
            let tensor = from_whole(Element::I64, &[all.len()], &wide).unwrap();
            prop_assert_eq!(to_whole(&tensor).unwrap(), wide);
            prop_assert_eq!(tensor.integers().unwrap(), all);
        }
    }
}
