//! The layers that join, add, scale and move what earlier layers give.

use super::activation;
use super::cfg::Section;
use super::network::{Map, Network};

/// The earlier layer that a number means: counted from the first if it is not
/// negative, and back from the present one otherwise.
fn earlier(network: &Network, number: i64) -> Result<Map, String> {
    let present = network.layers.len() as i64;
    let meant = if number < 0 {
        present.checked_add(number)
    } else {
        Some(number)
    };
    let meant = meant.and_then(|place| usize::try_from(place).ok());
    let map = meant.and_then(|place| network.layers.get(place));
    map.cloned()
        .ok_or_else(|| format!("there is no layer {number} before it"))
}

pub(super) fn route(network: &mut Network, section: &Section, _: &Map) -> Result<Map, String> {
    let numbers = section.list::<i64>("layers")?;
    let sources = numbers.iter().map(|&number| earlier(network, number));
    let sources = sources.collect::<Result<Vec<Map>, String>>()?;
    let first = sources.first().ok_or("it names no layers")?.clone();
    let groups = section.size("groups", 1)?;
    let group = section.number("group_id", 0_usize)?;
    let mut channels = 0_usize;
    let mut values = Vec::new();
    for source in &sources {
        if (source.height, source.width) != (first.height, first.width) {
            return Err(format!(
                "it joins images of {}x{} and {}x{}",
                first.height, first.width, source.height, source.width
            ));
        }
        if source.channels % groups != 0 || group >= groups {
            let all = source.channels;
            return Err(format!("{all} channels have no group {group} of {groups}"));
        }
        let share = source.channels / groups;
        let mut value = network.as_images(source);
        if groups > 1 {
            let start = (group * share) as i64;
            value = network
                .building
                .slice(&value, 1, start, start + share as i64);
        }
        values.push(value);
        channels = channels
            .checked_add(share)
            .ok_or("it joins too many channels")?;
    }
    let inputs: Vec<&str> = values.iter().map(String::as_str).collect();
    let value = match inputs[..] {
        [only] => only.to_owned(),
        _ => network
            .building
            .node("Concat", &inputs, &[("axis", 1_i64.into())]),
    };
    Ok(Map {
        value,
        channels,
        is_flat: false,
        ..first
    })
}

pub(super) fn shortcut(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["weights_type", "weights_normalization"])?;
    let from = section.list::<i64>("from")?;
    if from.is_empty() {
        return Err("it does not say from where".to_owned());
    }
    let mut value = network.as_images(map);
    for number in from {
        let other = earlier(network, number)?;
        let other = with_channels_of(network, &other, map)?;
        value = network.building.node("Add", &[&value, &other], &[]);
    }
    let value = activation::apply(&mut network.building, section, &value, "linear")?;
    Ok(Map {
        value,
        is_flat: false,
        ..*map
    })
}

/// `other` with as many channels as `map`: zeros follow it, or its last ones go.
fn with_channels_of(network: &mut Network, other: &Map, map: &Map) -> Result<String, String> {
    if (other.height, other.width) != (map.height, map.width) {
        return Err(format!(
            "it adds images of {}x{} to images of {}x{}",
            other.height, other.width, map.height, map.width
        ));
    }
    let value = network.as_images(other);
    let graph = &mut network.building;
    if other.channels > map.channels {
        return Ok(graph.slice(&value, 1, 0, map.channels as i64));
    }
    let missing = (map.channels - other.channels) as i64;
    if missing == 0 {
        return Ok(value);
    }
    let pads = graph.list(&[0, 0, 0, 0, 0, missing, 0, 0]);
    Ok(graph.node("Pad", &[&value, &pads], &[]))
}

/// `scale_channels` and `sam`: an earlier layer's images, each element or each
/// channel times what this one is given.
pub(super) fn scale(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["scale_wh"])?;
    let other = earlier(network, section.number("from", 0)?)?;
    let sizes = [(map.height, other.height), (map.width, other.width)];
    if map.channels != other.channels || sizes.iter().any(|(own, all)| own != all && *own != 1) {
        return Err("its inputs differ in their sizes".to_owned());
    }
    let (by, value) = (network.as_images(map), network.as_images(&other));
    let value = network.building.node("Mul", &[&value, &by], &[]);
    let value = activation::apply(&mut network.building, section, &value, "linear")?;
    Ok(Map {
        value,
        is_flat: false,
        ..other
    })
}

pub(super) fn upsample(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    let stride = section.size("stride", 2)?;
    let factor = section.number("scale", 1.0_f32)?;
    let data = network.as_images(map);
    let graph = &mut network.building;
    let scales = graph.list(&[1.0, 1.0, stride as f32, stride as f32]);
    let mut value = graph.node(
        "Resize",
        &[&data, "", &scales],
        &[
            ("mode", "nearest".into()),
            ("coordinate_transformation_mode", "asymmetric".into()),
            ("nearest_mode", "floor".into()),
        ],
    );
    if factor != 1.0 {
        value = graph.with_scalar("Mul", &value, factor);
    }
    let [height, width] = [map.height, map.width].map(|side| side.saturating_mul(stride));
    Ok(Map {
        value,
        height,
        width,
        is_flat: false,
        ..*map
    })
}

/// Moves blocks of places into channels. Darknet reads its input as if it were
/// larger images of fewer channels, which is where this order comes from.
pub(super) fn reorg(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["reverse", "flatten", "extra"])?;
    let stride = section.size("stride", 1)?;
    let block = stride
        .checked_mul(stride)
        .ok_or("its stride is too large")?;
    let (channels, height, width) = (map.channels, map.height, map.width);
    if channels % block != 0 || height % stride != 0 || width % stride != 0 {
        return Err(format!(
            "{channels} channels of {height}x{width} do not divide into blocks of {stride}x{stride}"
        ));
    }
    let sizes = [channels / block, height, stride, width, stride].map(|size| size as i64);
    let data = network.as_images(map);
    let graph = &mut network.building;
    let blocks = graph.reshape(&data, &[&[0], &sizes[..]].concat());
    let moved = graph.transpose(&blocks, &[0, 3, 5, 1, 2, 4]);
    let (channels, height, width) = (channels * block, height / stride, width / stride);
    let dims = [0, channels as i64, height as i64, width as i64];
    let value = graph.reshape(&moved, &dims);
    Ok(Map {
        value,
        channels,
        height,
        width,
        is_flat: false,
    })
}
