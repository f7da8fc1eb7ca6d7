//! A program in MLIR's bytecode, version 4 of the format. Constants are written as they
//! are, straight from where they lie, and the compiler maps them: a network needs no more
//! memory than its weights.
//!
//! A file is a header and sections: strings, dialects and their operations' names,
//! attributes and types with their sizes, the operations, and the resources with theirs.
//! Types and most attributes stand in it as MLIR's syntax writes them; the format allows
//! that for all. <https://mlir.llvm.org/docs/BytecodeFormat/>

mod encoder;
mod operations;
mod resources;
mod tables;

use std::io::{self, Write};

use encoder::Encoder;
use tables::Tables;

use super::module::Module;

const MAGIC: &[u8] = b"ML\xEFR";
/// The last version that keeps an operation's own properties among its attributes,
/// which needs no knowledge of each operation.
const VERSION: u64 = 4;
const PRODUCER: &[u8] = b"kiln\0";

/// What a section holds.
#[derive(Clone, Copy)]
enum Section {
    Strings = 0,
    Dialects = 1,
    Attributes = 2,
    AttributeSizes = 3,
    Operations = 4,
    Resources = 5,
    ResourceSizes = 6,
}

pub(super) fn write(module: &Module, to: &mut dyn Write) -> io::Result<()> {
    let mut tables = Tables::default();
    let operations = operations::section(module, &mut tables);
    let resource_sizes = resources::sizes(&module.resources, &mut tables);
    let (attributes, attribute_sizes) = tables.attributes_and_types();
    let mut head = Encoder::default();
    head.bytes(MAGIC);
    head.varint(VERSION);
    head.bytes(PRODUCER);
    let sections = [
        (Section::Dialects, tables.dialects()),
        (Section::AttributeSizes, attribute_sizes),
        (Section::Attributes, attributes),
        (Section::Operations, operations),
        (Section::ResourceSizes, resource_sizes),
        (Section::Strings, tables.strings()),
    ];
    for (section, contents) in sections {
        head.byte(section as u8);
        head.counted(&contents);
    }
    resources::write(head, &module.resources, to)
}
