//! Operators that make one element of all along some axes.

use super::dim::{Mismatch, axes_within};
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element};

pub(super) fn reduction(site: &Site) -> Facts {
    site.needed(0)?;
    let keeps = site.int_or("keepdims", 1) != 0;
    let dims = match (site.dims(0), axes(site)) {
        (Some(dims), Axes::Known(axes)) if axes.is_empty() => {
            match site.is_on(NOTHING_BY_DEFAULT) {
                true => Some(dims.to_vec()),
                false => Some(without(dims, &(0..dims.len()).collect::<Vec<_>>(), keeps)),
            }
        }
        (Some(dims), Axes::Known(axes)) => {
            Some(without(dims, &axes_within(&axes, dims.len())?, keeps))
        }
        (Some(dims), Axes::Unknown) if keeps => Some(vec![Dim::Unknown; dims.len()]),
        _ => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// Switches on that a reduction along no axes leaves everything as it is.
const NOTHING_BY_DEFAULT: &str = "noop_with_empty_axes";

pub(crate) enum Axes {
    /// Along these; none means all, unless the operator says otherwise.
    Known(Vec<i64>),
    Unknown,
}

/// The axes of a reduction: an attribute or, in later versions, an input.
pub(crate) fn axes(site: &Site) -> Axes {
    match (site.input(1), site.ints_of(1), site.ints("axes")) {
        (Some(_), Some(axes), _) => Axes::Known(axes),
        (Some(_), None, _) => Axes::Unknown,
        (None, _, axes) => Axes::Known(axes.unwrap_or_default().to_vec()),
    }
}

fn without(dims: &[Dim], axes: &[usize], keeps: bool) -> Vec<Dim> {
    let each = dims.iter().enumerate();
    each.filter_map(|(place, dim)| match axes.contains(&place) {
        true if keeps => Some(Dim::Known(1)),
        true => None,
        false => Some(dim.clone()),
    })
    .collect()
}

/// The place of the largest or smallest along an axis.
pub(super) fn arg(site: &Site) -> Facts {
    site.needed(0)?;
    let keeps = site.int_or("keepdims", 1) != 0;
    let dims = match site.dims(0) {
        Some(dims) => Some(without(dims, &[site.axis(0, dims.len())?], keeps)),
        None => None,
    };
    Ok(vec![Fact::of(Some(Element::I64), dims)])
}

/// A running sum keeps the shape; its axis is an input.
pub(super) fn running(site: &Site) -> Facts {
    site.needed(1)?;
    if let (Some(rank), Some(axis)) = (site.rank(0), site.int_of(1)) {
        super::dim::axis_within(axis, rank)?;
    }
    Ok(vec![Fact::of(
        site.element(0),
        site.dims(0).map(<[Dim]>::to_vec),
    )])
}

/// A loss: one number, or one for each of the targets.
pub(super) fn loss(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match site.text_or("reduction", "mean") {
        "none" => site.dims(1).map(<[Dim]>::to_vec),
        "mean" | "sum" => Some(vec![]),
        other => return Err(Mismatch(format!("its reduction is {other:?}"))),
    };
    let scores = site.dims(0).map(<[Dim]>::to_vec);
    Ok(vec![
        Fact::of(site.element(0), dims),
        Fact::of(site.element(0), scores),
    ])
}
