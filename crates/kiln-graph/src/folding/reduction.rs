//! Constants that come of many elements each: sums, products, orders.

use std::ops::Add;

use super::numbers::{from_real, from_whole, taken, to_real, to_whole};
use super::places::{broadcast, coordinates, count, distance, strides, walk};
use crate::model::{Element, Tensor};
use crate::shapes::Site;
use crate::shapes::dim::{axes_within, axis_within};
use crate::shapes::reduction::{Axes, axes};

/// A matrix product is computed up to this many multiplications.
const MULTIPLICATIONS: usize = 1 << 22;

pub(super) fn reduced(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let Axes::Known(axes) = axes(site) else {
        return None;
    };
    let gone = match axes.is_empty() {
        true if site.is_on("noop_with_empty_axes") => vec![],
        true => (0..tensor.rank()).collect(),
        false => axes_within(&axes, tensor.rank()).ok()?,
    };
    let mut groups: Vec<Vec<usize>> = vec![vec![]; count(dims)];
    let kept: Vec<usize> = tensor
        .dims()
        .iter()
        .enumerate()
        .map(|(axis, &size)| if gone.contains(&axis) { 1 } else { size })
        .collect();
    for place in 0..tensor.len() {
        let mut at = coordinates(tensor.dims(), place);
        gone.iter().for_each(|&axis| at[axis] = 0);
        groups.get_mut(distance(&kept, &at))?.push(place);
    }
    if let Some(all) = to_whole(tensor) {
        let of = |group: &Vec<usize>| whole(site.operator(), group.iter().map(|&place| all[place]));
        let results: Vec<i128> = groups.iter().map(of).collect::<Option<_>>()?;
        return from_whole(tensor.element(), dims, &results);
    }
    let all = to_real(tensor)?;
    let of = |group: &Vec<usize>| {
        real(
            site.operator(),
            &group.iter().map(|&place| all[place]).collect::<Vec<_>>(),
        )
    };
    let results: Vec<f64> = groups.iter().map(of).collect::<Option<_>>()?;
    from_real(tensor.element(), dims, &results)
}

fn whole(operator: &str, mut group: impl Iterator<Item = i128>) -> Option<i128> {
    match operator {
        "ReduceSum" => Some(group.sum()),
        "ReduceProd" => group.try_fold(1i128, i128::checked_mul),
        "ReduceMax" => group.max(),
        "ReduceMin" => group.min(),
        "ReduceL1" => Some(group.map(i128::abs).sum()),
        _ => None,
    }
}

fn real(operator: &str, group: &[f64]) -> Option<f64> {
    let sum = |each: fn(f64) -> f64| group.iter().map(|&one| each(one)).sum::<f64>();
    Some(match operator {
        "ReduceSum" => sum(|one| one),
        "ReduceMean" if !group.is_empty() => sum(|one| one) / group.len() as f64,
        "ReduceProd" => group.iter().product(),
        "ReduceL1" => sum(f64::abs),
        "ReduceL2" => sum(|one| one * one).sqrt(),
        "ReduceSumSquare" => sum(|one| one * one),
        "ReduceMax" if group.iter().all(|one| !one.is_nan()) => {
            group.iter().copied().reduce(f64::max)?
        }
        "ReduceMin" if group.iter().all(|one| !one.is_nan()) => {
            group.iter().copied().reduce(f64::min)?
        }
        _ => return None,
    })
}

/// For each line along an axis the places of its elements.
fn lines(dims: &[usize], axis: usize) -> Option<Vec<Vec<usize>>> {
    let step = strides(dims)[axis];
    let mut starts = dims.to_vec();
    starts[axis] = 1;
    let steps: Vec<i128> = strides(dims).iter().map(|&stride| stride as i128).collect();
    let line = |start: usize| (0..dims[axis]).map(|n| start + n * step).collect();
    Some(walk(&starts, 0, &steps)?.into_iter().map(line).collect())
}

