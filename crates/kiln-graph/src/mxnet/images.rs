//! Operators that make images larger or smaller.

use super::call::{Call, Converted, Value, size};
use super::convolution::wide;

pub(super) fn pad(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let widths = call.attributes.list("pad_width")?.unwrap_or_default();
    if widths.len() != 2 * data.dims.len() || widths.iter().any(|width| *width < 0) {
        return Err("its pad_width is not that of its input".to_owned());
    }
    let (pairs, _) = widths.as_chunks::<2>();
    let mut dims = data.dims.clone();
    for (size, [before, behind]) in dims.iter_mut().zip(pairs) {
        let more = before.saturating_add(*behind);
        *size = size.saturating_add(self::size(more)?);
    }
    let mode = match call.attributes.text("mode").unwrap_or("constant") {
        mode @ ("constant" | "edge" | "reflect") => mode,
        other => return Err(format!("its mode {other} is not implemented")),
    };
    let mode = [("mode", mode.into())];
    let value = call.attributes.float("constant_value", 0.0)?;
    let before = pairs.iter().map(|[before, _]| *before);
    let pads: Vec<i64> = before
        .chain(pairs.iter().map(|[_, behind]| *behind))
        .collect();
    let (pads, value) = (call.graph.list(&pads), call.graph.scalar(value));
    let name = call.graph.node("Pad", &[&data.name, &pads, &value], &mode);
    Ok(vec![Value { name, dims }])
}

pub(super) fn upsampling(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let scale = size(call.attributes.int("scale")?.ok_or("it has no scale")?)?;
    if scale == 0 {
        return Err("its scale is 0".to_owned());
    }
    match call.attributes.text("sample_type").unwrap_or("nearest") {
        "nearest" if call.inputs.len() == 1 => {
            let sides = [
                data.dims[2].saturating_mul(scale),
                data.dims[3].saturating_mul(scale),
            ];
            resized(call, &data, sides, "nearest", "asymmetric")
        }
        "nearest" => Err("several inputs are not implemented".to_owned()),
        "bilinear" => by_weight(call, &data, scale),
        other => Err(format!("its sample_type {other} is not implemented")),
    }
}

/// What is called bilinear is a deconvolution of each channel with a weight.
fn by_weight(call: &mut Call, data: &Value, scale: usize) -> Converted {
    let weight = call.ranked(1, 4)?;
    let channels = data.dims[1];
    let kernel = scale.saturating_mul(2) - scale % 2;
    if weight.dims[..] != [channels, 1, kernel, kernel] {
        return Err(format!("its weight has the sizes {:?}", weight.dims));
    }
    let pad = (scale - 1).div_ceil(2);
    let sides = [
        data.dims[2].saturating_mul(scale),
        data.dims[3].saturating_mul(scale),
    ];
    let attributes = [
        ("kernel_shape", wide(&[kernel, kernel]).into()),
        ("strides", wide(&[scale, scale]).into()),
        ("pads", wide(&[pad; 4]).into()),
        ("group", (channels as i64).into()),
    ];
    let dims = vec![data.dims[0], channels, sides[0], sides[1]];
    Ok(vec![call.node(
        "ConvTranspose",
        &[data, &weight],
        &attributes,
        dims,
    )])
}

pub(super) fn bilinear_resize(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    match call.attributes.text("mode") {
        None | Some("size") => {}
        Some(other) => return Err(format!("its mode {other} is not implemented")),
    }
    let scaled = |name: &str, side: usize| match call.attributes.text(name) {
        None => Ok(None),
        Some(_) => {
            let factor = call.attributes.float(name, 1.0)?;
            size((data.dims[side] as f32 * factor) as i64).map(Some)
        }
    };
    let asked = |name: &str| call.attributes.int(name)?.map_or(Ok(1), size);
    let height = scaled("scale_height", 2)?.map_or_else(|| asked("height"), Ok)?;
    let width = scaled("scale_width", 3)?.map_or_else(|| asked("width"), Ok)?;
    let corners = call.attributes.flag("align_corners", true)?;
    let how = if corners {
        "align_corners"
    } else {
        "half_pixel"
    };
    resized(call, &data, [height, width], "linear", how)
}

fn resized(call: &mut Call, data: &Value, sides: [usize; 2], mode: &str, how: &str) -> Converted {
    let dims = vec![data.dims[0], data.dims[1], sides[0], sides[1]];
    let sizes = call.graph.list(&wide(&dims));
    let attributes = [
        ("mode", mode.into()),
        ("coordinate_transformation_mode", how.into()),
        ("nearest_mode", "floor".into()),
    ];
    let name = call
        .graph
        .node("Resize", &[&data.name, "", "", &sizes], &attributes);
    Ok(vec![Value { name, dims }])
}

pub(super) fn depth_to_space(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let block = block(call)?;
    let area = block.saturating_mul(block);
    if !data.dims[1].is_multiple_of(area) {
        return Err(format!(
            "{} channels do not divide into blocks of {area}",
            data.dims[1]
        ));
    }
    let sides = [2, 3].map(|side| data.dims[side].saturating_mul(block));
    let dims = vec![data.dims[0], data.dims[1] / area, sides[0], sides[1]];
    let with = [("blocksize", (block as i64).into())];
    Ok(vec![call.node("DepthToSpace", &[&data], &with, dims)])
}

pub(super) fn space_to_depth(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let block = block(call)?;
    let [height, width] = [data.dims[2], data.dims[3]];
    if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
        return Err(format!(
            "{height}x{width} does not divide into blocks of {block}"
        ));
    }
    let channels = data.dims[1].saturating_mul(block).saturating_mul(block);
    let dims = vec![data.dims[0], channels, height / block, width / block];
    let with = [("blocksize", (block as i64).into())];
    Ok(vec![call.node("SpaceToDepth", &[&data], &with, dims)])
}

fn block(call: &Call) -> Result<usize, String> {
    let block = size(call.attributes.int("block_size")?.unwrap_or(0))?;
    match block {
        0 => Err("its block_size is 0".to_owned()),
        block => Ok(block),
    }
}
