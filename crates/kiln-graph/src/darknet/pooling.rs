//! The layers that gather over places or channels: `maxpool`, `avgpool` and
//! `softmax`.

use super::cfg::Section;
use super::network::{Map, Network};

pub(super) fn max(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["maxpool_depth", "antialiasing"])?;
    let stride = section.size("stride", 1)?;
    let strides = [
        section.size("stride_y", stride)?,
        section.size("stride_x", stride)?,
    ];
    let size = section.size("size", stride)?;
    let padding = section.number("padding", size - 1)?;
    let places = |side: usize, stride: usize| {
        let room = side
            .checked_add(padding)
            .and_then(|padded| padded.checked_sub(size));
        room.map(|room| room / stride + 1)
    };
    let (Some(height), Some(width)) = (
        places(map.height, strides[0]),
        places(map.width, strides[1]),
    ) else {
        return Err("its window is larger than its input".to_owned());
    };
    // The half that is left over goes to the end of each side.
    let (begin, end) = ((padding / 2) as i64, (padding - padding / 2) as i64);
    if end >= size as i64 {
        return Err("its padding is larger than its window".to_owned());
    }
    let data = network.as_images(map);
    let value = network.building.node(
        "MaxPool",
        &[&data],
        &[
            ("kernel_shape", vec![size as i64; 2].into()),
            (
                "strides",
                strides.map(|stride| stride as i64).to_vec().into(),
            ),
            ("pads", vec![begin, begin, end, end].into()),
        ],
    );
    Ok(Map {
        value,
        height,
        width,
        is_flat: false,
        ..*map
    })
}

pub(super) fn average(network: &mut Network, _: &Section, map: &Map) -> Result<Map, String> {
    let data = network.as_images(map);
    let value = network.building.node("GlobalAveragePool", &[&data], &[]);
    Ok(Map {
        value,
        height: 1,
        width: 1,
        is_flat: false,
        ..*map
    })
}

pub(super) fn softmax(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["tree", "spatial"])?;
    let groups = section.size("groups", 1)?;
    let temperature = section.number("temperature", 1.0_f32)?;
    let inputs = map.channels * map.height * map.width;
    if !inputs.is_multiple_of(groups) {
        return Err(format!(
            "{inputs} inputs do not divide into {groups} groups"
        ));
    }
    let graph = &mut network.building;
    let mut value = graph.reshape(&map.value, &[0, groups as i64, (inputs / groups) as i64]);
    if temperature != 1.0 {
        value = graph.with_scalar("Div", &value, temperature);
    }
    let value = graph.node("Softmax", &[&value], &[("axis", 2_i64.into())]);
    let value = graph.reshape(&value, &[0, inputs as i64]);
    Ok(Map {
        value,
        channels: inputs,
        height: 1,
        width: 1,
        is_flat: true,
    })
}
