//! Lists of tensors, and values that may be absent.

use super::dim::axis_within;
use super::fact::{Fact, Kind};
use super::{Facts, Site};
use crate::model::{Dim, Element};

pub(super) fn construct(site: &Site) -> Facts {
    site.needed(0)?;
    let kinds = (0..site.inputs().len()).map(|place| site.kind(place));
    let kind = kinds
        .reduce(|one, two| one.either(&two))
        .unwrap_or(Kind::Unknown);
    Ok(vec![Fact::kind(Kind::Sequence(Box::new(kind)))])
}

pub(super) fn empty(site: &Site) -> Facts {
    let element = site.element_named("dtype")?.unwrap_or(Element::F32);
    Ok(vec![Fact::kind(Kind::Sequence(Box::new(Kind::Tensor(
        Some(element),
        None,
    ))))])
}

/// One of a list.
pub(super) fn at(site: &Site) -> Facts {
    site.needed(1)?;
    Ok(vec![Fact::kind(within(site))])
}

fn within(site: &Site) -> Kind {
    match site.kind(0) {
        Kind::Sequence(of) | Kind::Optional(of) => *of,
        _ => Kind::Unknown,
    }
}

pub(super) fn insert(site: &Site) -> Facts {
    site.needed(1)?;
    let kind = match within(site) {
        // An empty list says nothing of what will be in it.
        Kind::Tensor(element, None) if element == site.element(1) => site.kind(1),
        kind => kind.either(&site.kind(1)),
    };
    Ok(vec![Fact::kind(Kind::Sequence(Box::new(kind)))])
}

pub(super) fn length(site: &Site) -> Facts {
    site.needed(0)?;
    Ok(vec![Fact::tensor(Element::I64, vec![])])
}

/// Parts of a tensor along an axis.
pub(super) fn split(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match site.dims(0) {
        Some(dims) => {
            let axis = site.axis(0, dims.len())?;
            let mut out = dims.to_vec();
            out[axis] = Dim::Unknown;
            if site.input(1).is_none() && site.int_or("keepdims", 1) == 0 {
                out.remove(axis);
            } else if site.input(1).is_none() {
                out[axis] = Dim::Known(1);
            }
            Some(out)
        }
        None => None,
    };
    let part = Kind::Tensor(site.element(0), dims);
    Ok(vec![Fact::kind(Kind::Sequence(Box::new(part)))])
}

/// All of a list joined, along an axis that is there or new.
pub(super) fn concat(site: &Site) -> Facts {
    site.needed(0)?;
    let Kind::Tensor(element, dims) = within(site) else {
        return Ok(vec![Fact::unknown()]);
    };
    let axis = site.needed_int("axis")?;
    let dims = match dims {
        Some(mut dims) => {
            if site.is_on("new_axis") {
                dims.insert(axis_within(axis, dims.len() + 1)?, Dim::Unknown);
            } else {
                let axis = axis_within(axis, dims.len())?;
                dims[axis] = Dim::Unknown;
            }
            Some(dims)
        }
        None => None,
    };
    Ok(vec![Fact::of(element, dims)])
}

pub(super) fn optional(site: &Site) -> Facts {
    use crate::model::Attribute;
    let kind = match (site.input(0), site.node().attributes.get("type")) {
        (Some(fact), _) => fact.kind.clone(),
        (None, Some(Attribute::Type(ty))) => Kind::from(ty),
        _ => Kind::Unknown,
    };
    Ok(vec![Fact::kind(Kind::Optional(Box::new(kind)))])
}

/// What an optional value holds; what cannot be absent is itself.
pub(super) fn element_of_optional(site: &Site) -> Facts {
    let fact = site.needed(0)?;
    Ok(vec![match &fact.kind {
        Kind::Optional(of) => Fact::kind((**of).clone()),
        _ => fact.clone(),
    }])
}

pub(super) fn is_there(_: &Site) -> Facts {
    Ok(vec![Fact::tensor(Element::Bool, vec![])])
}
