//! The pinned tools of the compilers: a Python environment with ziglang, IREE's
//! compiler, ONNX Runtime and AWS's `dlr`, which `cargo xtask test` sets up and
//! `KILN_TEST_TOOLS` names.

#![allow(dead_code, clippy::unwrap_used)]

use std::path::PathBuf;

use kiln_compile::parts::Toolchain;

/// The environment; without it there is nothing to test, and a word is said.
pub fn environment() -> Option<PathBuf> {
    let tools = std::env::var_os("KILN_TEST_TOOLS").map(PathBuf::from);
    if tools.is_none() {
        eprintln!("skipped: KILN_TEST_TOOLS names no tools");
    }
    tools
}

/// The folder of its packages.
pub fn packages() -> Option<PathBuf> {
    let mut libraries = std::fs::read_dir(environment()?.join("lib")).unwrap();
    let python = libraries.next().unwrap().unwrap().path();
    Some(python.join("site-packages"))
}

/// Its toolchain.
pub fn toolchain() -> Option<Toolchain> {
    Some(Toolchain::new(packages()?.join("ziglang/zig")))
}
