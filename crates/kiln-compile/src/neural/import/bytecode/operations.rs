//! The section of operations. Values are known by number: within a region they are counted
//! from where those of the region around it end.

use std::collections::HashMap;

use super::Section;
use super::encoder::Encoder;
use super::tables::Tables;
use crate::neural::import::module::{Attr, Module, Operation, Region};

/// What an operation's mask says that it has.
mod has {
    pub(super) const ATTRIBUTES: u8 = 1;
    pub(super) const RESULTS: u8 = 2;
    pub(super) const OPERANDS: u8 = 4;
    pub(super) const REGIONS: u8 = 16;
}

pub(super) fn section(module: &Module, tables: &mut Tables) -> Encoder {
    let mut writer = Writer {
        module,
        tables,
        numbers: HashMap::new(),
    };
    let module = writer.isolated("builtin.module", &module.body);
    let mut section = Encoder::default();
    // A block of one operation and without arguments.
    section.flagged(1, false);
    section.bytes(module.as_slice());
    section
}

struct Writer<'w> {
    module: &'w Module,
    tables: &'w mut Tables,
    /// The number of each value that was defined.
    numbers: HashMap<usize, usize>,
}

impl Writer<'_> {
    /// An operation of nothing but a region.
    fn isolated(&mut self, name: &'static str, body: &Region) -> Encoder {
        let mut written = Encoder::default();
        written.index(self.tables.name(name));
        written.byte(has::REGIONS);
        written.index(self.tables.location(""));
        self.isolated_region(body, &mut written);
        written
    }

    /// A region that sees no values around it. It is a section, to be read when it is needed.
    fn isolated_region(&mut self, region: &Region, to: &mut Encoder) {
        to.flagged(1, true);
        let mut contents = Encoder::default();
        self.region(region, 0, &mut contents);
        to.byte(Section::Operations as u8);
        to.counted(&contents);
    }

    /// A region of one block, whose values are counted from a number.
    fn region(&mut self, region: &Region, first: usize, to: &mut Encoder) {
        let results = region
            .operations
            .iter()
            .flat_map(|operation| &operation.results);
        let mut next = first;
        for value in region.arguments.iter().chain(results) {
            self.numbers.insert(value.0, next);
            next += 1;
        }
        to.index(1);
        to.index(next - first);
        to.flagged(region.operations.len(), !region.arguments.is_empty());
        if !region.arguments.is_empty() {
            to.index(region.arguments.len());
            for argument in &region.arguments {
                // Without a location.
                to.flagged(self.tables.ty(self.module.type_of(*argument)), false);
            }
            // The arguments' users stand in no order that matters.
            to.byte(0);
        }
        for operation in &region.operations {
            self.operation(operation, next, to);
        }
    }

    fn operation(&mut self, operation: &Operation, next: usize, to: &mut Encoder) {
        to.index(self.tables.name(operation.name));
        to.byte(mask(operation));
        to.index(self.tables.location(&operation.location));
        if !operation.attributes.is_empty() {
            to.index(self.attributes(&operation.attributes));
        }
        if !operation.results.is_empty() {
            to.index(operation.results.len());
            for result in &operation.results {
                to.index(self.tables.ty(self.module.type_of(*result)));
            }
        }
        if !operation.operands.is_empty() {
            to.index(operation.operands.len());
            for operand in &operation.operands {
                to.index(self.numbers[&operand.0]);
            }
        }
        match operation.regions.as_slice() {
            [] => {}
            [body] if operation.name == "func.func" => self.isolated_region(body, to),
            regions => {
                to.flagged(regions.len(), false);
                regions
                    .iter()
                    .for_each(|region| self.region(region, next, to));
            }
        }
    }

    fn attributes(&mut self, attributes: &[(String, Attr)]) -> usize {
        let written = attributes.iter().map(|(name, attr)| {
            let value = match attr {
                Attr::Text(text) => self.tables.text(text),
                Attr::Resource { index, ty } => self.tables.resource(ty, *index),
            };
            (name.as_str(), value)
        });
        let written: Vec<_> = written.collect();
        self.tables.dictionary(&written)
    }
}

fn mask(operation: &Operation) -> u8 {
    let parts = [
        (has::ATTRIBUTES, operation.attributes.is_empty()),
        (has::RESULTS, operation.results.is_empty()),
        (has::OPERANDS, operation.operands.is_empty()),
        (has::REGIONS, operation.regions.is_empty()),
    ];
    let present = parts.iter().filter(|(_, empty)| !empty);
    present.fold(0, |mask, (part, _)| mask | part)
}
