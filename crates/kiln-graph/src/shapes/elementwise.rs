//! Operators that treat each element alone: the shape is the input's, or what
//! several inputs' shapes give together.

use super::dim::{Mismatch, broadcast};
use super::fact::{Fact, Kind};
use super::{Facts, Site};
use crate::model::{Dim, Element};

/// Like the first input in type and shape.
pub(super) fn alike(site: &Site) -> Facts {
    site.needed(0)?;
    Ok(vec![Fact::kind(site.kind(0))])
}

/// The first input's shape, in truth values.
pub(super) fn question(site: &Site) -> Facts {
    let dims = site.needed(0)?.dims();
    Ok(vec![Fact::of(
        Some(Element::Bool),
        dims.map(<[Dim]>::to_vec),
    )])
}

/// All inputs together, in the type of the first that has one.
pub(super) fn arithmetic(site: &Site) -> Facts {
    site.needed(0)?;
    let elements: Vec<Element> = (0..site.inputs().len())
        .filter_map(|place| site.element(place))
        .collect();
    // A power's exponent and a shift's width may have types of their own.
    let mixed = matches!(site.operator(), "Pow" | "BitShift" | "Mod");
    if let (false, Some(other)) = (mixed, elements.iter().find(|other| **other != elements[0])) {
        return Err(Mismatch(format!("it is given {} and {other}", elements[0])));
    }
    Ok(vec![Fact::of(
        elements.first().copied(),
        together(site, 0)?,
    )])
}

/// All inputs together, in truth values.
pub(super) fn comparison(site: &Site) -> Facts {
    site.needed(1)?;
    Ok(vec![Fact::of(Some(Element::Bool), together(site, 0)?)])
}

/// One input or the other, as a third says.
pub(super) fn choice(site: &Site) -> Facts {
    site.needed(2)?;
    let element = site.element(1).or(site.element(2));
    Ok(vec![Fact::of(element, together(site, 0)?)])
}

pub(super) fn cast(site: &Site) -> Facts {
    let dims = site.needed(0)?.dims().map(<[Dim]>::to_vec);
    let element = match site.operator() {
        "CastLike" => site.element(1),
        _ => site.element_named("to")?,
    };
    Ok(vec![Fact::of(element, dims)])
}

/// The first input, and where elements were left.
pub(super) fn dropout(site: &Site) -> Facts {
    let mut facts = alike(site)?;
    facts.extend(question(site)?);
    Ok(facts)
}

/// The shape that the inputs from one on give together.
fn together(site: &Site, from: usize) -> Result<Option<Vec<Dim>>, Mismatch> {
    let mut dims = vec![];
    for place in from..site.inputs().len() {
        let Some(others) = site.dims(place) else {
            return Ok(None);
        };
        dims = broadcast(&dims, others)?;
    }
    Ok(Some(dims))
}

/// A value that passes unchanged, whatever it is.
pub(super) fn identity(site: &Site) -> Facts {
    let fact = site.needed(0)?;
    Ok(vec![match &fact.kind {
        Kind::Unknown => Fact::unknown(),
        _ => fact.clone(),
    }])
}
