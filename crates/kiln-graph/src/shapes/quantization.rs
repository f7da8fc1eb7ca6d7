//! Numbers as few bits, and back.

use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element};

pub(super) fn quantize(site: &Site) -> Facts {
    site.needed(1)?;
    let element = match site.node().int("output_dtype") {
        Some(0) | None => site
            .element(2)
            .or(site.input(2).is_none().then_some(Element::U8)),
        Some(_) => site.element_named("output_dtype")?,
    };
    Ok(vec![Fact::of(element, site.dims(0).map(<[Dim]>::to_vec))])
}

pub(super) fn dequantize(site: &Site) -> Facts {
    site.needed(1)?;
    let element = match site.node().int("output_dtype") {
        Some(0) | None => site.element(1),
        Some(_) => site.element_named("output_dtype")?,
    };
    Ok(vec![Fact::of(element, site.dims(0).map(<[Dim]>::to_vec))])
}

/// The input in eight bits, the scale and the zero point that were found for it.
pub(super) fn dynamic(site: &Site) -> Facts {
    let dims = site.needed(0)?.dims().map(<[Dim]>::to_vec);
    Ok(vec![
        Fact::of(Some(Element::U8), dims),
        Fact::tensor(Element::F32, vec![]),
        Fact::tensor(Element::U8, vec![]),
    ])
}
