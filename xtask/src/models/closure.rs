//! Which shapes a set of operations reaches.

use std::collections::{BTreeMap, BTreeSet};

use super::ModelsError;
use super::overlay::Overlay;
use super::service::{Operation, ServiceModel};

/// The module for shapes that several areas use.
pub const SHARED: &str = "shared";

/// The shapes of all requests.
pub fn of_all_inputs(model: &ServiceModel) -> Result<BTreeSet<String>, ModelsError> {
    let mut reached = BTreeSet::new();
    for input in model
        .operations
        .values()
        .filter_map(|operation| operation.input.as_ref())
    {
        reach(model, &input.shape, &mut reached)?;
    }
    Ok(reached)
}

/// The shapes that requests and answers of the served operations are made of.
pub fn of_served(model: &ServiceModel, overlay: &Overlay) -> Result<BTreeSet<String>, ModelsError> {
    let mut reached = BTreeSet::new();
    for name in overlay.typed_operations.values().flatten() {
        for shape in roots(served(model, name)?, false) {
            reach(model, shape, &mut reached)?;
        }
    }
    Ok(reached)
}

/// An operation that the overlay names.
pub fn served<'a>(model: &'a ServiceModel, name: &str) -> Result<&'a Operation, ModelsError> {
    let operation = model.operations.get(name);
    operation.ok_or_else(|| ModelsError::UnknownOperation(name.to_owned()))
}

/// The shapes of the typed operations, each with the module it belongs to: its
/// area's, or the shared one when several areas reach it.
pub fn typed(
    model: &ServiceModel,
    overlay: &Overlay,
) -> Result<BTreeMap<String, String>, ModelsError> {
    let mut modules = BTreeMap::new();
    for (area, operations) in &overlay.typed_operations {
        for shape in of_area(model, overlay, operations)? {
            modules
                .entry(shape)
                .and_modify(|module| SHARED.clone_into(module))
                .or_insert_with(|| area.clone());
        }
    }
    Ok(modules)
}

fn of_area(
    model: &ServiceModel,
    overlay: &Overlay,
    names: &[String],
) -> Result<BTreeSet<String>, ModelsError> {
    let mut reached = BTreeSet::new();
    for name in names {
        for shape in roots(served(model, name)?, overlay.request_only.contains(name)) {
            reach(model, shape, &mut reached)?;
        }
    }
    Ok(reached)
}

fn roots(operation: &Operation, request_only: bool) -> impl Iterator<Item = &str> {
    let output = operation.output.as_ref().filter(|_| !request_only);
    let shapes = operation.input.iter().chain(output);
    shapes.map(|reference| reference.shape.as_str())
}

fn reach(
    model: &ServiceModel,
    name: &str,
    reached: &mut BTreeSet<String>,
) -> Result<(), ModelsError> {
    if !reached.insert(name.to_owned()) {
        return Ok(());
    }
    let shape = model.shape(name)?;
    let members = shape.members.0.iter().map(|(_, member)| member);
    let inner = [&shape.member, &shape.key, &shape.value]
        .into_iter()
        .flatten();
    for next in members.chain(inner) {
        reach(model, &next.shape, reached)?;
    }
    Ok(())
}
