//! The program that the tests of the embedded runtime re-execute as a shim, in
//! the place of the server's own.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(2) {
        Some(spec) => kiln_agent::runtime::embedded::shim::main(Path::new(&spec)),
        None => ExitCode::FAILURE,
    }
}
