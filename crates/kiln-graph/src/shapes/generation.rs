//! Operators that make values of little or nothing, and those that ask for sizes.

use super::dim::{Mismatch, computed, product, wide};
use super::fact::{Fact, Size};
use super::{Facts, Site};
use crate::folding::numbers;
use crate::model::{Attribute, Dim, Element, Tensor};

pub(super) fn constant(site: &Site) -> Facts {
    let attributes = &site.node().attributes;
    let value = attributes
        .iter()
        .find_map(|(name, value)| match (name.as_str(), value) {
            ("value", Attribute::Tensor(tensor)) => Some(tensor.clone()),
            ("value_float", Attribute::Float(value)) => Some(Tensor::scalar(*value)),
            ("value_int", Attribute::Int(value)) => Some(Tensor::scalar(*value)),
            ("value_floats", Attribute::Floats(values)) => Some(Tensor::vector(values)),
            ("value_ints", Attribute::Ints(values)) => Some(Tensor::vector(values)),
            ("value_string", Attribute::String(text)) => {
                Tensor::of_strings(vec![], vec![text.clone()]).ok()
            }
            ("value_strings", Attribute::Strings(texts)) => {
                Tensor::of_strings(vec![texts.len()], texts.clone()).ok()
            }
            _ => None,
        });
    let value = value.ok_or_else(|| Mismatch::new("it has no value"))?;
    Ok(vec![Fact::constant(value)])
}

pub(super) fn constant_of_shape(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site
        .node()
        .tensor("value")
        .map_or(Element::F32, Tensor::element);
    Ok(vec![Fact::of(Some(element), shape_given(site, 0)?)])
}

/// A shape that an input holds.
fn shape_given(site: &Site, place: usize) -> Result<Option<Vec<Dim>>, Mismatch> {
    match (site.sizes(place), site.dims(place)) {
        (Some(sizes), _) => {
            let dims: Result<_, _> = sizes.iter().map(super::movement::dim_of).collect();
            dims.map(Some)
        }
        (None, Some([Dim::Known(rank)])) if *rank <= crate::model::RANK_LIMIT => {
            Ok(Some(vec![Dim::Unknown; *rank]))
        }
        _ => Ok(None),
    }
}

pub(super) fn range(site: &Site) -> Facts {
    site.needed(2)?;
    let one = |place: usize| site.constant(place).and_then(numbers::to_one);
    let count = match (one(0), one(1), one(2)) {
        (Some(_), Some(_), Some(0.0)) => return Err(Mismatch::new("its step is 0")),
        (Some(start), Some(limit), Some(step)) => {
            let count = ((limit - start) / step).ceil();
            if !count.is_finite() {
                return Err(Mismatch::new("its bounds are no numbers"));
            }
            computed((count as i128).max(0))?
        }
        // From 0 to a size, one by one: as many as the size.
        _ => match (site.sizes(0), site.sizes(1), site.sizes(2)) {
            (Some([Size::Known(0)]), Some([limit]), Some([Size::Known(1)])) => {
                super::movement::dim_of(limit)?
            }
            _ => Dim::Unknown,
        },
    };
    Ok(vec![Fact::of(site.element(0), Some(vec![count]))])
}

/// As large as the first input, in a type that may be said.
pub(super) fn like_first(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site.element_named("dtype")?.or(site.element(0));
    Ok(vec![Fact::of(element, site.dims(0).map(<[Dim]>::to_vec))])
}

/// Random numbers of a shape that is said.
pub(super) fn random(site: &Site) -> Facts {
    let element = site.element_named("dtype")?.unwrap_or(Element::F32);
    let shape = site
        .ints("shape")
        .ok_or_else(|| Mismatch::new("its shape is missing"))?;
    let dims = shape
        .iter()
        .map(|&size| computed(size.into()))
        .collect::<Result<_, _>>()?;
    Ok(vec![Fact::tensor(element, dims)])
}

pub(super) fn multinomial(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site.element_named("dtype")?.unwrap_or(Element::I32);
    let batch = site
        .dims(0)
        .and_then(<[Dim]>::first)
        .cloned()
        .unwrap_or(Dim::Unknown);
    let samples = computed(site.int_or("sample_size", 1).into())?;
    Ok(vec![Fact::tensor(element, vec![batch, samples])])
}

/// The sizes of a tensor, or some of them.
pub(super) fn shape(site: &Site) -> Facts {
    site.needed(0)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::tensor(Element::I64, vec![Dim::Unknown])]);
    };
    let rank = i64::try_from(dims.len()).unwrap_or(i64::MAX);
    let within = |bound: i64| {
        let bound = if bound < 0 {
            bound.saturating_add(rank)
        } else {
            bound
        };
        usize::try_from(bound.clamp(0, rank)).unwrap_or(0)
    };
    let (start, end) = (
        within(site.int_or("start", 0)),
        within(site.int_or("end", rank)),
    );
    let dims = dims.get(start..end).unwrap_or_default();
    let fact = Fact::tensor(Element::I64, vec![Dim::Known(dims.len())]);
    Ok(vec![
        fact.with_sizes(Some(dims.iter().map(Size::from).collect())),
    ])
}

/// The number of elements of a tensor.
pub(super) fn size(site: &Site) -> Facts {
    site.needed(0)?;
    let count = site.dims(0).map(product).transpose()?;
    let count = count
        .as_ref()
        .filter(|dim| wide(dim).is_some())
        .map(|dim| vec![Size::from(dim)]);
    Ok(vec![Fact::tensor(Element::I64, vec![]).with_sizes(count)])
}
