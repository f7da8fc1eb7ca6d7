//! A program in MLIR's generic syntax, for people and for programs without weights
//! worth mentioning: constants are written in hexadecimal.

use std::io::{self, Write};

use super::module::{Attr, Id, Module, Operation, Region, quoted};

/// What the compiler is to align constants to, at the head of each.
const ALIGNMENT: [u8; 4] = [8, 0, 0, 0];

pub(super) fn write(module: &Module, to: &mut dyn Write) -> io::Result<()> {
    write!(to, "\"builtin.module\"() ")?;
    regions(module, std::slice::from_ref(&module.body), to)?;
    writeln!(to, " : () -> ()")?;
    resources(module, to)
}

fn regions(module: &Module, regions: &[Region], to: &mut dyn Write) -> io::Result<()> {
    write!(to, "(")?;
    for (place, region) in regions.iter().enumerate() {
        write!(to, "{}{{", if place == 0 { "" } else { ", " })?;
        block(module, region, to)?;
        write!(to, "}}")?;
    }
    write!(to, ")")
}

fn block(module: &Module, region: &Region, to: &mut dyn Write) -> io::Result<()> {
    let arguments = region.arguments.iter();
    let arguments: Vec<_> = arguments
        .map(|id| format!("{}: {}", value(*id), module.type_of(*id)))
        .collect();
    if !arguments.is_empty() {
        write!(to, "^bb0({}):", arguments.join(", "))?;
    }
    writeln!(to)?;
    region
        .operations
        .iter()
        .try_for_each(|operation| self::operation(module, operation, to))
}

fn operation(module: &Module, operation: &Operation, to: &mut dyn Write) -> io::Result<()> {
    if !operation.results.is_empty() {
        write!(to, "{} = ", values(&operation.results))?;
    }
    write!(
        to,
        "\"{}\"({})",
        operation.name,
        values(&operation.operands)
    )?;
    if !operation.regions.is_empty() {
        write!(to, " ")?;
        regions(module, &operation.regions, to)?;
    }
    write!(to, " {{")?;
    for (place, (name, attr)) in operation.attributes.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(to, "{comma}{} = ", quoted(name.as_bytes()))?;
        attribute(module, attr, to)?;
    }
    let signature = module.signature(&operation.operands, &operation.results);
    writeln!(
        to,
        "}} : {signature} loc({})",
        quoted(operation.location.as_bytes())
    )
}

fn attribute(module: &Module, attr: &Attr, to: &mut dyn Write) -> io::Result<()> {
    match attr {
        Attr::Text(text) => to.write_all(text.as_bytes()),
        Attr::Resource { index, ty } => {
            write!(
                to,
                "dense_resource<{}> : {ty}",
                module.resources[*index].name
            )
        }
    }
}

fn values(ids: &[Id]) -> String {
    let values: Vec<_> = ids.iter().map(|id| value(*id)).collect();
    values.join(", ")
}

fn value(id: Id) -> String {
    format!("%{}", id.0)
}

fn resources(module: &Module, to: &mut dyn Write) -> io::Result<()> {
    if module.resources.is_empty() {
        return Ok(());
    }
    writeln!(to, "{{-#\ndialect_resources: {{\nbuiltin: {{")?;
    for (place, resource) in module.resources.iter().enumerate() {
        let comma = if place == 0 { "" } else { ",\n" };
        write!(to, "{comma}{}: \"0x", resource.name)?;
        hexadecimal(&ALIGNMENT, to)?;
        hexadecimal(&resource.bytes, to)?;
        write!(to, "\"")?;
    }
    writeln!(to, "\n}}\n}}\n#-}}")
}

fn hexadecimal(bytes: &[u8], to: &mut dyn Write) -> io::Result<()> {
    bytes
        .chunks(4096)
        .try_for_each(|chunk| to.write_all(hex::encode(chunk).as_bytes()))
}
