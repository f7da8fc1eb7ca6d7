//! The functions that layers apply to each element of what they give.

use super::cfg::Section;
use super::network::{Map, Network};
use crate::foreign::Building;

/// A layer of its own that does nothing else.
pub(super) fn layer(network: &mut Network, section: &Section, map: &Map) -> Result<Map, String> {
    let value = apply(&mut network.building, section, &map.value, "linear")?;
    Ok(Map {
        value,
        ..map.clone()
    })
}

/// Applies the function that the layer's option `activation` names.
pub(super) fn apply(
    graph: &mut Building,
    section: &Section,
    data: &str,
    otherwise: &str,
) -> Result<String, String> {
    let name = section.text("activation").unwrap_or(otherwise);
    Ok(match name {
        "linear" => data.to_owned(),
        "logistic" => graph.node("Sigmoid", &[data], &[]),
        "relu" => graph.node("Relu", &[data], &[]),
        "relu6" => graph.clip(data, 0.0, 6.0),
        "tanh" => graph.node("Tanh", &[data], &[]),
        "leaky" => leaky(graph, data, 0.1),
        "relie" => leaky(graph, data, 0.01),
        "elu" => graph.node("Elu", &[data], &[("alpha", 1.0_f32.into())]),
        "selu" => graph.node(
            "Selu",
            &[data],
            &[("alpha", 1.6732_f32.into()), ("gamma", 1.0507_f32.into())],
        ),
        "hardtan" => graph.clip(data, -1.0, 1.0),
        "ramp" => {
            let positive = graph.node("Relu", &[data], &[]);
            let slope = graph.with_scalar("Mul", data, 0.1);
            graph.node("Add", &[&positive, &slope], &[])
        }
        "loggy" => {
            let logistic = graph.node("Sigmoid", &[data], &[]);
            let twice = graph.with_scalar("Mul", &logistic, 2.0);
            graph.with_scalar("Sub", &twice, 1.0)
        }
        "lhtan" => {
            let within = graph.clip(data, 0.0, 1.0);
            and_beyond(graph, data, &within, &within, 0.001)
        }
        "plse" => {
            let within = graph.clip(data, -4.0, 4.0);
            let slope = graph.with_scalar("Mul", &within, 0.125);
            let line = graph.with_scalar("Add", &slope, 0.5);
            and_beyond(graph, data, &within, &line, 0.01)
        }
        "swish" => {
            let logistic = graph.node("Sigmoid", &[data], &[]);
            graph.node("Mul", &[data, &logistic], &[])
        }
        "mish" => {
            let softplus = graph.node("Softplus", &[data], &[]);
            let tanh = graph.node("Tanh", &[&softplus], &[]);
            graph.node("Mul", &[data, &tanh], &[])
        }
        _ => return Err(format!("its activation {name} is not implemented")),
    })
}

fn leaky(graph: &mut Building, data: &str, slope: f32) -> String {
    graph.node("LeakyRelu", &[data], &[("alpha", slope.into())])
}

/// `line`, which is constant where `data` is not `within` bounds, with a slope there.
fn and_beyond(graph: &mut Building, data: &str, within: &str, line: &str, slope: f32) -> String {
    let beyond = graph.node("Sub", &[data, within], &[]);
    let slope = graph.with_scalar("Mul", &beyond, slope);
    graph.node("Add", &[line, &slope], &[])
}
