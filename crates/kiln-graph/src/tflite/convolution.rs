//! Convolutions of images in the layout NHWC.

use super::call::{Call, Converted};
use super::constants;
use crate::model::{Attribute, Element};

/// How a window goes over the height and the width of images.
pub(super) struct Window {
    pub(super) size: [usize; 2],
    pub(super) strides: [usize; 2],
    pub(super) dilations: [usize; 2],
    /// Whether what is given is as large as what is taken, strides aside.
    pub(super) is_same: bool,
}

impl Window {
    /// The attributes that ONNX's operators have for it.
    pub(super) fn attributes(&self, call: &Call) -> Result<Vec<(&'static str, Attribute)>, String> {
        let pair = |[height, width]: [usize; 2]| vec![height as i64, width as i64];
        let mut attributes = vec![
            ("kernel_shape", pair(self.size).into()),
            ("strides", pair(self.strides).into()),
        ];
        if self.dilations != [1, 1] {
            attributes.push(("dilations", pair(self.dilations).into()));
        }
        if !self.is_same {
            return Ok(attributes);
        }
        let info = call.info(0)?;
        let is_open = |axis: usize| info.signature.get(axis) == Some(&-1);
        if is_open(1) || is_open(2) {
            attributes.push(("auto_pad", "SAME_UPPER".into()));
            return Ok(attributes);
        }
        let [top, bottom] = self.padding(info.dims[1], 0)?;
        let [left, right] = self.padding(info.dims[2], 1)?;
        attributes.push(("pads", vec![top, left, bottom, right].into()));
        Ok(attributes)
    }

    /// What is padded before and behind one side; the odd one goes behind.
    fn padding(&self, side: usize, axis: usize) -> Result<[i64; 2], String> {
        let stride = self.strides[axis];
        let reach = self.dilations[axis].checked_mul(self.size[axis].saturating_sub(1));
        let taken = side.div_ceil(stride).saturating_sub(1).checked_mul(stride);
        let needed = taken.and_then(|taken| taken.checked_add(reach?)?.checked_add(1));
        let needed = needed.filter(|needed| *needed <= i32::MAX as usize);
        let needed = needed.ok_or("its window is too large")?;
        let all = needed.saturating_sub(side) as i64;
        Ok([all / 2, all - all / 2])
    }
}

/// Options that are sizes of at least 1.
pub(super) fn positive(call: &Call, field: usize, otherwise: i32) -> Result<usize, String> {
    let value = call.option_or(field, otherwise)?;
    let size = usize::try_from(value).ok().filter(|size| *size > 0);
    size.ok_or_else(|| format!("one of its options is {value} instead of a size"))
}

/// Refuses what is not images.
pub(super) fn images(call: &Call, input: usize) -> Result<(), String> {
    match call.info(input)?.dims.len() {
        4 => Ok(()),
        rank => Err(format!(
            "its input {input} has {rank} dimensions instead of 4"
        )),
    }
}

pub(super) fn conv_2d(call: &mut Call) -> Converted {
    let [_, height, width, depth] = filter(call)?;
    let channels = call.info(0)?.dims[3];
    if depth == 0 || channels % depth != 0 {
        return Err(format!("its filters take {depth} of {channels} channels"));
    }
    let window = Window {
        size: [height, width],
        strides: [positive(call, 2, 1)?, positive(call, 1, 1)?],
        dilations: [positive(call, 5, 1)?, positive(call, 4, 1)?],
        is_same: call.choice(0)? == 0,
    };
    let weights = weights(call, [0, 3, 1, 2])?;
    convolve(call, &window, &weights, channels / depth, 3)
}

pub(super) fn depthwise_conv_2d(call: &mut Call) -> Converted {
    let [first, height, width, outputs] = filter(call)?;
    let channels = call.info(0)?.dims[3];
    if first != 1 || channels == 0 || outputs % channels != 0 {
        return Err(format!(
            "its {outputs} filters do not fit {channels} channels"
        ));
    }
    let window = Window {
        size: [height, width],
        strides: [positive(call, 2, 1)?, positive(call, 1, 1)?],
        dilations: [positive(call, 6, 1)?, positive(call, 5, 1)?],
        is_same: call.choice(0)? == 0,
    };
    let weights = weights(call, [3, 0, 1, 2])?;
    convolve(call, &window, &weights, channels, 4)
}

