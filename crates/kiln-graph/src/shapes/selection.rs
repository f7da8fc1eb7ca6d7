//! Operators that pick elements: slicing, gathering, splitting, padding and those
//! whose result's size rests on the values.

use super::dim::{Mismatch, axes_within, axis_within, computed, wide, written};
use super::fact::{Fact, Size};
use super::{Facts, Site};
use crate::folding::numbers::to_one;
use crate::model::{Dim, Element};

/// Which elements a slice takes of a size: the first one, how many and the step
/// from one to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    pub(crate) first: i128,
    pub(crate) count: i128,
    pub(crate) step: i128,
}

impl Cut {
    /// Bounds count from the end where they are negative, and what lies beyond the
    /// size is cut off.
    pub(crate) fn new(size: i128, start: i64, end: i64, step: i64) -> Result<Self, Mismatch> {
        if step == 0 {
            return Err(Mismatch::new("it slices with a step of 0"));
        }
        let step = i128::from(step);
        let within = |bound: i64, lowest: i128, highest: i128| {
            let bound = i128::from(bound);
            let from_front = if bound < 0 { bound + size } else { bound };
            from_front.clamp(lowest, highest)
        };
        let (first, room) = if step > 0 {
            let first = within(start, 0, size);
            (first, within(end, 0, size) - first)
        } else {
            let first = within(start, -1, size - 1);
            (first, first - within(end, -1, size - 1))
        };
        let count = (room.max(0) + step.abs() - 1) / step.abs();
        Ok(Self { first, count, step })
    }
}

pub(super) fn slice(site: &Site) -> Facts {
    site.needed(2)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let out = sliced(site, dims)?;
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

fn sliced(site: &Site, dims: &[Dim]) -> Result<Vec<Dim>, Mismatch> {
    let Some(slice) = slice_of(site, dims.len())? else {
        return Ok(vec![Dim::Unknown; dims.len()]);
    };
    let mut out = dims.to_vec();
    for (axis, start, end, step) in slice {
        out[axis] = match (wide(&dims[axis]), start, end) {
            (Some(size), Some(start), Some(end)) => {
                computed(Cut::new(size, start, end, step)?.count)?
            }
            // From the first to the last, however many there are.
            (None, Some(0), Some(end)) if step == 1 && end >= i64::from(i32::MAX) => {
                dims[axis].clone()
            }
            _ => Dim::Unknown,
        };
    }
    Ok(out)
}

/// A slice along one axis: the axis, its bounds as far as they are known, the step.
pub(crate) type SliceAlong = (usize, Option<i64>, Option<i64>, i64);

/// A slice's bounds for each of its axes, if the axes and steps are known.
pub(crate) fn slice_of(site: &Site, rank: usize) -> Result<Option<Vec<SliceAlong>>, Mismatch> {
    let (Some(starts), Some(ends)) = (site.sizes(1), site.sizes(2)) else {
        return Ok(None);
    };
    let axes = match (site.input(3), site.ints_of(3)) {
        (None, _) => (0..starts.len()).collect(),
        (Some(_), Some(axes)) => {
            axes_within(&axes, rank)?;
            axes.iter()
                .map(|&axis| axis_within(axis, rank))
                .collect::<Result<Vec<_>, _>>()?
        }
        (Some(_), None) => return Ok(None),
    };
    let steps = match (site.input(4), site.ints_of(4)) {
        (None, _) => vec![1; starts.len()],
        (Some(_), Some(steps)) => steps,
        (Some(_), None) => return Ok(None),
    };
    let lengths = [starts.len(), ends.len(), steps.len()];
    if lengths.iter().any(|&length| length != axes.len()) || axes.len() > rank {
        return Err(Mismatch::new(
            "its starts, ends, axes and steps are not equally many",
        ));
    }
    let each = axes.into_iter().zip(starts).zip(ends).zip(steps);
    Ok(Some(
        each.map(|(((axis, s), e), step)| (axis, s.known(), e.known(), step))
            .collect(),
    ))
}

pub(super) fn gather(site: &Site) -> Facts {
    site.needed(1)?;
    let (Some(dims), Some(indices)) = (site.dims(0), site.dims(1)) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let axis = site.axis(0, dims.len())?;
    let out = [&dims[..axis], indices, &dims[axis + 1..]].concat();
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

/// As many elements as there are indices.
pub(super) fn by_indices(site: &Site) -> Facts {
    site.needed(1)?;
    Ok(vec![Fact::of(
        site.element(0),
        site.dims(1).map(<[Dim]>::to_vec),
    )])
}

pub(super) fn gather_nd(site: &Site) -> Facts {
    site.needed(1)?;
    let (Some(dims), Some(indices)) = (site.dims(0), site.dims(1)) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let Some((last, before)) = indices.split_last() else {
        return Err(Mismatch::new("its indices are a single number"));
    };
    let Some(depth) = last.known() else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let batch = usize::try_from(site.int_or("batch_dims", 0)).unwrap_or(usize::MAX);
    let Some(rest) = batch.checked_add(depth).and_then(|from| dims.get(from..)) else {
        let shape = written(dims);
        return Err(Mismatch(format!(
            "its indices of {depth} numbers go beyond {shape}"
        )));
    };
    Ok(vec![Fact::of(
        site.element(0),
        Some([before, rest].concat()),
    )])
}

pub(super) fn split(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site.element(0);
    let parts = site.outputs();
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(element, None); parts]);
    };
    let axis = site.axis(0, dims.len())?;
    let sizes: Vec<Dim> = match (site.input(1), site.ints_of(1)) {
        (Some(_), Some(sizes)) => given_parts(&sizes, &dims[axis], parts)?,
        (Some(_), None) => vec![Dim::Unknown; parts],
        (None, _) => equal_parts(&dims[axis], parts)?,
    };
    let part = |size: Dim| {
        let mut dims = dims.to_vec();
        dims[axis] = size;
        Fact::of(element, Some(dims))
    };
    Ok(sizes.into_iter().map(part).collect())
}

