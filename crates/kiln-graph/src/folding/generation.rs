//! Constants that are made of a few numbers, and numbers as few bits and back.

use super::numbers::{from_real, from_whole, is_real, taken, to_one, to_real, to_whole};
use super::places::{coordinates, count, from_front};
use crate::model::{Element, Tensor};
use crate::shapes::Site;
use crate::shapes::dim::axis_within;

pub(super) fn filled(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let value = match site.node().tensor("value") {
        Some(value) if value.len() == 1 => value.reshaped(vec![]).ok()?,
        Some(_) => return None,
        None => from_whole(Element::F32, &[], &[0])?,
    };
    taken(&value, dims.to_vec(), &vec![0; count(dims)])
}

pub(super) fn range(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (start, step) = (site.constant(0)?, site.constant(2)?);
    let element = start.element();
    let [length] = dims else { return None };
    if is_real(element) {
        let (start, step) = (to_one(start)?, to_one(step)?);
        let all: Vec<f64> = (0..*length).map(|n| start + n as f64 * step).collect();
        return from_real(element, dims, &all);
    }
    let (start, step) = (*to_whole(start)?.first()?, *to_whole(step)?.first()?);
    let all: Vec<i128> = (0..*length).map(|n| start + n as i128 * step).collect();
    from_whole(element, dims, &all)
}

pub(super) fn identity_matrix(element: Element, site: &Site, dims: &[usize]) -> Option<Tensor> {
    let [rows, columns] = *dims else { return None };
    let above = i128::from(site.int_or("k", 0));
    let one = |place: usize| {
        let (row, column) = (place / columns.max(1), place % columns.max(1));
        i128::from(row as i128 + above == column as i128)
    };
    from_whole(
        element,
        dims,
        &(0..rows * columns).map(one).collect::<Vec<_>>(),
    )
}

/// The places of what is not zero.
pub(super) fn non_zero(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let found: Vec<Vec<usize>> = to_real(tensor)?
        .into_iter()
        .enumerate()
        .filter(|(_, one)| *one != 0.0)
        .map(|(place, _)| coordinates(tensor.dims(), place))
        .collect();
    let along = |axis: usize| found.iter().map(move |at| at[axis] as i128);
    let places: Vec<i128> = (0..tensor.rank()).flat_map(along).collect();
    from_whole(Element::I64, &[tensor.rank(), found.len()], &places)
}

pub(super) fn one_hot(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (indices, values) = (site.constant(0)?, site.constant(2)?);
    let axis = axis_within(site.int_or("axis", -1), dims.len()).ok()?;
    let marked = to_real(indices)?;
    let place = |to: usize| {
        let mut at = coordinates(dims, to);
        let here = at.remove(axis);
        let index = marked.get(super::places::distance(indices.dims(), &at))?;
        Some(usize::from(
            from_front(*index as i128, dims[axis]) == Some(here),
        ))
    };
    let places: Vec<usize> = (0..count(dims)).map(place).collect::<Option<_>>()?;
    taken(values, dims.to_vec(), &places)
}

/// Above or below a diagonal, and zero elsewhere.
pub(super) fn triangle(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let upper = site.int_or("upper", 1) != 0;
    let from = match site.input(1) {
        Some(_) => i128::from(site.int_of(1)?),
        None => 0,
    };
    let nothing = from_whole(tensor.element(), &[], &[0])?;
    let place = |place: usize| {
        let at = coordinates(tensor.dims(), place);
        let [.., row, column] = at[..] else {
            return (1, 0);
        };
        let past = column as i128 - row as i128 - from;
        let kept = if upper { past >= 0 } else { past <= 0 };
        if kept { (0, place) } else { (1, 0) }
    };
    let places = (0..tensor.len()).map(place);
    super::numbers::woven(&[tensor, &nothing], tensor.dims().to_vec(), places)
}

/// For each element of a tensor its scale and zero point: one for all, or one for
/// each place along an axis.
fn scales(site: &Site, tensor: &Tensor) -> Option<Vec<(f64, f64)>> {
    let scale = site.constant(1)?;
    let zero = match site.input(2) {
        Some(_) => to_real(site.constant(2)?)?,
        None => vec![0.0; scale.len()],
    };
    let scale: Vec<(f64, f64)> = to_real(scale)?.into_iter().zip(zero).collect();
    if site.is_on("block_size") {
        return None;
    }
    if let [only] = scale.as_slice() {
        return Some(vec![*only; tensor.len()]);
    }
    let axis = axis_within(site.int_or("axis", 1), tensor.rank()).ok()?;
    let at = |place: usize| scale.get(coordinates(tensor.dims(), place)[axis]).copied();
    (0..tensor.len()).map(at).collect()
}

pub(super) fn dequantized(site: &Site, element: Element) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let each = to_whole(tensor)?.into_iter().zip(scales(site, tensor)?);
    let all: Vec<f64> = each
        .map(|(one, (scale, zero))| (one as f64 - zero) * scale)
        .collect();
    from_real(element, tensor.dims(), &all)
}

pub(super) fn quantized(site: &Site, element: Element) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let (low, high) = match element {
        Element::U8 => (0.0, 255.0),
        Element::I8 => (-128.0, 127.0),
        Element::U16 => (0.0, 65_535.0),
        Element::I16 => (-32_768.0, 32_767.0),
        _ => return None,
    };
    // The division is in 32 bits wherever the numbers are.
    let divided = |one: f64, scale: f64| f64::from(one as f32 / scale as f32);
    let each = to_real(tensor)?.into_iter().zip(scales(site, tensor)?);
    let all: Vec<f64> = each
        .map(|(one, (scale, zero))| (divided(one, scale).round_ties_even() + zero).clamp(low, high))
        .collect();
    from_real(element, tensor.dims(), &all)
}
