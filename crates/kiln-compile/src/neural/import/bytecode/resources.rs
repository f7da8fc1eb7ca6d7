//! The sections of resources: constants, aligned so that they can be used where they lie.

use std::io::{self, Write};

use super::Section;
use super::encoder::Encoder;
use super::tables::{BUILTIN, Tables};
use crate::neural::import::module::Resource;

const ALIGNMENT: usize = 8;
const PADDING: u8 = 0xcb;
/// What a section's number carries when the section is aligned.
const ALIGNED: u8 = 0x80;
/// What a resource is if it is bytes.
const BLOB: u8 = 0;

/// The section of the resources' names and sizes.
pub(super) fn sizes(resources: &[Resource], tables: &mut Tables) -> Encoder {
    let mut section = Encoder::default();
    // None of others than the dialects.
    section.index(0);
    if resources.is_empty() {
        return section;
    }
    section.index(BUILTIN);
    section.index(resources.len());
    let mut at = 0;
    for resource in resources {
        let size = head(resource, at).len() + resource.bytes.len();
        section.index(tables.string(&resource.name));
        section.index(size);
        section.byte(BLOB);
        at += size;
    }
    section
}

/// What stands before a resource's bytes, if it begins at an offset: how they are aligned,
/// how many they are, and what aligns them.
fn head(resource: &Resource, at: usize) -> Encoder {
    let mut head = Encoder::default();
    head.index(ALIGNMENT);
    head.index(resource.bytes.len());
    while !(at + head.len()).is_multiple_of(ALIGNMENT) {
        head.byte(PADDING);
    }
    head
}

/// Writes what comes before the resources, and them.
pub(super) fn write(
    mut before: Encoder,
    resources: &[Resource],
    to: &mut dyn Write,
) -> io::Result<()> {
    let ends = resources.iter().scan(0, |at, resource| {
        *at += head(resource, *at).len() + resource.bytes.len();
        Some(*at)
    });
    let size = ends.last().unwrap_or(0);
    before.byte(Section::Resources as u8 | ALIGNED);
    before.index(size);
    before.index(ALIGNMENT);
    while !before.len().is_multiple_of(ALIGNMENT) {
        before.byte(PADDING);
    }
    to.write_all(before.as_slice())?;
    let mut at = 0;
    for resource in resources {
        let head = head(resource, at);
        to.write_all(head.as_slice())?;
        to.write_all(&resource.bytes)?;
        at += head.len() + resource.bytes.len();
    }
    Ok(())
}
