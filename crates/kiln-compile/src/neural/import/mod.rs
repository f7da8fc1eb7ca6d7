//! A network as the compiler takes it: in MLIR, each node a `torch.operator` that
//! carries ONNX's name and attributes, each constant a resource.
//!
//! The network should be clean: of an operator set that the compiler knows, constants
//! folded, all types known. The program's one function, [`ENTRY`], takes the network's
//! inputs and gives its outputs, each in their order.

mod bytecode;
mod constants;
mod definitions;
mod error;
mod lower;
mod module;
#[cfg(test)]
mod tests;
mod text;
mod types;

use std::io::{self, Write};

pub use error::ImportError;
use kiln_graph::model::Model;
pub use module::{ENTRY, Module};

/// Makes a program of a network.
///
/// # Errors
/// If the network holds what no program can.
pub fn import(model: &Model) -> Result<Module, ImportError> {
    lower::lower(&definitions::expand(model))
}

impl Module {
    /// Writes the program in MLIR's syntax.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_text(&self, to: &mut dyn Write) -> io::Result<()> {
        text::write(self, to)
    }

    /// Writes the program in MLIR's bytecode, which is smaller and needs less memory.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_bytecode(&self, to: &mut dyn Write) -> io::Result<()> {
        bytecode::write(self, to)
    }
}
