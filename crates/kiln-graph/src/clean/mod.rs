//! Makes a network plain for a compiler: in the operators of opset 17 or later, of
//! definite sizes, every type and shape written down, constants computed, and
//! nothing left that has no effect.

mod control;
mod error;
mod fuse;
#[cfg(test)]
mod fuzz;
mod inputs;
mod passing;
mod prune;
mod scope;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;

pub use error::CleanError;

use crate::model::Model;
use crate::versions::{Names, TARGET};
use walk::Walk;

/// The sizes that inputs shall have, by name; a size that is none stays open.
pub type Sizes = BTreeMap<String, Vec<Option<usize>>>;

/// Makes a network plain. An input whose sizes are not given has those of the model,
/// which then must be known.
///
/// # Errors
/// If the sizes are not for this model, if an operator does not fit what it is
/// given, or if it is not known at all.
pub fn clean(mut model: Model, sizes: &Sizes) -> Result<Model, CleanError> {
    let facts = inputs::definite(&model.graph, sizes)?;
    let mut walk = Walk::new(Names::of(&model.graph), model.opset());
    let (mut graph, _) = walk.graph(std::mem::take(&mut model.graph), facts)?;
    if !walk.unknown.is_empty() {
        return Err(CleanError::Operators {
            operators: walk.unknown,
        });
    }
    fuse::normalizations(&mut graph, &mut walk.names);
    model.graph = graph;
    if (1..TARGET).contains(&model.opset()) {
        model.opsets.insert(String::new(), TARGET);
    }
    Ok(model)
}
