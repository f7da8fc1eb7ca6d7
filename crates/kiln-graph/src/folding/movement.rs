//! Constants whose elements are moved, picked, joined or repeated.

use super::numbers::{taken, woven};
use super::places::{broadcast, coordinates, count, distance, from_front, strides, walk};
use crate::model::Tensor;
use crate::shapes::Site;
use crate::shapes::dim::axis_within;
use crate::shapes::selection::{Cut, slice_of};

pub(super) fn transposed(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let own = strides(tensor.dims());
    let steps: Vec<i128> = match site.ints("perm") {
        Some(perm) => perm
            .iter()
            .map(|&axis| Some(own[axis_within(axis, own.len()).ok()?] as i128))
            .collect::<Option<_>>()?,
        None => own.iter().rev().map(|&stride| stride as i128).collect(),
    };
    taken(tensor, dims.to_vec(), &walk(dims, 0, &steps)?)
}

pub(super) fn sliced(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let own: Vec<i128> = strides(tensor.dims())
        .iter()
        .map(|&stride| stride as i128)
        .collect();
    let mut steps = own.clone();
    let mut first = 0;
    for (axis, start, end, step) in slice_of(site, tensor.rank()).ok()?? {
        let cut = Cut::new(tensor.dims()[axis] as i128, start?, end?, step).ok()?;
        first += cut.first * own[axis];
        steps[axis] = own[axis].checked_mul(cut.step)?;
    }
    taken(tensor, dims.to_vec(), &walk(dims, first, &steps)?)
}

/// Repeated along sizes of 1.
pub(super) fn expanded(tensor: &Tensor, dims: &[usize]) -> Option<Tensor> {
    taken(tensor, dims.to_vec(), &broadcast(tensor.dims(), dims)?)
}

pub(super) fn tiled(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let own = tensor.dims();
    let place = |to: usize| {
        let mut at = coordinates(dims, to);
        at.iter_mut()
            .zip(own)
            .for_each(|(at, &size)| *at %= size.max(1));
        distance(own, &at)
    };
    let places: Vec<usize> = (0..count(dims)).map(place).collect();
    taken(tensor, dims.to_vec(), &places)
}

/// Joined along an axis: of each, so many elements at a time.
pub(super) fn joined(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let all: Vec<&Tensor> = (0..site.inputs().len())
        .map(|place| site.constant(place))
        .collect::<Option<_>>()?;
    let axis = axis_within(site.node().int("axis")?, dims.len()).ok()?;
    let inner = count(&dims[axis + 1..]);
    let rows = count(&dims[..axis]);
    let mut places = Vec::with_capacity(count(dims));
    for row in 0..rows {
        for (which, tensor) in all.iter().enumerate() {
            let length = tensor.dims().get(axis)? * inner;
            places.extend((row * length..(row + 1) * length).map(|place| (which, place)));
        }
    }
    woven(&all, dims.to_vec(), places.into_iter())
}

/// Cut into parts of these shapes along an axis.
pub(super) fn split(site: &Site, parts: &[Vec<usize>]) -> Option<Vec<Tensor>> {
    let tensor = site.constant(0)?;
    let axis = axis_within(site.int_or("axis", 0), tensor.rank()).ok()?;
    let steps: Vec<i128> = strides(tensor.dims())
        .iter()
        .map(|&stride| stride as i128)
        .collect();
    let mut before = 0;
    let mut tensors = Vec::with_capacity(parts.len());
    for dims in parts {
        let places = walk(dims, before * steps[axis], &steps)?;
        tensors.push(taken(tensor, dims.clone(), &places)?);
        before += dims[axis] as i128;
    }
    Some(tensors)
}

/// With one value around it.
pub(super) fn padded(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    if site.text_or("mode", "constant") != "constant" {
        return None;
    }
    let around = match site.input(2) {
        Some(_) => site
            .constant(2)
            .filter(|value| value.len() == 1)?
            .reshaped(vec![])
            .ok()?,
        None => super::numbers::from_whole(tensor.element(), &[], &[0])?,
    };
    let pads = site.ints_of(1)?;
    let axes: Vec<usize> = match site.input(3) {
        Some(_) => site
            .ints_of(3)?
            .iter()
            .map(|&axis| axis_within(axis, dims.len()).ok())
            .collect::<Option<_>>()?,
        None => (0..dims.len()).collect(),
    };
    let mut before = vec![0i128; dims.len()];
    for (place, &axis) in axes.iter().enumerate() {
        before[axis] = i128::from(*pads.get(place)?);
    }
    let inside = |to: usize| {
        let at = coordinates(dims, to);
        let from: Option<Vec<usize>> = at
            .iter()
            .enumerate()
            .map(|(axis, &at)| {
                let from = usize::try_from(at as i128 - before[axis]).ok()?;
                (from < tensor.dims()[axis]).then_some(from)
            })
            .collect();
        from.map_or((1, 0), |from| (0, distance(tensor.dims(), &from)))
    };
    woven(
        &[tensor, &around],
        dims.to_vec(),
        (0..count(dims)).map(inside),
    )
}