fn given_parts(sizes: &[i64], whole: &Dim, parts: usize) -> Result<Vec<Dim>, Mismatch> {
    let sum: i128 = sizes.iter().map(|&size| i128::from(size)).sum();
    if sizes.len() != parts || wide(whole).is_some_and(|whole| whole != sum) {
        return Err(Mismatch(format!(
            "it cannot split {whole} into {parts} parts of {sizes:?}"
        )));
    }
    sizes.iter().map(|&size| computed(size.into())).collect()
}

/// Parts of one size, of which the last may be smaller.
fn equal_parts(whole: &Dim, parts: usize) -> Result<Vec<Dim>, Mismatch> {
    let Some(whole) = whole.known() else {
        return Ok(vec![Dim::Unknown; parts]);
    };
    if parts == 0 {
        return Err(Mismatch::new("it splits into nothing"));
    }
    let each = whole.div_ceil(parts);
    let part = |place: usize| Dim::Known(whole.saturating_sub(place * each).min(each));
    Ok((0..parts).map(part).collect())
}

pub(super) fn pad(site: &Site) -> Facts {
    site.needed(1)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let axes = match (site.input(3), site.ints_of(3)) {
        (None, _) => (0..dims.len()).collect(),
        (Some(_), Some(axes)) => axes
            .iter()
            .map(|&axis| axis_within(axis, dims.len()))
            .collect::<Result<Vec<_>, _>>()?,
        (Some(_), None) => vec![],
    };
    let mut out = vec![Dim::Unknown; dims.len()];
    if let Some(pads) = site.ints_of(1) {
        if pads.len() != 2 * axes.len() {
            let shape = written(dims);
            return Err(Mismatch(format!(
                "its pads {pads:?} are not for a tensor of {shape}"
            )));
        }
        out = dims.to_vec();
        for (place, &axis) in axes.iter().enumerate() {
            let more = i128::from(pads[place]) + i128::from(pads[place + axes.len()]);
            out[axis] = match wide(&dims[axis]) {
                Some(size) => computed(size + more)?,
                None if more == 0 => dims[axis].clone(),
                None => Dim::Unknown,
            };
        }
    }
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

pub(super) fn center_crop_pad(site: &Site) -> Facts {
    site.needed(1)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let axes = site.axes_or_all(dims.len())?;
    let mut out = dims.to_vec();
    for (place, &axis) in axes.iter().enumerate() {
        let size = site.sizes(1).and_then(|sizes| sizes.get(place));
        out[axis] = size.map_or(Ok(Dim::Unknown), super::movement::dim_of)?;
    }
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

/// The largest or smallest along an axis, and where they stood.
pub(super) fn top_k(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match site.dims(0) {
        Some(dims) => {
            let axis = site.axis(-1, dims.len())?;
            let mut out = dims.to_vec();
            out[axis] = match site.sizes(1) {
                Some([Size::Known(k)]) if wide(&dims[axis]).is_some_and(|s| i128::from(*k) > s) => {
                    return Err(Mismatch(format!("it wants the top {k} of {}", dims[axis])));
                }
                Some([k]) => super::movement::dim_of(k)?,
                _ => Dim::Unknown,
            };
            Some(out)
        }
        None => None,
    };
    Ok(vec![
        Fact::of(site.element(0), dims.clone()),
        Fact::of(Some(Element::I64), dims),
    ])
}

/// The places of what is not zero: as many columns as there are such.
pub(super) fn non_zero(site: &Site) -> Facts {
    let rank = site.needed(0)?.dims().map(<[Dim]>::len);
    let rank = rank.map_or(Dim::Unknown, Dim::Known);
    Ok(vec![Fact::tensor(Element::I64, vec![rank, Dim::Unknown])])
}

/// What a condition leaves of a tensor, or of an axis.
pub(super) fn compress(site: &Site) -> Facts {
    site.needed(1)?;
    some_along_axis(site)
}

pub(super) fn unique(site: &Site) -> Facts {
    let mut facts = some_along_axis(site)?;
    facts.resize(4, Fact::tensor(Element::I64, vec![Dim::Unknown]));
    Ok(facts)
}

/// Some of the elements, or of what stands along an axis.
fn some_along_axis(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match (site.node().int("axis"), site.dims(0)) {
        (None, _) => Some(vec![Dim::Unknown]),
        (Some(axis), Some(dims)) => {
            let mut out = dims.to_vec();
            out[axis_within(axis, dims.len())?] = Dim::Unknown;
            Some(out)
        }
        (Some(_), None) => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// A new axis on which one place is marked.
pub(super) fn one_hot(site: &Site) -> Facts {
    site.needed(2)?;
    let dims = match site.dims(0) {
        Some(dims) => {
            let axis = site.axis(-1, dims.len() + 1)?;
            // The depth may be a real number too.
            let depth = match (site.sizes(1), site.constant(1).and_then(to_one)) {
                (Some([depth]), _) => super::movement::dim_of(depth)?,
                (_, Some(depth)) => computed(depth as i128)?,
                _ => Dim::Unknown,
            };
            let mut out = dims.to_vec();
            out.insert(axis, depth);
            Some(out)
        }
        None => None,
    };
    Ok(vec![Fact::of(site.element(2), dims)])
}

/// Boxes that were chosen: for each the image, the class and the box.
pub(super) fn chosen_boxes(site: &Site) -> Facts {
    site.needed(1)?;
    Ok(vec![Fact::tensor(
        Element::I64,
        vec![Dim::Unknown, Dim::Known(3)],
    )])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_by_example() {
        for (size, start, end, step, first, count) in [
            (10, 0, 10, 1, 0, 10),
            (10, 2, -1, 3, 2, 3),
            (10, -3, i64::MAX, 1, 7, 3),
            (10, -1, i64::MIN, -1, 9, 10),
            (10, 20, 0, -2, 9, 5),
            (10, 5, 2, 1, 5, 0),
            (0, 0, 5, 1, 0, 0),
        ] {
            let cut = Cut::new(size, start, end, step).unwrap();
            assert_eq!(
                (cut.first, cut.count),
                (first, count),
                "{size} {start}:{end}:{step}"
            );
        }
        assert!(Cut::new(3, 0, 1, 0).is_err());
    }

    proptest! {
        #[test]
        fn a_cut_stays_within(
            size in 0i128..40, start in any::<i64>(), end in any::<i64>(), step in any::<i64>(),
        ) {
            prop_assume!(step != 0);
            let cut = Cut::new(size, start, end, step).unwrap();
            prop_assert!(cut.count <= size);
            if cut.count > 0 {
                let last = cut.first + (cut.count - 1) * cut.step;
                prop_assert!((0..size).contains(&cut.first) && (0..size).contains(&last));
            }
        }

        #[test]
        fn a_cut_takes_what_python_takes(
            size in 0i128..12, start in -15i64..15, end in -15i64..15, step in 1i64..4,
        ) {
            let cut = Cut::new(size, start, end, step).unwrap();
            let from_front = |bound: i64| {
                let bound = i128::from(bound);
                if bound < 0 { (bound + size).max(0) } else { bound }
            };
            let walked: Vec<i128> = (from_front(start)..from_front(end).min(size))
                .step_by(usize::try_from(step).unwrap())
                .collect();
            let taken: Vec<i128> = (0..cut.count).map(|n| cut.first + n * cut.step).collect();
            prop_assert_eq!(taken, walked);
        }
    }
}
