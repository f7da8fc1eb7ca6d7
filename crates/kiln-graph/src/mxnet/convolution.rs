//! Convolutions over any number of sides.

use super::call::{Call, Converted, Value, size};

/// How a window goes over each side.
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) stride: Vec<usize>,
    pub(super) pad: Vec<usize>,
    pub(super) dilate: Vec<usize>,
}

impl Window {
    /// Reads it from the attributes; it has as many sides as `data`.
    pub(super) fn read(call: &Call, data: &Value) -> Result<Self, String> {
        let sides = data.dims.len().saturating_sub(2);
        let list = |name: &str, otherwise: i64, least: i64| {
            let list = call.attributes.list(name)?.filter(|list| !list.is_empty());
            let list = list.unwrap_or_else(|| vec![otherwise; sides]);
            if list.len() != sides || list.iter().any(|size| !(least..=1 << 24).contains(size)) {
                return Err(format!("its attribute {name} is not {sides} sizes"));
            }
            list.into_iter()
                .map(size)
                .collect::<Result<Vec<usize>, String>>()
        };
        Ok(Self {
            kernel: list("kernel", 0, 1)?,
            stride: list("stride", 1, 1)?,
            pad: list("pad", 0, 0)?,
            dilate: list("dilate", 1, 1)?,
        })
    }

    /// How far the kernel reaches along one side.
    fn reach(&self, side: usize) -> usize {
        self.dilate[side]
            .saturating_mul(self.kernel[side] - 1)
            .saturating_add(1)
    }
}

/// Sizes as ONNX wants them.
pub(super) fn wide(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|size| *size as i64).collect()
}

/// Refuses layouts other than those that begin with batch and channels.
pub(super) fn check_layout(call: &Call) -> Result<(), String> {
    match call.attributes.text("layout") {
        None | Some("NCHW" | "NCW" | "NCDHW") => Ok(()),
        Some(layout) => Err(format!("its layout {layout} is not implemented")),
    }
}

pub(super) fn convolution(call: &mut Call) -> Converted {
    check_layout(call)?;
    let (data, weight) = (call.ranked(0, 3)?, call.input(1)?);
    let window = Window::read(call, &data)?;
    let groups = size(call.attributes.int("num_group")?.unwrap_or(1))?.max(1);
    let fits = weight.dims.len() == data.dims.len()
        && weight.dims[2..] == window.kernel[..]
        && weight.dims[1].checked_mul(groups) == Some(data.dims[1])
        && weight.dims[0].is_multiple_of(groups);
    if !fits {
        return Err(format!(
            "its weight of sizes {:?} does not fit input of sizes {:?}",
            weight.dims, data.dims
        ));
    }
    let mut dims = vec![data.dims[0], weight.dims[0]];
    for (side, length) in data.dims[2..].iter().enumerate() {
        let room = (length + 2 * window.pad[side]).checked_sub(window.reach(side));
        let room = room.ok_or("its kernel is larger than its input")?;
        dims.push(room / window.stride[side] + 1);
    }
    let attributes = [
        ("kernel_shape", wide(&window.kernel).into()),
        ("strides", wide(&window.stride).into()),
        ("dilations", wide(&window.dilate).into()),
        (
            "pads",
            wide(&[&window.pad[..], &window.pad].concat()).into(),
        ),
        ("group", (groups as i64).into()),
    ];
    let bias = bias(call, 2, false, dims[1])?;
    let inputs: Vec<&Value> = [&data, &weight].into_iter().chain(&bias).collect();
    Ok(vec![call.node("Conv", &inputs, &attributes, dims)])
}

/// The bias, unless there is said to be none.
pub(super) fn bias(
    call: &Call,
    place: usize,
    is_absent: bool,
    channels: usize,
) -> Result<Option<Value>, String> {
    if call.attributes.flag("no_bias", is_absent)? {
        return Ok(None);
    }
    let bias = call.input(place)?;
    match bias.dims[..] == [channels] {
        true => Ok(Some(bias)),
        false => Err(format!(
            "its bias has the sizes {:?} instead of [{channels}]",
            bias.dims
        )),
    }
}

pub(super) fn deconvolution(call: &mut Call) -> Converted {
    check_layout(call)?;
    let (data, weight) = (call.ranked(0, 3)?, call.input(1)?);
    let mut window = Window::read(call, &data)?;
    let groups = size(call.attributes.int("num_group")?.unwrap_or(1))?.max(1);
    let fits = weight.dims.len() == data.dims.len()
        && weight.dims[2..] == window.kernel[..]
        && weight.dims[0] == data.dims[1]
        && weight.dims[0].is_multiple_of(groups);
    if !fits {
        return Err(format!(
            "its weight of sizes {:?} does not fit input of sizes {:?}",
            weight.dims, data.dims
        ));
    }
    let sides = window.kernel.len();
    let adjust = call.attributes.list("adj")?.filter(|list| !list.is_empty());
    let adjust = adjust.unwrap_or_else(|| vec![0; sides]);
    let mut adjust = adjust
        .into_iter()
        .map(size)
        .collect::<Result<Vec<usize>, String>>()?;
    let target = call
        .attributes
        .list("target_shape")?
        .filter(|list| !list.is_empty());
    let mut dims = vec![data.dims[0], weight.dims[1].saturating_mul(groups)];
    for (side, length) in data.dims[2..].iter().enumerate() {
        let all = window.stride[side].saturating_mul(length.saturating_sub(1));
        let all = all.saturating_add(window.reach(side));
        if let Some(target) = target.as_ref().and_then(|target| target.get(side)) {
            let beyond = all
                .checked_sub(size(*target)?)
                .ok_or("its target is too large")?;
            window.pad[side] = beyond.div_ceil(2);
            adjust.resize(sides, 0);
            adjust[side] = beyond % 2;
        }
        let more = adjust.get(side).ok_or("its attribute adj is too short")?;
        let kept = all.saturating_add(*more).checked_sub(2 * window.pad[side]);
        dims.push(kept.ok_or("its padding is larger than what it gives")?);
    }
    let attributes = [
        ("kernel_shape", wide(&window.kernel).into()),
        ("strides", wide(&window.stride).into()),
        ("dilations", wide(&window.dilate).into()),
        (
            "pads",
            wide(&[&window.pad[..], &window.pad].concat()).into(),
        ),
        ("output_padding", wide(&adjust).into()),
        ("group", (groups as i64).into()),
    ];
    let bias = bias(call, 2, true, dims[1])?;
    let inputs: Vec<&Value> = [&data, &weight].into_iter().chain(&bias).collect();
    Ok(vec![call.node("ConvTranspose", &inputs, &attributes, dims)])
}
