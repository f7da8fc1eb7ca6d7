//! The parts of a target: made by a compiler for C that runs outside of the sandbox,
//! of Kiln's own sources only, once for each target, and kept in the cache.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use kiln_compile::parts::{self, Kind, PartsError, Toolchain};
use kiln_compile::target::Platform;

use super::tools::ToolsError;
use crate::shelf::Shelf;

/// The directory of the parts in the cache.
const PARTS: &str = "parts";

/// The directory of a platform's parts, made by `zig` unless they are there.
pub(super) fn prepare(
    cache: &Path,
    zig: &Path,
    (platform, kind): (&Platform, Kind),
    say: &mut dyn FnMut(String),
) -> Result<PathBuf, ToolsError> {
    let shelf = Shelf::new(cache.join(PARTS));
    let mut listener = |line: &str| say(format!("Kiln: parts: {line}"));
    shelf.get_or_make(
        &parts::name(platform, kind),
        &mut listener,
        |home, listener| {
            listener(&format!("Making the parts for {platform} (once)"));
            make(&Toolchain::new(zig), (platform, kind), home, listener)
        },
    )
}

/// Makes them, several at a time, and passes on what is said meanwhile.
fn make(
    toolchain: &Toolchain,
    (platform, kind): (&Platform, Kind),
    home: &Path,
    listener: &mut dyn FnMut(&str),
) -> Result<(), ToolsError> {
    let (say, said) = mpsc::channel();
    thread::scope(|scope| {
        let making = scope.spawn(move || {
            // Whoever listens does so to the end.
            let log = |line: &str| drop(say.send(line.to_owned()));
            parts::make(toolchain, platform, kind, home, &log)
        });
        said.iter().for_each(|line| listener(&line));
        let died = |_| PartsError::Io {
            doing: "Making parts".to_owned(),
            source: std::io::Error::other("a thread died"),
        };
        making.join().map_err(died).flatten()
    })
    .map_err(ToolsError::Parts)
}
