//! Pooling over places.

use super::call::{Call, Converted, Value};
use super::convolution::{Window, check_layout, wide};

pub(super) fn pooling(call: &mut Call) -> Converted {
    check_layout(call)?;
    let data = call.ranked(0, 3)?;
    let kind = call
        .attributes
        .text("pool_type")
        .unwrap_or("max")
        .to_owned();
    if call.attributes.flag("global_pool", false)? {
        return global(call, &data, &kind);
    }
    let window = Window::read(call, &data)?;
    let is_full = match call.attributes.text("pooling_convention") {
        None | Some("valid") => false,
        Some("full") => true,
        Some(other) => return Err(format!("its pooling_convention {other} is not implemented")),
    };
    let mut dims = data.dims[..2].to_vec();
    // What is padded behind each side: with `full`, as much as the last window needs.
    let mut behind = Vec::new();
    for (side, length) in data.dims[2..].iter().enumerate() {
        let (kernel, stride, pad) = (window.kernel[side], window.stride[side], window.pad[side]);
        let room = (length + 2 * pad).checked_sub(kernel);
        let room = room.ok_or("its window is larger than its input")?;
        let places = if is_full {
            room.div_ceil(stride)
        } else {
            room / stride
        } + 1;
        let needed = (places - 1) * stride + kernel;
        behind.push(needed.saturating_sub(length + pad).max(pad));
        dims.push(places);
    }
    match kind.as_str() {
        "max" => max(call, &data, &window, &behind, dims),
        "avg" => average(call, &data, &window, &behind, dims),
        "sum" => sum(call, &data, &window, &behind, dims),
        other => Err(format!("its pool_type {other} is not implemented")),
    }
}

fn global(call: &mut Call, data: &Value, kind: &str) -> Converted {
    let mut dims = data.dims.clone();
    let places: usize = dims[2..].iter().product();
    dims[2..].fill(1);
    let operator = if kind == "max" {
        "GlobalMaxPool"
    } else {
        "GlobalAveragePool"
    };
    let value = call.node(operator, &[data], &[], dims);
    Ok(vec![match kind {
        "max" | "avg" => value,
        "sum" => call.with_scalar("Mul", &value, places as f32),
        other => return Err(format!("its pool_type {other} is not implemented")),
    }])
}

fn max(
    call: &mut Call,
    data: &Value,
    window: &Window,
    behind: &[usize],
    dims: Vec<usize>,
) -> Converted {
    let all = window.pad.iter().zip(behind).zip(&window.kernel);
    if all
        .clone()
        .any(|((before, behind), kernel)| before >= kernel || behind >= kernel)
    {
        return Err("its padding is larger than its window".to_owned());
    }
    let attributes = [
        ("kernel_shape", wide(&window.kernel).into()),
        ("strides", wide(&window.stride).into()),
        ("pads", wide(&[&window.pad[..], behind].concat()).into()),
    ];
    Ok(vec![call.node("MaxPool", &[data], &attributes, dims)])
}

/// MXNet counts the padding that was asked for, but not what `full` adds to it.
fn average(
    call: &mut Call,
    data: &Value,
    window: &Window,
    behind: &[usize],
    dims: Vec<usize>,
) -> Converted {
    let counts = call.attributes.flag("count_include_pad", true)?;
    let none = vec![0; window.pad.len()];
    let (data, before, behind) = if counts {
        let padded = padded(call, data, &window.pad, &window.pad);
        let more = behind.iter().zip(&window.pad).map(|(all, pad)| all - pad);
        (padded, none, more.collect::<Vec<usize>>())
    } else {
        (data.clone(), window.pad.clone(), behind.to_vec())
    };
    let all = before.iter().zip(&behind).zip(&window.kernel);
    if all
        .clone()
        .any(|((before, behind), kernel)| before >= kernel || behind >= kernel)
    {
        return Err("its padding is larger than its window".to_owned());
    }
    let attributes = [
        ("kernel_shape", wide(&window.kernel).into()),
        ("strides", wide(&window.stride).into()),
        ("pads", wide(&[before, behind].concat()).into()),
        ("count_include_pad", 0_i64.into()),
    ];
    Ok(vec![call.node("AveragePool", &[&data], &attributes, dims)])
}

fn sum(
    call: &mut Call,
    data: &Value,
    window: &Window,
    behind: &[usize],
    dims: Vec<usize>,
) -> Converted {
    let data = padded(call, data, &window.pad, behind);
    let attributes = [
        ("kernel_shape", wide(&window.kernel).into()),
        ("strides", wide(&window.stride).into()),
    ];
    let value = call.node("AveragePool", &[&data], &attributes, dims);
    let places = window.kernel.iter().map(|size| *size as f32).product();
    Ok(vec![call.with_scalar("Mul", &value, places)])
}

/// Zeros around every side.
fn padded(call: &mut Call, data: &Value, before: &[usize], behind: &[usize]) -> Value {
    if before.iter().chain(behind).all(|pad| *pad == 0) {
        return data.clone();
    }
    let pads = [&[0, 0], before, &[0, 0], behind].concat();
    let mut dims = data.dims.clone();
    for (side, size) in dims[2..].iter_mut().enumerate() {
        *size += before[side] + behind[side];
    }
    let name = call.graph.list(&wide(&pads));
    let name = call.graph.node("Pad", &[&data.name, &name], &[]);
    Value { name, dims }
}

pub(super) fn adaptive_average(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let sides = call
        .attributes
        .list("output_size")?
        .unwrap_or_else(|| vec![1]);
    let [height, width] = match sides[..] {
        [] => [1, 1],
        [side] => [side, side],
        [height, width] => [height, width],
        _ => return Err("its output_size is not of images".to_owned()),
    };
    let mut dims = data.dims.clone();
    let mut kernel = Vec::new();
    for (side, wanted) in [(2, height), (3, width)] {
        let wanted = super::call::size(wanted)?;
        if wanted == 0 || !data.dims[side].is_multiple_of(wanted) {
            return Err(format!(
                "{} places in {wanted} windows are not implemented",
                data.dims[side]
            ));
        }
        kernel.push(data.dims[side] / wanted);
        dims[side] = wanted;
    }
    let attributes = [
        ("kernel_shape", wide(&kernel).into()),
        ("strides", wide(&kernel).into()),
    ];
    Ok(vec![call.node("AveragePool", &[&data], &attributes, dims)])
}
