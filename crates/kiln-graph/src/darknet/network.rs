//! The walk through a network's layers, each with the sizes of what it gives.

use std::collections::BTreeSet;

use super::cfg::Section;
use super::weights::Weights;
use super::{FORMAT, activation, convolution, detection, pooling, rearrange};
use crate::foreign::{Building, ForeignError};
use crate::model::{Dim, Element, Model, TensorType};

/// What a layer gives: images, or after a `connected` layer plain rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    /// The value.
    pub(super) value: String,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Whether it has only the dimensions of batch and channels.
    pub(super) is_flat: bool,
}

/// A network under construction.
pub(super) struct Network {
    pub(super) building: Building,
    pub(super) weights: Weights,
    /// How many images there are at once.
    pub(super) batch: usize,
    /// What each layer so far gives.
    pub(super) layers: Vec<Map>,
    /// The outputs of the layers that detection ends with, each with its number.
    pub(super) detections: Vec<(usize, Vec<Extra>)>,
}

/// An output of a layer that detection ends with; the first is its feature map.
pub(super) struct Extra {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) ty: TensorType,
}

type Converter = fn(&mut Network, &Section, &Map) -> Result<Map, String>;

/// The translation of a layer, by the name of its section.
fn converter(name: &str) -> Option<Converter> {
    Some(match name {
        "convolutional" | "conv" => convolution::convolutional,
        "connected" | "conn" => convolution::connected,
        "activation" => activation::layer,
        "maxpool" | "max" => pooling::max,
        "avgpool" | "avg" => pooling::average,
        "softmax" | "soft" => pooling::softmax,
        "route" => rearrange::route,
        "shortcut" => rearrange::shortcut,
        "scale_channels" | "sam" => rearrange::scale,
        "upsample" => rearrange::upsample,
        "reorg" => rearrange::reorg,
        "yolo" => detection::yolo,
        "region" => detection::region,
        // Both matter in training alone.
        "dropout" | "cost" => |_, _, map| Ok(map.clone()),
        _ => return None,
    })
}

/// The whole network.
pub(super) fn convert(
    sections: &[Section],
    weights: Weights,
    input: Option<&[usize]>,
) -> Result<Model, ForeignError> {
    let (net, layers) = match sections {
        [net, layers @ ..] if ["net", "network"].contains(&net.name.as_str()) => (net, layers),
        _ => {
            return Err(ForeignError::malformed(
                FORMAT,
                "its cfg does not begin with [net]",
            ));
        }
    };
    if layers.is_empty() {
        return Err(ForeignError::malformed(FORMAT, "its cfg has no layers"));
    }
    let unknown = layers
        .iter()
        .filter(|layer| converter(&layer.name).is_none());
    let operators: BTreeSet<String> = unknown.map(|layer| layer.name.clone()).collect();
    if !operators.is_empty() {
        let format = FORMAT;
        return Err(ForeignError::NotImplemented { format, operators });
    }
    let mut network = Network {
        building: Building::default(),
        weights,
        batch: 1,
        layers: Vec::new(),
        detections: Vec::new(),
    };
    let mut map = network.input(net, input)?;
    for (number, layer) in layers.iter().enumerate() {
        network.building.enter(format!("{}{number}", layer.name));
        map = network
            .layer(layer, &map)
            .map_err(|reason| ForeignError::Operator {
                format: FORMAT,
                operator: layer.name.clone(),
                place: layer.place(),
                reason,
            })?;
        network.layers.push(map.clone());
    }
    network.finish(&map)
}

impl Network {
    fn input(&mut self, net: &Section, given: Option<&[usize]>) -> Result<Map, ForeignError> {
        let size = |key, otherwise| {
            let broken = |reason: String| format!("of [net], {reason}");
            net.size(key, otherwise)
                .map_err(|reason| ForeignError::malformed(FORMAT, broken(reason)))
        };
        let channels = size("channels", 3)?;
        let own = [1, channels, size("height", 416)?, size("width", 416)?];
        let dims = match given {
            None => own,
            Some(given) => match <[usize; 4]>::try_from(given) {
                Ok(dims) if dims[1] == channels && !dims.contains(&0) => dims,
                _ => return Err(wrong_input(own)),
            },
        };
        if dims
            .iter()
            .try_fold(1_i32, |all, size| {
                all.checked_mul(i32::try_from(*size).ok()?)
            })
            .is_none()
        {
            return Err(ForeignError::malformed(FORMAT, "its input is too large"));
        }
        let [batch, channels, height, width] = dims;
        self.batch = batch;
        let dims = dims.map(Dim::Known).to_vec();
        let value = self.building.input("data", Element::F32, dims);
        Ok(Map {
            value,
            channels,
            height,
            width,
            is_flat: false,
        })
    }

    fn layer(&mut self, layer: &Section, map: &Map) -> Result<Map, String> {
        let convert = converter(&layer.name).ok_or("it is not implemented")?;
        let map = convert(self, layer, map)?;
        // Sizes that fit no machine would overflow what is computed from them.
        let within = [self.batch, map.height, map.width];
        let elements = within
            .iter()
            .try_fold(map.channels, |all, size| all.checked_mul(*size));
        match elements {
            Some(1..=0x7fff_ffff) => Ok(map),
            Some(0) => Err("it gives nothing".to_owned()),
            _ => Err("what it gives is too large".to_owned()),
        }
    }

    /// `map` as images, whatever it was.
    pub(super) fn as_images(&mut self, map: &Map) -> String {
        if !map.is_flat {
            return map.value.clone();
        }
        let dims = [0, map.channels as i64, 1, 1];
        self.building.reshape(&map.value, &dims)
    }

    fn finish(mut self, last: &Map) -> Result<Model, ForeignError> {
        let left = self.weights.left();
        if left > 0 {
            let reason =
                format!("its weights hold {left} numbers more than the layers of its cfg take");
            return Err(ForeignError::malformed(FORMAT, reason));
        }
        let ty = self.type_of(last);
        self.building.output("output", &last.value, Some(ty));
        let last = self.layers.len() - 1;
        for (layer, outputs) in self.detections.into_iter().rev() {
            // The last layer's feature map is the first output already.
            for extra in outputs.into_iter().skip(usize::from(layer == last)) {
                self.building
                    .output(&extra.name, &extra.value, Some(extra.ty));
            }
        }
        Ok(self.building.finish("darknet"))
    }

    /// The type of what a layer gives.
    pub(super) fn type_of(&self, map: &Map) -> TensorType {
        let dims = [self.batch, map.channels, map.height, map.width];
        let dims = if map.is_flat { &dims[..2] } else { &dims[..] };
        TensorType::new(Element::F32, dims)
    }
}

fn wrong_input(own: [usize; 4]) -> ForeignError {
    ForeignError::Input {
        input: "data".to_owned(),
        reason: format!(
            "Input shapes should be provided in NCHW format, as is [{}, {}, {}, {}]",
            own[0], own[1], own[2], own[3]
        ),
    }
}