/// One or the other, as a third says.
pub(super) fn chosen(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (condition, yes, no) = (site.constant(0)?, site.constant(1)?, site.constant(2)?);
    let answers = super::numbers::to_whole(condition)?;
    let which = broadcast(condition.dims(), dims)?;
    let (from_yes, from_no) = (broadcast(yes.dims(), dims)?, broadcast(no.dims(), dims)?);
    let each = which.iter().zip(from_yes).zip(from_no);
    let places = each.map(|((&answer, yes), no)| match answers.get(answer) {
        Some(0) | None => (1, no),
        Some(_) => (0, yes),
    });
    woven(&[yes, no], dims.to_vec(), places)
}

pub(super) fn gathered(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (tensor, indices) = (site.constant(0)?, site.constant(1)?);
    let axis = axis_within(site.int_or("axis", 0), tensor.rank()).ok()?;
    let size = tensor.dims()[axis];
    let chosen = super::numbers::to_whole(indices)?;
    let inner = count(&tensor.dims()[axis + 1..]);
    let mut places = Vec::with_capacity(count(dims));
    for row in 0..count(&tensor.dims()[..axis]) {
        for &index in &chosen {
            let start = (row * size + from_front(index, size)?) * inner;
            places.extend(start..start + inner);
        }
    }
    taken(tensor, dims.to_vec(), &places)
}

/// For each element the place along one axis.
pub(super) fn gathered_elements(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (tensor, indices) = (site.constant(0)?, site.constant(1)?);
    let axis = axis_within(site.int_or("axis", 0), tensor.rank()).ok()?;
    let chosen = super::numbers::to_whole(indices)?;
    let place = |(to, &index): (usize, &i128)| {
        let mut at = coordinates(dims, to);
        *at.get_mut(axis)? = from_front(index, tensor.dims()[axis])?;
        let within = at.iter().zip(tensor.dims()).all(|(at, size)| at < size);
        within.then(|| distance(tensor.dims(), &at))
    };
    let places: Vec<usize> = chosen
        .iter()
        .enumerate()
        .map(place)
        .collect::<Option<_>>()?;
    taken(tensor, dims.to_vec(), &places)
}

/// For each row of indices an element or a part.
pub(super) fn gathered_parts(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (tensor, indices) = (site.constant(0)?, site.constant(1)?);
    if site.is_on("batch_dims") {
        return None;
    }
    let mut places = Vec::with_capacity(count(dims));
    for part in parts(tensor, indices)? {
        places.extend(part);
    }
    taken(tensor, dims.to_vec(), &places)
}

/// Which elements each row of indices means.
fn parts(tensor: &Tensor, indices: &Tensor) -> Option<Vec<std::ops::Range<usize>>> {
    let depth = *indices.dims().last()?;
    let inner = count(tensor.dims().get(depth..)?);
    let outer = &tensor.dims()[..depth];
    let all = super::numbers::to_whole(indices)?;
    let part = |row: usize| {
        let row = all.get(row * depth..(row + 1) * depth)?;
        let at: Vec<usize> = row
            .iter()
            .zip(outer)
            .map(|(&index, &size)| from_front(index, size))
            .collect::<Option<_>>()?;
        let start = distance(outer, &at) * inner;
        Some(start..start + inner)
    };
    (0..count(&indices.dims()[..indices.rank() - 1]))
        .map(part)
        .collect()
}

/// With updates in some places.
pub(super) fn scattered_parts(site: &Site) -> Option<Tensor> {
    let (tensor, indices, updates) = (site.constant(0)?, site.constant(1)?, site.constant(2)?);
    if site.text_or("reduction", "none") != "none" {
        return None;
    }
    let mut places: Vec<(usize, usize)> = (0..tensor.len()).map(|place| (0, place)).collect();
    let targets = parts(tensor, indices)?.into_iter().flatten();
    for (update, target) in targets.enumerate() {
        *places.get_mut(target)? = (1, update);
    }
    woven(
        &[tensor, updates],
        tensor.dims().to_vec(),
        places.into_iter(),
    )
}

pub(super) fn scattered_elements(site: &Site) -> Option<Tensor> {
    let (tensor, indices, updates) = (site.constant(0)?, site.constant(1)?, site.constant(2)?);
    if site.text_or("reduction", "none") != "none" || indices.dims() != updates.dims() {
        return None;
    }
    let axis = axis_within(site.int_or("axis", 0), tensor.rank()).ok()?;
    let mut places: Vec<(usize, usize)> = (0..tensor.len()).map(|place| (0, place)).collect();
    for (update, index) in super::numbers::to_whole(indices)?.into_iter().enumerate() {
        let mut at = coordinates(indices.dims(), update);
        *at.get_mut(axis)? = from_front(index, tensor.dims()[axis])?;
        if at.len() != tensor.rank() || at.iter().zip(tensor.dims()).any(|(at, size)| at >= size) {
            return None;
        }
        places[distance(tensor.dims(), &at)] = (1, update);
    }
    woven(
        &[tensor, updates],
        tensor.dims().to_vec(),
        places.into_iter(),
    )
}
