//! Operators that join tensors, repeat them, or turn channels into pixels.

use super::dim::{Mismatch, axis_within, broadcast, computed, meet, wide, written};
use super::fact::Fact;
use super::movement::dim_of;
use super::{Facts, Site};
use crate::model::{Dim, RANK_LIMIT};

pub(super) fn expand(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match (site.dims(0), site.sizes(1)) {
        (Some(dims), Some(sizes)) => {
            let wanted: Vec<Dim> = sizes.iter().map(dim_of).collect::<Result<_, _>>()?;
            Some(broadcast(dims, &wanted)?)
        }
        (Some(dims), None) => match site.dims(1) {
            Some([Dim::Known(rank)]) if *rank <= RANK_LIMIT => {
                Some(broadcast(dims, &vec![Dim::Unknown; *rank])?)
            }
            _ => None,
        },
        _ => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

pub(super) fn tile(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match (site.dims(0), site.sizes(1)) {
        (Some(dims), Some(times)) if dims.len() == times.len() => {
            let each =
                dims.iter()
                    .zip(times)
                    .map(|(dim, times)| match (wide(dim), times.known()) {
                        (_, Some(1)) => Ok(dim.clone()),
                        (Some(size), Some(times)) => computed(size * i128::from(times)),
                        _ => Ok(Dim::Unknown),
                    });
            Some(each.collect::<Result<_, _>>()?)
        }
        (Some(dims), Some(times)) => {
            let (shape, times) = (written(dims), times.len());
            return Err(Mismatch(format!(
                "it repeats a tensor of {shape} along {times} axes"
            )));
        }
        (Some(dims), None) => Some(vec![Dim::Unknown; dims.len()]),
        (None, _) => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

pub(super) fn concat(site: &Site) -> Facts {
    site.needed(0)?;
    let element = (0..site.inputs().len()).find_map(|place| site.element(place));
    let all: Option<Vec<&[Dim]>> = (0..site.inputs().len())
        .map(|place| site.dims(place))
        .collect();
    let Some(all) = all else {
        return Ok(vec![Fact::of(element, None)]);
    };
    let axis = axis_within(site.needed_int("axis")?, all[0].len())?;
    Ok(vec![Fact::of(element, Some(concatenated(&all, axis)?))])
}

fn concatenated(all: &[&[Dim]], axis: usize) -> Result<Vec<Dim>, Mismatch> {
    let mut out = all[0].to_vec();
    for dims in &all[1..] {
        let refused = || {
            let (one, two) = (written(all[0]), written(dims));
            Mismatch(format!(
                "tensors of {one} and {two} cannot be joined along axis {axis}"
            ))
        };
        if dims.len() != out.len() {
            return Err(refused());
        }
        for (place, dim) in dims.iter().enumerate() {
            out[place] = match (place == axis, wide(&out[place]), wide(dim)) {
                (true, Some(one), Some(two)) => computed(one + two)?,
                (true, ..) => Dim::Unknown,
                (false, ..) => meet(&out[place], dim).ok_or_else(refused)?,
            };
        }
    }
    Ok(out)
}

/// Channels to blocks of pixels, or back.
pub(super) fn blocks(site: &Site) -> Facts {
    site.needed(0)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let [batch, channels, height, width] = dims else {
        return Err(Mismatch(format!(
            "its input of shape {} is not of rank 4",
            written(dims)
        )));
    };
    let block = i128::from(site.needed_int("blocksize")?);
    if block < 1 {
        return Err(Mismatch(format!("its block size is {block}")));
    }
    let times = |dim: &Dim, by: i128| match wide(dim).map(|size| size.checked_mul(by)) {
        Some(Some(size)) => computed(size),
        _ => Ok(Dim::Unknown),
    };
    let over = |dim: &Dim, by: i128| match wide(dim) {
        Some(size) if size % by == 0 => computed(size / by),
        Some(size) => Err(Mismatch(format!(
            "a size of {size} cannot be cut into blocks of {by}"
        ))),
        None => Ok(Dim::Unknown),
    };
    let square = block * block;
    let rest = if site.operator() == "DepthToSpace" {
        [
            over(channels, square)?,
            times(height, block)?,
            times(width, block)?,
        ]
    } else {
        [
            times(channels, square)?,
            over(height, block)?,
            over(width, block)?,
        ]
    };
    let dims = std::iter::once(batch.clone()).chain(rest).collect();
    Ok(vec![Fact::of(site.element(0), Some(dims))])
}