/// The place of the largest or smallest along an axis.
pub(super) fn arg(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let axis = axis_within(site.int_or("axis", 0), tensor.rank()).ok()?;
    let all = to_real(tensor)?;
    let last = site.is_on("select_last_index");
    let found = |line: Vec<usize>| {
        let mut best: Option<(usize, f64)> = None;
        for (n, &place) in line.iter().enumerate() {
            let one = all[place];
            let better = best.is_none_or(|(_, best)| match site.operator() {
                "ArgMax" => one > best || (last && one == best),
                _ => one < best || (last && one == best),
            });
            if better {
                best = Some((n, one));
            }
        }
        best.map(|(n, _)| n as i128)
    };
    let places: Vec<i128> = lines(tensor.dims(), axis)?
        .into_iter()
        .map(found)
        .collect::<Option<_>>()?;
    from_whole(Element::I64, dims, &places)
}

/// The largest or smallest along an axis in order, and where they stood.
pub(super) fn top(site: &Site, dims: &[usize]) -> Option<Vec<Tensor>> {
    let tensor = site.constant(0)?;
    let axis = axis_within(site.int_or("axis", -1), tensor.rank()).ok()?;
    let wanted = *dims.get(axis)?;
    let all = to_real(tensor)?;
    let largest = site.int_or("largest", 1) != 0;
    if all.iter().any(|one| one.is_nan()) || !wanted.le(&tensor.dims()[axis]) {
        return None;
    }
    let (mut places, mut indices) = (vec![0; count(dims)], vec![0i128; count(dims)]);
    let targets = lines(dims, axis)?;
    for (line, targets) in lines(tensor.dims(), axis)?.into_iter().zip(targets) {
        let mut order: Vec<(usize, usize)> = line.into_iter().enumerate().collect();
        order.sort_by(|(_, one), (_, two)| {
            let order = all[*one].total_cmp(&all[*two]);
            if largest { order.reverse() } else { order }
        });
        for ((n, place), target) in order.into_iter().zip(targets) {
            places[target] = place;
            indices[target] = n as i128;
        }
    }
    let values = taken(tensor, dims.to_vec(), &places)?;
    Some(vec![values, from_whole(Element::I64, dims, &indices)?])
}

pub(super) fn running_sum(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    if let Some(all) = to_whole(tensor) {
        return from_whole(
            tensor.element(),
            tensor.dims(),
            &summed(site, tensor, &all)?,
        );
    }
    from_real(
        tensor.element(),
        tensor.dims(),
        &summed(site, tensor, &to_real(tensor)?)?,
    )
}

/// Along each line, what came before and, unless that is excluded, the element itself.
fn summed<T: Copy + Default + Add<Output = T>>(
    site: &Site,
    tensor: &Tensor,
    all: &[T],
) -> Option<Vec<T>> {
    let axis = axis_within(site.int_of(1)?, tensor.rank()).ok()?;
    let mut sums = vec![T::default(); all.len()];
    for mut line in lines(tensor.dims(), axis)? {
        if site.is_on("reverse") {
            line.reverse();
        }
        let mut sum = T::default();
        for place in line {
            let before = sum;
            sum = before + all[place];
            sums[place] = if site.is_on("exclusive") { before } else { sum };
        }
    }
    Some(sums)
}

/// A product of matrices, of real numbers.
pub(super) fn product(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (one, two) = (site.constant(0)?, site.constant(1)?);
    let inner = *one.dims().last()?;
    if count(dims).checked_mul(inner)? > MULTIPLICATIONS || one.rank() < 2 || two.rank() < 2 {
        return None;
    }
    let (batch, [rows, columns]) = dims.split_last_chunk::<2>()?;
    let start = |tensor: &Tensor| broadcast(&tensor.dims()[..tensor.rank() - 2], batch);
    let (from, with) = (start(one)?, start(two)?);
    let (left, right) = (to_real(one)?, to_real(two)?);
    let mut results = Vec::with_capacity(count(dims));
    for (a, b) in from.into_iter().zip(with) {
        for row in 0..*rows {
            for column in 0..*columns {
                let term = |n: usize| {
                    let left = left.get((a * rows + row) * inner + n)?;
                    Some(left * right.get((b * inner + n) * columns + column)?)
                };
                results.push((0..inner).map(term).sum::<Option<f64>>()?);
            }
        }
    }
    super::numbers::is_real(one.element()).then(|| from_real(one.element(), dims, &results))?
}
