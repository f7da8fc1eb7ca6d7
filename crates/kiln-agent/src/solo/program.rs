//! This very program as the work of a container without network and keys, which sees the
//! host's own programs and what else it is shown, all read-only.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Outfit;
use crate::agent;
use crate::runtime::{ImageConfig, Mount, ResolvedImage, Root, Start};

/// The files that it is given.
const PROGRAM: &str = "kiln";
const TASK: &str = "task.json";

/// One of this program's commands that do a task in a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// The command.
    pub(crate) command: &'static str,
    /// Where the container sees its copy of the program, and the task.
    pub(crate) inside: &'static str,
}

impl Program {
    /// The host's own programs, and these of its directories.
    pub(crate) fn image(visible: BTreeSet<PathBuf>) -> ResolvedImage {
        let fixed = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("LANG", "C.UTF-8"),
        ];
        let env = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ResolvedImage {
            root: Root::System {
                visible: visible.into_iter().collect(),
            },
            config: ImageConfig {
                env: env.to_vec(),
                ..ImageConfig::default()
            },
        }
    }

    /// Writes down the task in the directory that the container sees, and copies this very
    /// program there, since the file that the server was started from may be another by now.
    pub(crate) fn furnish(directory: &Path, task: &impl Serialize) -> io::Result<()> {
        fs::write(directory.join(TASK), serde_json::to_vec(task)?)?;
        fs::copy(agent::PROGRAM, directory.join(PROGRAM)).map(drop)
    }

    /// What the container is started with.
    pub(crate) fn outfit(self, mounts: Vec<Mount>) -> Outfit {
        let inside = |name: &str| format!("{}/{name}", self.inside);
        let command = vec![inside(PROGRAM), self.command.to_owned(), inside(TASK)];
        Outfit {
            start: Start {
                entrypoint: Some(command),
                arguments: None,
            },
            env: Vec::new(),
            mounts,
            gpus: Vec::new(),
        }
    }
}
