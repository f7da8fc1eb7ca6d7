//! A program for the compiler, in MLIR's terms: operations on values, each value of a
//! type. Types and attributes are kept as MLIR writes them; constants' bytes are shared
//! with the network that they come from.

use bytes::Bytes;

/// A program: one function, [`ENTRY`], in a module.
#[derive(Debug, Default)]
pub struct Module {
    /// Each value's type.
    pub(super) types: Vec<String>,
    /// The constants that attributes refer to.
    pub(super) resources: Vec<Resource>,
    /// The function.
    pub(super) body: Region,
}

/// The name of a program's function.
pub const ENTRY: &str = "main";

/// A constant's bytes.
#[derive(Debug)]
pub(super) struct Resource {
    pub name: String,
    pub bytes: Bytes,
}

/// Operations in order, and the values that they are given.
#[derive(Debug, Default)]
pub(super) struct Region {
    pub arguments: Vec<Id>,
    pub operations: Vec<Operation>,
}

/// A value: its place among all values of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub usize);

#[derive(Debug, Default)]
pub(super) struct Operation {
    pub name: &'static str,
    pub operands: Vec<Id>,
    pub results: Vec<Id>,
    pub attributes: Vec<(String, Attr)>,
    pub regions: Vec<Region>,
    /// What diagnostics call it.
    pub location: String,
}

/// What is written for an attribute.
#[derive(Debug, Clone)]
pub(super) enum Attr {
    /// In MLIR's syntax.
    Text(String),
    /// The elements of a resource.
    Resource {
        /// Its place among the program's resources.
        index: usize,
        /// The type of the whole.
        ty: String,
    },
}

impl Module {
    /// A new value.
    pub(super) fn value(&mut self, ty: String) -> Id {
        self.types.push(ty);
        Id(self.types.len() - 1)
    }

    /// A new constant.
    pub(super) fn resource(&mut self, bytes: Bytes) -> usize {
        let index = self.resources.len();
        let name = format!("w{index}");
        self.resources.push(Resource { name, bytes });
        index
    }

    pub(super) fn type_of(&self, value: Id) -> &str {
        &self.types[value.0]
    }

    /// The type of a function, as MLIR writes it.
    pub(super) fn signature(&self, inputs: &[Id], outputs: &[Id]) -> String {
        format!(
            "({}) -> ({})",
            self.types_of(inputs),
            self.types_of(outputs)
        )
    }

    fn types_of(&self, values: &[Id]) -> String {
        let types: Vec<_> = values.iter().map(|value| self.type_of(*value)).collect();
        types.join(", ")
    }
}

/// A text as MLIR quotes it.
pub(super) fn quoted(text: &[u8]) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for byte in text {
        match byte {
            b' '..=b'~' if !matches!(byte, b'"' | b'\\') => quoted.push(char::from(*byte)),
            _ => quoted.push_str(&format!("\\{byte:02X}")),
        }
    }
    quoted.push('"');
    quoted
}
