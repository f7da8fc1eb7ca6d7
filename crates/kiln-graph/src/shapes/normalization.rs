//! Normalizations, and attention.

use super::dim::{Mismatch, axis_within, written};
use super::elementwise::alike;
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element};

/// The input; in training also the statistics.
pub(super) fn batch(site: &Site) -> Facts {
    let mut facts = alike(site)?;
    if let (Some([_, channels, ..]), Some([scale])) = (site.dims(0), site.dims(1))
        && let (Some(one), Some(two)) = (channels.known(), scale.known())
        && one != two
    {
        return Err(Mismatch(format!(
            "its input of {} has {one} channels, where it scales {two}",
            site.needed(0)?.written()
        )));
    }
    let statistics = Fact::of(site.element(3), site.dims(3).map(<[Dim]>::to_vec));
    facts.resize(5, statistics);
    Ok(facts)
}

/// The input, and the mean and the deviation of what was normalized.
pub(super) fn layer(site: &Site) -> Facts {
    let mut facts = alike(site)?;
    let statistics = match site.dims(0) {
        Some(dims) => {
            let axis = axis_within(site.int_or("axis", -1), dims.len())?;
            let shrunk = |(place, dim): (usize, &Dim)| {
                if place < axis {
                    dim.clone()
                } else {
                    Dim::Known(1)
                }
            };
            Some(dims.iter().enumerate().map(shrunk).collect())
        }
        None => None,
    };
    let element = site.element_named("stash_type")?.unwrap_or(Element::F32);
    facts.resize(3, Fact::of(Some(element), statistics));
    Ok(facts)
}

/// Along one axis, which must be there.
pub(super) fn along_axis(site: &Site) -> Facts {
    if let Some(dims) = site.needed(0)?.dims() {
        site.axis(-1, dims.len().max(1))?;
    }
    alike(site)
}

/// Attention: what is asked for, in the size of the values. The past's keys and
/// values come before the present's.
pub(super) fn attention(site: &Site) -> Facts {
    site.needed(2)?;
    let (Some(query), Some(key), Some(value)) = (site.dims(0), site.dims(1), site.dims(2)) else {
        return Ok(vec![Fact::of(site.element(0), None); 4]);
    };
    let heads = |name: &str, fallback: &Dim| {
        let heads = site
            .node()
            .int(name)
            .and_then(|heads| usize::try_from(heads).ok());
        heads.map_or(fallback.clone(), Dim::Known)
    };
    let split = |dims: &[Dim], name: &str| match dims {
        [batch, heads, length, size] => {
            Ok([batch.clone(), heads.clone(), length.clone(), size.clone()])
        }
        [batch, length, hidden] => {
            let heads = heads(name, &Dim::Unknown);
            let size = match (hidden.known(), heads.known()) {
                (Some(hidden), Some(heads)) if heads > 0 => Dim::Known(hidden / heads),
                _ => Dim::Unknown,
            };
            Ok([batch.clone(), heads, length.clone(), size])
        }
        other => Err(Mismatch(format!(
            "its input of {} is not of rank 3 or 4",
            written(other)
        ))),
    };
    let queries = split(query, "q_num_heads")?;
    let (keys, values) = (split(key, "kv_num_heads")?, split(value, "kv_num_heads")?);
    let output = match query {
        [batch, length, _] => {
            let size = match (queries[1].known(), values[3].known()) {
                (Some(heads), Some(size)) => heads.checked_mul(size).map(Dim::Known),
                _ => None,
            };
            vec![batch.clone(), length.clone(), size.unwrap_or(Dim::Unknown)]
        }
        _ => vec![
            queries[0].clone(),
            queries[1].clone(),
            queries[2].clone(),
            values[3].clone(),
        ],
    };
    let total = match (site.dims(4), keys[2].known()) {
        (None, _) => keys[2].clone(),
        (Some([_, _, past, _]), Some(present)) => past
            .known()
            .and_then(|past| past.checked_add(present))
            .map_or(Dim::Unknown, Dim::Known),
        _ => Dim::Unknown,
    };
    let present = |dims: &[Dim; 4]| {
        vec![
            dims[0].clone(),
            dims[1].clone(),
            total.clone(),
            dims[3].clone(),
        ]
    };
    let scores = vec![
        queries[0].clone(),
        queries[1].clone(),
        queries[2].clone(),
        total.clone(),
    ];
    let of = |dims: Vec<Dim>| Fact::of(site.element(0), Some(dims));
    Ok(vec![
        of(output),
        of(present(&keys)),
        of(present(&values)),
        of(scores),
    ])
}
