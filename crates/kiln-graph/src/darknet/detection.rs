//! The layers that detection ends with: `yolo` and `region`. Each box has its
//! place, its size, how sure it is, and a number for each class.

use super::cfg::Section;
use super::network::{Extra, Map, Network};
use crate::foreign::Building;
use crate::model::{Number, Tensor, TensorType};

/// How a part of each box's numbers becomes what the layer gives.
struct Part {
    length: usize,
    apply: fn(&mut Building, &str) -> String,
}

pub(super) fn yolo(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    let total = section.size("num", 1)?;
    let classes = section.number("classes", 20_usize)?;
    let anchors = anchors(section, total)?;
    let mut mask = section.list::<i32>("mask")?;
    if mask.is_empty() {
        mask = (0..total as i32).collect();
    }
    let boxes = mask.len();
    check(map, boxes, classes.checked_add(5))?;
    let value = if section.flag("new_coords")? {
        network.as_images(map)
    } else {
        let parts = [part(2, sigmoid), part(2, keep), part(classes + 1, sigmoid)];
        let scale = section.number("scale_x_y", 1.0_f32)?;
        per_box(network, map, boxes, &parts, scale)
    };
    let map = Map {
        value,
        is_flat: false,
        ..map.clone()
    };
    let numbers = [boxes, map.channels, map.height, map.width, classes, total];
    let outputs = vec![
        images(network, &map),
        constant(network, "mask", &mask),
        constant(network, "bias", &anchors),
        constant(network, "attr", &numbers.map(|number| number as i32)),
    ];
    network.detections.push((network.layers.len(), outputs));
    Ok(map)
}

pub(super) fn region(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    section.refuse(&["tree"])?;
    let boxes = section.size("num", 1)?;
    let classes = section.number("classes", 20_usize)?;
    let coordinates = section.number("coords", 4_usize)?;
    let background = section.flag("background")?;
    if !(2..=64).contains(&coordinates) {
        return Err(format!(
            "boxes of {coordinates} coordinates are not implemented"
        ));
    }
    let anchors = anchors(section, boxes)?;
    check(map, boxes, classes.checked_add(coordinates + 1))?;
    let is_softmax = section.flag("softmax")?;
    let parts = [
        part(2, sigmoid),
        part(coordinates - 2, keep),
        part(1, if background { keep } else { sigmoid }),
        part(classes, if is_softmax { softmax } else { keep }),
    ];
    let value = per_box(network, map, boxes, &parts, 1.0);
    let map = Map {
        value,
        is_flat: false,
        ..map.clone()
    };
    let background = usize::from(background);
    let (channels, height, width) = (map.channels, map.height, map.width);
    let numbers = [
        boxes,
        channels,
        height,
        width,
        classes,
        coordinates,
        background,
    ];
    let outputs = vec![
        images(network, &map),
        constant(network, "bias", &anchors),
        constant(network, "attr", &numbers.map(|number| number as i32)),
    ];
    network.detections.push((network.layers.len(), outputs));
    Ok(map)
}

/// How many sizes of anchors may go without saying.
const UNNAMED: usize = 64;

/// The anchors' widths and heights; what Darknet takes where there are none is ½.
fn anchors(section: &Section, total: usize) -> Result<Vec<f32>, String> {
    let mut anchors = section.list::<f32>("anchors")?;
    let needed = total.saturating_mul(2);
    if needed > anchors.len().max(UNNAMED) {
        return Err(format!(
            "it has {} sizes of anchors instead of {needed}",
            anchors.len()
        ));
    }
    anchors.resize(needed, 0.5);
    Ok(anchors)
}

fn check(map: &Map, boxes: usize, each: Option<usize>) -> Result<(), String> {
    let needed = each.and_then(|each| each.checked_mul(boxes));
    if needed == Some(map.channels) {
        return Ok(());
    }
    let each = each.unwrap_or(usize::MAX);
    Err(format!(
        "{boxes} boxes of {each} numbers do not make its {} channels",
        map.channels
    ))
}

/// Turns the parts of each box's numbers into what the layer gives; `scale`
/// lets places lie a little beyond their cell.
fn per_box(network: &mut Network, map: &Map, boxes: usize, parts: &[Part], scale: f32) -> String {
    let data = network.as_images(map);
    let [height, width] = [map.height, map.width].map(|side| side as i64);
    let graph = &mut network.building;
    let data = graph.reshape(&data, &[0, boxes as i64, -1, height, width]);
    let mut start = 0;
    let mut values = Vec::new();
    for (place, part) in parts.iter().enumerate().filter(|(_, part)| part.length > 0) {
        let end = start + part.length as i64;
        let value = graph.slice(&data, 2, start, end);
        let mut value = (part.apply)(graph, &value);
        if place == 0 && scale != 1.0 {
            value = graph.with_scalar("Mul", &value, scale);
            value = graph.with_scalar("Sub", &value, 0.5 * (scale - 1.0));
        }
        values.push(value);
        start = end;
    }
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let joined = graph.node("Concat", &values, &[("axis", 2_i64.into())]);
    graph.reshape(&joined, &[0, map.channels as i64, height, width])
}

fn images(network: &Network, map: &Map) -> Extra {
    Extra {
        name: format!("output{}", network.layers.len()),
        value: map.value.clone(),
        ty: network.type_of(map),
    }
}

/// What a client needs to find the boxes.
fn constant<T: Number>(network: &mut Network, what: &str, values: &[T]) -> Extra {
    let name = format!("{what}{}", network.layers.len());
    let tensor = Tensor::vector(values);
    let ty = TensorType::of(&tensor);
    let value = network.building.constant(&format!("{name}/values"), tensor);
    Extra { name, value, ty }
}

fn part(length: usize, apply: fn(&mut Building, &str) -> String) -> Part {
    Part { length, apply }
}

fn sigmoid(graph: &mut Building, data: &str) -> String {
    graph.node("Sigmoid", &[data], &[])
}

fn softmax(graph: &mut Building, data: &str) -> String {
    graph.node("Softmax", &[data], &[("axis", 2_i64.into())])
}

fn keep(_: &mut Building, data: &str) -> String {
    data.to_owned()
}
