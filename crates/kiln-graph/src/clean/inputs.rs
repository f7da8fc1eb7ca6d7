//! The sizes that a network's inputs shall have: what the model says, made definite
//! by what its owner says.

use std::collections::HashMap;

use super::Sizes;
use super::error::CleanError;
use crate::model::{Dim, Graph, Type};
use crate::shapes::dim::written;
use crate::shapes::{Fact, Kind};

/// What is known of each input, in order.
pub(super) fn definite(graph: &Graph, sizes: &Sizes) -> Result<Vec<Fact>, CleanError> {
    known_names(graph, sizes)?;
    let mut kinds: Vec<Kind> = Vec::with_capacity(graph.inputs.len());
    let mut named: HashMap<&str, Dim> = HashMap::new();
    for value in &graph.inputs {
        let kind = value.ty.as_ref().map_or(Kind::Unknown, Kind::from);
        let Some(given) = sizes.get(&value.name) else {
            kinds.push(kind);
            continue;
        };
        let given: Vec<Dim> = given
            .iter()
            .map(|size| size.map_or(Dim::Unknown, Dim::Known))
            .collect();
        if let Some(Type::Tensor(tensor)) = &value.ty {
            check(&value.name, tensor.dims.as_deref(), &given)?;
            for (dim, given) in tensor.dims.iter().flatten().zip(&given) {
                if let (Dim::Named(name), Dim::Known(_)) = (dim, given) {
                    named.entry(name).or_insert_with(|| given.clone());
                }
            }
        }
        kinds.push(sized(&kind, given));
    }
    let all = graph.inputs.iter().zip(kinds);
    all.map(|(value, kind)| {
        let kind = renamed(kind, &named);
        let asked_open = sizes.contains_key(&value.name);
        match &kind {
            Kind::Tensor(_, dims) if !asked_open && !is_known(dims.as_deref()) => {
                let shape = dims.as_deref().map_or_else(|| "[…]".to_owned(), written);
                Err(CleanError::OpenInput {
                    name: value.name.clone(),
                    shape,
                })
            }
            _ => Ok(Fact::kind(kind)),
        }
    })
    .collect()
}

fn known_names(graph: &Graph, sizes: &Sizes) -> Result<(), CleanError> {
    let stranger = sizes
        .keys()
        .find(|name| graph.inputs.iter().all(|value| value.name != **name));
    let Some(name) = stranger else { return Ok(()) };
    let inputs: Vec<&str> = graph
        .inputs
        .iter()
        .map(|value| value.name.as_str())
        .collect();
    Err(CleanError::NoSuchInput {
        name: name.clone(),
        inputs: inputs.join(", "),
    })
}

/// Sizes must be as many as the model has, and the same where it says them.
fn check(name: &str, dims: Option<&[Dim]>, given: &[Dim]) -> Result<(), CleanError> {
    let Some(dims) = dims else { return Ok(()) };
    let fits = |(dim, given): (&Dim, &Dim)| match (dim, given) {
        (Dim::Known(dim), Dim::Known(given)) => dim == given,
        _ => true,
    };
    // A batch of one is what many exporters write for any batch.
    let (batch, given_batch) = (dims.first(), given.first());
    let rest = dims.iter().zip(given).skip(1).all(fits);
    let first = batch
        .zip(given_batch)
        .is_none_or(|(dim, given)| fits((dim, given)) || (*dim == Dim::Known(1) && dims.len() > 1));
    if dims.len() == given.len() && first && rest {
        return Ok(());
    }
    Err(CleanError::InputShape {
        name: name.to_owned(),
        expected: written(dims),
        given: written(given),
    })
}

/// The sizes that were given, and the model's own where one was left open.
fn sized(kind: &Kind, given: Vec<Dim>) -> Kind {
    match kind {
        Kind::Tensor(element, Some(dims)) => {
            let each = dims.iter().zip(given);
            let open = |(dim, given): (&Dim, Dim)| match given {
                Dim::Known(_) => given,
                _ if matches!(dim, Dim::Known(_)) => Dim::Unknown,
                _ => dim.clone(),
            };
            Kind::Tensor(*element, Some(each.map(open).collect()))
        }
        Kind::Tensor(element, None) => Kind::Tensor(*element, Some(given)),
        _ => Kind::Tensor(None, Some(given)),
    }
}

/// Names become the sizes that another input gave them.
fn renamed(kind: Kind, named: &HashMap<&str, Dim>) -> Kind {
    match kind {
        Kind::Tensor(element, Some(dims)) => {
            let each = dims.into_iter().map(|dim| match &dim {
                Dim::Named(name) => named.get(name.as_str()).cloned().unwrap_or(dim),
                _ => dim,
            });
            Kind::Tensor(element, Some(each.collect()))
        }
        kind => kind,
    }
}

fn is_known(dims: Option<&[Dim]>) -> bool {
    dims.is_some_and(|dims| dims.iter().all(|dim| dim.known().is_some()))
}
