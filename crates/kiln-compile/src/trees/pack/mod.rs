//! The packed form that the kernel (`kernel/trees.c`) walks: one block of
//! little-endian bytes, linked into the artifact beside it.
//!
//! Trees of plain thresholds take the quick form, eight bytes a node; those
//! with sets of categories, with vectors for leaves, or too large for the
//! quick form's small numbers take the general one. The quick trees are there
//! a second time, in the sliced form, for many rows at once.

mod columns;
mod general;
mod layout;
mod quick;
mod sliced;

use super::{Ensemble, Target, TreesError};
use columns::Columns;
use general::General;
use layout::Layout;
use quick::Quick;
use sliced::Sliced;

/// The kernel's source, a freestanding C file. It is the same for every model,
/// so that an object is compiled but once for each target.
pub const KERNEL: &str = include_str!("../../../kernel/trees.c");

/// What the kernel's compiler must be told, whether it is GCC or clang.
pub const KERNEL_FLAGS: [&str; 5] = [
    "-std=c11",
    "-O3",
    "-fPIC",
    "-fno-builtin",
    "-fvisibility=hidden",
];

/// The source of the other object that an ELF target links: the packed bytes
/// of the file whose path is the quoted text `KILN_MODEL`.
pub const MODEL: &str = include_str!("../../../kernel/model.S");

/// Packs an ensemble. Its answers are for rows of 32-bit floats.
pub fn pack(ensemble: &Ensemble) -> Result<Vec<u8>, TreesError> {
    let mut columns = Columns::new();
    let mut quick = Quick::new();
    let mut general = General::default();
    for tree in &ensemble.parts().trees {
        let packed = match tree.target {
            Target::Group(group) => quick.push(tree, group, &mut columns),
            Target::Every => false,
        };
        if !packed {
            general.push(tree, ensemble.groups() as u32, &mut columns);
        }
    }
    // The kernel adds the faster where neighbours add to the same output.
    quick.trees.sort_by_key(|tree| tree.group);
    let sliced = Sliced::of(&quick, columns.sources.len());
    let layout = Layout {
        ensemble,
        columns: &columns,
        quick: &quick,
        sliced: &sliced,
        general: &general,
    };
    let bytes = layout.bytes();
    if u32::try_from(bytes.len()).is_err() {
        return Err(TreesError::unsupported("more than 4 GiB of trees"));
    }
    Ok(bytes)
}
