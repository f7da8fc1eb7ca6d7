//! Operators that gather over places of images, and those that make images
//! larger or smaller.

use super::call::{Call, Converted};
use super::convolution::{Window, images, positive};
use crate::model::Attribute;

pub(super) fn average(call: &mut Call) -> Converted {
    pool(call, "AveragePool")
}

pub(super) fn max(call: &mut Call) -> Converted {
    pool(call, "MaxPool")
}

fn pool(call: &mut Call, operator: &str) -> Converted {
    images(call, 0)?;
    let window = Window {
        size: [positive(call, 4, 1)?, positive(call, 3, 1)?],
        strides: [positive(call, 2, 1)?, positive(call, 1, 1)?],
        dilations: [1, 1],
        is_same: call.choice(0)? == 0,
    };
    let data = call.real(0)?;
    let data = call.network.in_channels_first(&data);
    let attributes = window.attributes(call)?;
    let value = call.graph().node(operator, &[&data], &attributes);
    let value = call.activated(5, value)?;
    Ok(vec![call.network.in_channels_last(value)])
}

pub(super) fn resize_bilinear(call: &mut Call) -> Converted {
    let how = match (call.flag(2)?, call.flag(3)?) {
        (true, _) => "align_corners",
        (false, true) => "half_pixel",
        (false, false) => "asymmetric",
    };
    let how = [
        ("mode", "linear".into()),
        ("coordinate_transformation_mode", how.into()),
    ];
    resize(call, &how)
}

pub(super) fn resize_nearest(call: &mut Call) -> Converted {
    let (how, rounding) = match (call.flag(0)?, call.flag(1)?) {
        (true, _) => ("align_corners", "round_prefer_ceil"),
        (false, true) => ("half_pixel", "round_prefer_ceil"),
        (false, false) => ("asymmetric", "floor"),
    };
    let how: [(&str, Attribute); 3] = [
        ("mode", "nearest".into()),
        ("coordinate_transformation_mode", how.into()),
        ("nearest_mode", rounding.into()),
    ];
    resize(call, &how)
}

fn resize(call: &mut Call, how: &[(&str, Attribute)]) -> Converted {
    images(call, 0)?;
    let data = call.real(0)?;
    let data = call.network.in_channels_first(&data);
    let sides = call.sizes(1)?;
    let graph = call.graph();
    let own = graph.node("Shape", &[&data], &[]);
    let kept = graph.slice(&own, 0, 0, 2);
    let sizes = graph.node("Concat", &[&kept, &sides], &[("axis", 0_i64.into())]);
    let value = graph.node("Resize", &[&data, "", "", &sizes], how);
    Ok(vec![call.network.in_channels_last(value)])
}

pub(super) fn space_to_depth(call: &mut Call) -> Converted {
    blocks(call, "SpaceToDepth")
}

pub(super) fn depth_to_space(call: &mut Call) -> Converted {
    blocks(call, "DepthToSpace")
}

fn blocks(call: &mut Call, operator: &str) -> Converted {
    images(call, 0)?;
    let size = positive(call, 0, 1)? as i64;
    let data = call.real(0)?;
    let data = call.network.in_channels_first(&data);
    let value = call
        .graph()
        .node(operator, &[&data], &[("blocksize", size.into())]);
    Ok(vec![call.network.in_channels_last(value)])
}

pub(super) fn local_response(call: &mut Call) -> Converted {
    images(call, 0)?;
    let size = call
        .option(0)?
        .checked_mul(2)
        .and_then(|both| both.checked_add(1));
    let size = size
        .filter(|size| *size > 0)
        .ok_or("its radius is no size")?;
    let data = call.real(0)?;
    let data = call.network.in_channels_first(&data);
    let attributes = [
        ("size", i64::from(size).into()),
        ("bias", call.number(1)?.into()),
        // ONNX divides it by the size.
        ("alpha", (call.number(2)? * size as f32).into()),
        ("beta", call.number(3)?.into()),
    ];
    let value = call.graph().node("LRN", &[&data], &attributes);
    Ok(vec![call.network.in_channels_last(value)])
}
