//! A packed ensemble becomes a library: an object of its bytes, linked with the
//! target's kernel.

use std::path::{Path, PathBuf};

use object::write::{Object, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, FileFlags, SectionKind, SymbolFlags, SymbolKind,
    SymbolScope,
};

use super::{Ensemble, TreesError, pack};
use crate::parts::{Toolchain, library_name, loader_name, shared_library};
use crate::target::{Arch, Os, Platform};

/// What the kernel calls the packed bytes.
const SYMBOL: &[u8] = b"kiln_model";
/// What the kernel takes for granted of their address.
const ALIGNMENT: u64 = 64;
const EF_ARM_EABI_VER5: u32 = 0x0500_0000;

/// What a build left in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The compiled model.
    pub library: PathBuf,
    /// The library that clients load it with.
    pub loader: PathBuf,
    /// How many bytes the trees were packed into.
    pub packed: usize,
}

/// Builds an ensemble for a platform from the parts that were made for it. The
/// folder must exist; the compiled model and its loader are written to it.
pub fn build(
    ensemble: &Ensemble,
    platform: &Platform,
    parts: &Path,
    toolchain: &Toolchain,
    folder: &Path,
) -> Result<Built, TreesError> {
    let bytes = pack(ensemble)?;
    let packed = bytes.len();
    let object = data_object(platform, bytes)?;
    let room = tempfile::tempdir().map_err(TreesError::io("Making a folder to build in"))?;
    let data = room.path().join("model.o");
    std::fs::write(&data, object).map_err(TreesError::io("Writing the model's object"))?;
    let name = library_name(platform);
    // The linker runs in another folder.
    let kernel = std::path::absolute(parts.join("kernel.o"));
    let kernel = kernel.map_err(TreesError::io("Finding the kernel"))?;
    let inputs = [&*kernel.to_string_lossy(), "model.o"];
    let arguments = shared_library(platform, name, &inputs);
    toolchain.run("link the model", &arguments, room.path())?;
    let (library, loader) = (folder.join(name), folder.join(loader_name(platform)));
    copy(&room.path().join(name), &library)?;
    copy(&parts.join(loader_name(platform)), &loader)?;
    Ok(Built {
        library,
        loader,
        packed,
    })
}

fn copy(from: &Path, to: &Path) -> Result<(), TreesError> {
    let copying = TreesError::io(format!("Copying {} to {}", from.display(), to.display()));
    std::fs::copy(from, to).map(drop).map_err(copying)
}

/// An object file that holds nothing but the packed bytes.
fn data_object(platform: &Platform, bytes: Vec<u8>) -> Result<Vec<u8>, TreesError> {
    let format = match platform.os {
        Os::Windows => BinaryFormat::Coff,
        Os::Linux | Os::Android => BinaryFormat::Elf,
    };
    let architecture = match platform.arch {
        Arch::X86_64 => Architecture::X86_64,
        Arch::X86 => Architecture::I386,
        Arch::Arm64 => Architecture::Aarch64,
        Arch::ArmEabi | Arch::ArmEabihf => Architecture::Arm,
    };
    let mut object = Object::new(format, architecture, Endianness::Little);
    if format == BinaryFormat::Elf && architecture == Architecture::Arm {
        object.flags = FileFlags::Elf {
            os_abi: 0,
            abi_version: 0,
            e_flags: EF_ARM_EABI_VER5,
        };
    }
    let name = match format {
        BinaryFormat::Coff => b".rdata".to_vec(),
        _ => b".rodata".to_vec(),
    };
    let section = object.add_section(Vec::new(), name, SectionKind::ReadOnlyData);
    let symbol = object.add_symbol(Symbol {
        name: SYMBOL.to_vec(),
        value: 0,
        size: 0,
        kind: SymbolKind::Data,
        scope: SymbolScope::Linkage,
        weak: false,
        section: SymbolSection::Undefined,
        flags: SymbolFlags::None,
    });
    object.add_symbol_data(symbol, section, &bytes, ALIGNMENT);
    object.write().map_err(TreesError::from)
}
