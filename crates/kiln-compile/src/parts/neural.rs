//! The parts of neural networks: `libdlr.so` over IREE's runtime, and the program that
//! runs a model without a client. Both are for Linux; `neural::Device` says for which
//! targets there are none.
//!
//! IREE's sources come from the archive that `build.rs` packed. Unlike the parts of
//! trees these need the C library's headers, so zig first makes what a program of the
//! target is linked with.

use std::borrow::Cow;
use std::io::Read;

use super::recipe::{Recipe, Source, Step};
use super::target::{arm_flags, triple};
use crate::target::{Os, Platform};

/// IREE's runtime and the headers that its build generates.
const RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iree-runtime.tar.gz"));

/// The files of IREE's runtime that are compiled, below its root.
const LISTED: &str = include_str!("../../native/iree/sources.txt");

/// Our own files that are compiled into the loader.
const LOADER: [&str; 7] = [
    "dlr.c",
    "metadata.c",
    "neural_model.c",
    "neural_proactor.c",
    "neural_runtime.c",
    "neural_signature.c",
    "system_posix.c",
];

/// What clients see of the loader; a process may have IREE's runtime a second time.
const VISIBLE: &str =
    "{ global: CreateDLR*; DeleteDLR*; RunDLR*; SetDLR*; GetDLR*; DLR*; local: *; };\n";

/// Where headers are found.
const INCLUDES: [&str; 4] = [
    "-I.",
    "-Igenerated",
    "-Iiree/runtime/src",
    "-Iiree/third_party/flatcc/include",
];

/// What IREE's own build defines. Memory is the C library's, and a failure is told by its
/// place and its message, without a stack.
const DEFINES: [&str; 4] = [
    "-DNDEBUG",
    "-D_GNU_SOURCE",
    "-DIREE_ALLOCATOR_SYSTEM_CTL=iree_allocator_libc_ctl",
    "-DIREE_STATUS_FEATURES=2",
];

pub(super) fn recipe(platform: &Platform) -> Recipe {
    if platform.os != Os::Linux {
        return Recipe::default();
    }
    Recipe {
        sources: sources(),
        // The first step makes the target's C library, which the second one would make
        // again beside it.
        stages: vec![vec![runner(platform)], vec![loader(platform)]],
        products: vec!["libdlr.so".to_owned(), "runner".to_owned()],
    }
}

fn sources() -> Vec<Source> {
    macro_rules! native {
        ($($name:literal),*) => {
            vec![$(Source::of($name, include_str!(concat!("../../native/", $name)))),*]
        };
    }
    let mut sources = native![
        "dlr.c",
        "metadata.c",
        "metadata.h",
        "model.h",
        "neural_model.c",
        "neural_proactor.c",
        "neural_runtime.c",
        "neural_runtime.h",
        "neural_signature.c",
        "neural_signature.h",
        "runner.c",
        "system.h",
        "system_posix.c",
        "text.h"
    ];
    sources.push(Source::of("visible.map", VISIBLE));
    sources.extend(packed());
    sources
}

/// The files of the archive. It is a part of this program and read by a test, so what
/// cannot be read of it is left for the compiler to miss.
fn packed() -> Vec<Source> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(RUNTIME));
    let entries = archive.entries().into_iter().flatten();
    entries
        .filter_map(|entry| {
            let mut entry = entry
                .ok()
                .filter(|entry| entry.header().entry_type().is_file())?;
            let path = entry.path().ok()?.to_str()?.to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).ok()?;
            let bytes = Cow::Owned(bytes);
            Some(Source { path, bytes })
        })
        .collect()
}

fn loader(platform: &Platform) -> Step {
    let flags = [
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
        "-Wl,--version-script=visible.map",
        "-Wl,-z,defs",
    ];
    let files = LISTED
        .lines()
        .map(|path| format!("iree/{path}"))
        .chain(LOADER.map(str::to_owned));
    Step {
        what: "compile IREE's runtime and link libdlr.so".to_owned(),
        arguments: compile(platform)
            .chain(
                INCLUDES
                    .iter()
                    .chain(&DEFINES)
                    .chain(&flags)
                    .map(|&one| one.to_owned()),
            )
            .chain(files)
            .chain(["-lm", "-lpthread", "-ldl", "-o", "libdlr.so"].map(str::to_owned))
            .collect(),
    }
}

fn runner(platform: &Platform) -> Step {
    let rest = ["runner.c", "system_posix.c", "-ldl", "-o", "runner"];
    Step {
        what: "compile the runner".to_owned(),
        arguments: compile(platform).chain(rest.map(str::to_owned)).collect(),
    }
}

/// Third parties' code is not ours to warn about.
fn compile(platform: &Platform) -> impl Iterator<Item = String> {
    let common = [
        "-O2",
        "-w",
        "-fno-sanitize=all",
        "-ffunction-sections",
        "-fdata-sections",
        "-Wl,--gc-sections",
        "-s",
    ];
    ["cc", "-target", triple(platform)]
        .into_iter()
        .chain(common)
        .map(str::to_owned)
        .chain(arm_flags(platform))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Arch;

    #[test]
    fn every_file_that_is_compiled_is_a_source() {
        let platform = Platform {
            os: Os::Linux,
            arch: Arch::Arm64,
            cpu: None,
            features: Vec::new(),
        };
        let recipe = recipe(&platform);
        let steps = recipe.stages.iter().flatten();
        let compiled =
            steps.flat_map(|step| step.arguments.iter().filter(|one| one.ends_with(".c")));
        let mut count = 0;
        for file in compiled {
            assert!(
                recipe.sources.iter().any(|source| source.path == *file),
                "{file}"
            );
            count += 1;
        }
        assert!(count > 100, "{count}");
        let licence = |source: &Source| source.path == "iree/LICENSE" && !source.bytes.is_empty();
        assert!(recipe.sources.iter().any(licence));
    }
}
