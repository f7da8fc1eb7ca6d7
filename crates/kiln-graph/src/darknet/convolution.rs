//! The layers that have weights: `convolutional` and `connected`.

use super::activation;
use super::cfg::Section;
use super::network::{Map, Network};
use crate::model::Tensor;

/// What Darknet adds to a variance before it divides by its root.
const EPSILON: f32 = 1e-6;

const NOT_IMPLEMENTED: [&str; 6] = [
    "binary",
    "xnor",
    "flipped",
    "antialiasing",
    "share_index",
    "assisted_excitation",
];

pub(super) fn convolutional(
    network: &mut Network,
    section: &Section,
    map: &Map,
) -> Result<Map, String> {
    section.refuse(&NOT_IMPLEMENTED)?;
    let filters = section.size("filters", 1)?;
    let size = section.size("size", 1)?;
    let stride = section.size("stride", 1)?;
    let strides = [
        section.size("stride_y", stride)?,
        section.size("stride_x", stride)?,
    ];
    let groups = section.size("groups", 1)?;
    let dilation = section.size("dilation", 1)?;
    let padding = match section.flag("pad")? {
        true => size / 2,
        false => section.number("padding", 0)?,
    };
    let padding = dilation
        .checked_mul(padding)
        .ok_or("its padding is too large")?;
    if !map.channels.is_multiple_of(groups) || !filters.is_multiple_of(groups) {
        return Err(format!(
            "{} channels and {filters} filters do not divide into {groups} groups",
            map.channels
        ));
    }
    let reach = dilation
        .checked_mul(size - 1)
        .and_then(|reach| reach.checked_add(1));
    let reach = reach.ok_or("its kernel is too large")?;
    let height = windows(map.height, padding, reach, strides[0])?;
    let width = windows(map.width, padding, reach, strides[1])?;

    let norm = Norm::take(network, section, filters)?;
    let weight = network
        .weights
        .take(&[filters, map.channels / groups, size, size])?;
    let weight = network
        .building
        .constant(&format!("{}/weights", section.name), weight);
    let data = network.as_images(map);
    let pads = vec![padding as i64; 4];
    let value = network.building.node(
        "Conv",
        &[&[data.as_str(), &weight], norm.bias().as_slice()].concat(),
        &[
            ("kernel_shape", vec![size as i64; 2].into()),
            (
                "strides",
                strides.map(|stride| stride as i64).to_vec().into(),
            ),
            ("dilations", vec![dilation as i64; 2].into()),
            ("pads", pads.into()),
            ("group", (groups as i64).into()),
        ],
    );
    let value = norm.apply(network, &value);
    let value = activation::apply(&mut network.building, section, &value, "logistic")?;
    Ok(Map {
        value,
        channels: filters,
        height,
        width,
        is_flat: false,
    })
}

/// In how many places a window fits along one side.
fn windows(side: usize, padding: usize, reach: usize, stride: usize) -> Result<usize, String> {
    let padded = padding
        .checked_mul(2)
        .and_then(|both| both.checked_add(side));
    let room = padded.and_then(|padded| padded.checked_sub(reach));
    let room = room.ok_or("its kernel is larger than its input")?;
    Ok(room / stride + 1)
}

pub(super) fn connected(
    network: &mut Network,
    section: &Section,
    map: &Map,
) -> Result<Map, String> {
    let outputs = section.size("output", 1)?;
    let inputs = map.channels * map.height * map.width;
    let transposed = network.weights.transposed;
    // Unlike elsewhere, what normalises stands after the matrix.
    let bias = network.weights.take(&[outputs])?;
    let dims = if transposed {
        [inputs, outputs]
    } else {
        [outputs, inputs]
    };
    let weight = network.weights.take(&dims)?;
    let weight = network.building.constant("connected/weights", weight);
    let norm = Norm::of(network, section, bias)?;
    let data = match map.is_flat {
        true => map.value.clone(),
        false => network.building.node("Flatten", &[&map.value], &[]),
    };
    let value = network.building.node(
        "Gemm",
        &[&[data.as_str(), &weight], norm.bias().as_slice()].concat(),
        &[("transB", i64::from(!transposed).into())],
    );
    let value = norm.apply(network, &value);
    let value = activation::apply(&mut network.building, section, &value, "logistic")?;
    Ok(Map {
        value,
        channels: outputs,
        height: 1,
        width: 1,
        is_flat: true,
    })
}

/// What is added to what a layer computes: a bias, or in its place a
/// normalisation that ends with it.
enum Norm {
    Bias(String),
    Batch {
        beta: String,
        scale: String,
        mean: String,
        variance: String,
    },
}

impl Norm {
    /// All of it in a row, the bias first.
    fn take(network: &mut Network, section: &Section, channels: usize) -> Result<Self, String> {
        let bias = network.weights.take(&[channels])?;
        Self::of(network, section, bias)
    }

    /// What follows a bias that was read before.
    fn of(network: &mut Network, section: &Section, bias: Tensor) -> Result<Self, String> {
        let channels = bias.len();
        let bias = network
            .building
            .constant(&format!("{}/biases", section.name), bias);
        if !section.flag("batch_normalize")? || section.flag("dontloadscales")? {
            return Ok(Self::Bias(bias));
        }
        let mut next = |what: &str| {
            let tensor = network.weights.take(&[channels])?;
            let name = format!("{}/{what}", section.name);
            Ok::<_, String>(network.building.constant(&name, tensor))
        };
        Ok(Self::Batch {
            beta: bias,
            scale: next("scales")?,
            mean: next("rolling_mean")?,
            variance: next("rolling_variance")?,
        })
    }

    fn bias(&self) -> Vec<&str> {
        match self {
            Self::Bias(bias) => vec![bias],
            Self::Batch { .. } => Vec::new(),
        }
    }

    fn apply(&self, network: &mut Network, value: &str) -> String {
        match self {
            Self::Bias(_) => value.to_owned(),
            Self::Batch {
                beta,
                scale,
                mean,
                variance,
            } => network.building.node(
                "BatchNormalization",
                &[value, scale, beta, mean, variance],
                &[("epsilon", EPSILON.into())],
            ),
        }
    }
}