/// The sizes of the filters.
fn filter(call: &Call) -> Result<[usize; 4], String> {
    images(call, 0)?;
    images(call, 1)?;
    let dims = &call.info(1)?.dims;
    Ok([dims[0], dims[1], dims[2], dims[3]])
}

fn convolve(
    call: &mut Call,
    window: &Window,
    weights: &str,
    groups: usize,
    activation: usize,
) -> Converted {
    let data = call.real(0)?;
    let data = call.network.in_channels_first(&data);
    let bias = call.optional(2)?;
    let mut attributes = window.attributes(call)?;
    if groups != 1 {
        attributes.push(("group", (groups as i64).into()));
    }
    let mut inputs = vec![data.as_str(), weights];
    inputs.extend(bias.as_deref());
    let value = call.graph().node("Conv", &inputs, &attributes);
    let value = call.activated(activation, value)?;
    Ok(vec![call.network.in_channels_last(value)])
}

pub(super) fn transpose_conv(call: &mut Call) -> Converted {
    images(call, 1)?;
    images(call, 2)?;
    let shape = call.constant(0)?;
    let sides = call.info(2)?.dims[1..3].to_vec();
    let size = [call.info(1)?.dims[1], call.info(1)?.dims[2]];
    let strides = [positive(call, 2, 1)?, positive(call, 1, 1)?];
    let is_same = call.choice(0)? == 0;
    let [mut pads, mut more] = [vec![0_i64; 4], vec![0_i64; 2]];
    for axis in 0..2 {
        let beyond = match &shape {
            // The usual sizes, for any images.
            None if is_same => size[axis] as i64 - strides[axis] as i64,
            None => (size[axis] as i64 - strides[axis] as i64).min(0),
            Some(shape) => {
                let wanted = *shape.get(axis + 1).ok_or("its shape is not of images")?;
                beyond(sides[axis], strides[axis], size[axis], wanted)?
            }
        };
        pads[axis] = beyond.max(0) / 2;
        pads[axis + 2] = beyond.max(0) - pads[axis];
        more[axis] = (-beyond).max(0);
    }
    let weights = weights(call, [3, 0, 1, 2])?;
    let data = call.real(2)?;
    let data = call.network.in_channels_first(&data);
    let bias = call.optional(3)?;
    let mut inputs = vec![data.as_str(), &weights];
    inputs.extend(bias.as_deref());
    let pair = |[height, width]: [usize; 2]| vec![height as i64, width as i64];
    let attributes = [
        ("kernel_shape", pair(size).into()),
        ("strides", pair(strides).into()),
        ("pads", pads.into()),
        ("output_padding", more.into()),
    ];
    let value = call.graph().node("ConvTranspose", &inputs, &attributes);
    let value = call.activated(3, value)?;
    Ok(vec![call.network.in_channels_last(value)])
}

/// How much more a transposed convolution gives along one side than is wanted.
fn beyond(side: usize, stride: usize, size: usize, wanted: i64) -> Result<i64, String> {
    let gaps = side
        .checked_sub(1)
        .and_then(|gaps| gaps.checked_mul(stride));
    let all = gaps.and_then(|gaps| gaps.checked_add(size));
    let all = all.and_then(|all| i64::try_from(all).ok());
    let beyond = all.and_then(|all| all.checked_sub(wanted));
    let beyond = beyond.filter(|beyond| beyond.unsigned_abs() < 1 << 31);
    beyond.ok_or_else(|| "its sizes are too large".to_owned())
}

/// The filters, their dimensions in another order.
fn weights(call: &mut Call, order: [usize; 4]) -> Result<String, String> {
    let info = call.info(1)?;
    let tensor = call
        .weights(1)?
        .filter(|tensor| tensor.element() != Element::I4);
    let Some(tensor) = tensor else {
        let value = call.real(1)?;
        return Ok(call
            .graph()
            .transpose(&value, &order.map(|axis| axis as i64)));
    };
    let tensor = constants::permuted(call.network, &tensor, &order)?;
    let value = call.graph().constant(&info.name, tensor);
    match &info.quantisation {
        None => Ok(value),
        Some(one) => one.dequantise_permuted(call.graph(), &value, info, &order),
    }
}
