//! Operators that sample an image at other places: resizing, grids and regions.

use super::dim::{Mismatch, axis_within, computed, wide, written};
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element};

pub(super) fn resize(site: &Site) -> Facts {
    site.needed(0)?;
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let axes = site.axes_or_all(dims.len())?;
    let fits = |length: usize| match length == axes.len() {
        true => Ok(()),
        false => Err(Mismatch(format!(
            "it resizes {length} axes of a tensor of {}, where there should be {}",
            written(dims),
            axes.len()
        ))),
    };
    let mut out = dims.to_vec();
    if let Some(sizes) = site.sizes(3).filter(|sizes| !sizes.is_empty()) {
        fits(sizes.len())?;
        let wanted: Vec<Dim> = sizes
            .iter()
            .map(super::movement::dim_of)
            .collect::<Result<_, _>>()?;
        let wanted = kept_aspect(site, dims, &axes, wanted)?;
        axes.iter()
            .zip(wanted)
            .for_each(|(&axis, size)| out[axis] = size);
    } else if let Some(scales) = site.reals_of(2).filter(|scales| !scales.is_empty()) {
        fits(scales.len())?;
        let crops =
            site.node().text("coordinate_transformation_mode") == Some("tf_crop_and_resize");
        let regions = site
            .reals_of(1)
            .filter(|regions| crops && regions.len() == 2 * axes.len());
        for (place, (&axis, scale)) in axes.iter().zip(scales).enumerate() {
            let part = regions
                .as_ref()
                .map_or(1.0, |r| r[place + axes.len()] - r[place]);
            out[axis] = scaled(&dims[axis], scale * part)?;
        }
    } else {
        axes.iter().for_each(|&axis| out[axis] = Dim::Unknown);
    }
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

/// Scales are stored as 32-bit numbers, and the product is cut off.
fn scaled(dim: &Dim, scale: f64) -> Result<Dim, Mismatch> {
    if scale == 1.0 {
        return Ok(dim.clone());
    }
    match dim.known() {
        Some(size) => computed((size as f64 * scale).floor() as i128),
        None => Ok(Dim::Unknown),
    }
}

/// Sizes of which the largest or smallest change decides for all.
fn kept_aspect(
    site: &Site,
    dims: &[Dim],
    axes: &[usize],
    wanted: Vec<Dim>,
) -> Result<Vec<Dim>, Mismatch> {
    let policy = site.text_or("keep_aspect_ratio_policy", "stretch");
    if policy == "stretch" {
        return Ok(wanted);
    }
    let ratio = |(&axis, wanted): (&usize, &Dim)| {
        Some(wanted.known()? as f64 / dims[axis].known().filter(|size| *size > 0)? as f64)
    };
    let ratios: Option<Vec<f64>> = axes.iter().zip(&wanted).map(ratio).collect();
    let Some(ratios) = ratios else {
        return Ok(vec![Dim::Unknown; axes.len()]);
    };
    let scale = match policy {
        "not_larger" => ratios.iter().copied().fold(f64::INFINITY, f64::min),
        _ => ratios.iter().copied().fold(0.0, f64::max),
    };
    let each = axes.iter().map(|&axis| match dims[axis].known() {
        Some(size) => computed((size as f64 * scale).round() as i128),
        None => Ok(Dim::Unknown),
    });
    each.collect()
}

/// The size of the grid, in the channels of the image.
pub(super) fn grid_sample(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match (site.dims(0), site.dims(1)) {
        (Some([batch, channels, rest @ ..]), Some(grid)) if grid.len() == rest.len() + 2 => {
            let mut out = vec![batch.clone(), channels.clone()];
            out.extend_from_slice(&grid[1..grid.len() - 1]);
            Some(out)
        }
        (Some(image), Some(grid)) => {
            let (image, grid) = (written(image), written(grid));
            return Err(Mismatch(format!(
                "a grid of {grid} is none for an image of {image}"
            )));
        }
        _ => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// Where each pixel of an image comes from.
pub(super) fn affine_grid(site: &Site) -> Facts {
    site.needed(1)?;
    let dims = match (site.sizes(1), site.dims(1)) {
        (None, Some([Dim::Known(rank @ 4..=5)])) => {
            let mut out = vec![Dim::Unknown; *rank];
            out[rank - 1] = Dim::Known(rank - 2);
            Some(out)
        }
        (Some([batch, _, rest @ ..]), _) => {
            let mut out = vec![super::movement::dim_of(batch)?];
            for size in rest {
                out.push(super::movement::dim_of(size)?);
            }
            out.push(Dim::Known(rest.len()));
            Some(out)
        }
        _ => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// A picture of a fixed size of each region.
pub(super) fn regions(site: &Site) -> Facts {
    site.needed(1)?;
    let channels = site
        .dims(0)
        .and_then(|dims| dims.get(1))
        .cloned()
        .unwrap_or(Dim::Unknown);
    let count = site
        .dims(1)
        .and_then(<[Dim]>::first)
        .cloned()
        .unwrap_or(Dim::Unknown);
    let (height, width) = match site.ints("pooled_shape") {
        Some(&[height, width]) => (height, width),
        Some(other) => return Err(Mismatch(format!("its pooled shape is {other:?}"))),
        None => (
            site.int_or("output_height", 1),
            site.int_or("output_width", 1),
        ),
    };
    let (height, width) = (computed(height.into())?, computed(width.into())?);
    Ok(vec![Fact::of(
        site.element(0),
        Some(vec![count, channels, height, width]),
    )])
}

/// Frames of a signal in frequencies.
pub(super) fn short_time_fourier(site: &Site) -> Facts {
    site.needed(1)?;
    let window = site.dims(2).and_then(<[Dim]>::first).and_then(wide);
    let frame = site.int_of(3).map(i128::from).or(window);
    let one_sided = site.int_or("onesided", 1) != 0;
    let dims = match (site.dims(0), frame, site.int_of(1)) {
        (Some([batch, length, ..]), Some(frame), Some(step)) if frame > 0 && step > 0 => {
            let frames = match wide(length) {
                Some(length) if length >= frame => {
                    computed((length - frame) / i128::from(step) + 1)?
                }
                Some(length) => {
                    return Err(Mismatch(format!(
                        "a frame of {frame} is longer than {length}"
                    )));
                }
                None => Dim::Unknown,
            };
            let bins = if one_sided { frame / 2 + 1 } else { frame };
            vec![batch.clone(), frames, computed(bins)?, Dim::Known(2)]
        }
        (dims, ..) => {
            let batch = dims
                .and_then(<[Dim]>::first)
                .cloned()
                .unwrap_or(Dim::Unknown);
            vec![batch, Dim::Unknown, Dim::Unknown, Dim::Known(2)]
        }
    };
    Ok(vec![Fact::of(site.element(0), Some(dims))])
}

/// A signal in frequencies, or back.
pub(super) fn fourier(site: &Site) -> Facts {
    site.needed(0)?;
    let Some(dims) = site.dims(0).filter(|dims| dims.len() >= 2) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let (one_sided, inverse) = (site.is_on("onesided"), site.is_on("inverse"));
    let mut out = dims.to_vec();
    // The axis was an attribute that counted from 1 before it was an input.
    let axis = match (site.input(2), site.int_of(2), site.node().int("axis")) {
        (Some(_), axis, _) => axis,
        (None, _, Some(axis)) => Some(axis),
        (None, _, None) => Some(-2),
    };
    let Some(axis) = axis else {
        if site.input(1).is_none() && !one_sided {
            let last = out.len() - 1;
            out[last] = Dim::Known(2);
            return Ok(vec![Fact::of(site.element(0), Some(out))]);
        }
        return Ok(vec![Fact::of(
            site.element(0),
            Some(vec![Dim::Unknown; dims.len()]),
        )]);
    };
    let axis = axis_within(axis, dims.len())?;
    if site.input(1).is_some() {
        out[axis] = match site.int_of(1) {
            Some(length) => computed(length.into())?,
            None => Dim::Unknown,
        };
    }
    if one_sided {
        out[axis] = match wide(&out[axis]) {
            Some(size) if inverse => computed((size - 1).max(0) * 2)?,
            Some(size) => computed(size / 2 + 1)?,
            None => Dim::Unknown,
        };
    }
    let last = out.len() - 1;
    out[last] = Dim::Known(if one_sided && inverse { 1 } else { 2 });
    Ok(vec![Fact::of(site.element(0), Some(out))])
}

/// A window to weigh a signal with.
pub(super) fn signal_window(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site
        .element_named("output_datatype")?
        .unwrap_or(Element::F32);
    let length = match site.int_of(0) {
        Some(length) => computed(length.into())?,
        None => Dim::Unknown,
    };
    Ok(vec![Fact::tensor(element, vec![length])])
}

/// Weights from frequencies to those that the ear tells apart.
pub(super) fn mel_weights(site: &Site) -> Facts {
    site.needed(4)?;
    let element = site
        .element_named("output_datatype")?
        .unwrap_or(Element::F32);
    let bins = site
        .int_of(1)
        .map(|length| computed(i128::from(length) / 2 + 1))
        .transpose()?;
    let mels = site
        .int_of(0)
        .map(|mels| computed(mels.into()))
        .transpose()?;
    let dims = [bins, mels].map(|dim| dim.unwrap_or(Dim::Unknown));
    Ok(vec![Fact::tensor(element, dims.to_vec())])
}
