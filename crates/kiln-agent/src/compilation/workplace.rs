//! The directories of a compilation: what its container is given, and what it leaves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kiln_compile::Order;

use super::task::Task;
use super::tools::Tools;
use crate::contract::Places;
use crate::opt_ml;
use crate::runtime::Mount;
use crate::solo::{Outfit, Program};

/// Where the container sees what it is given.
const INPUT: &str = "/opt/ml/input";
/// Where it leaves what it makes.
const OUTPUT: &str = "/opt/ml/output";
/// Where it may write besides. It lies in the container's own layer.
const SCRATCH: &str = "/tmp";

/// The archive, in what it is given.
const ARCHIVE: &str = "model.tar.gz";
/// What Kiln itself compiles with.
const COMPILER: Program = Program {
    command: "compile",
    inside: INPUT,
};

/// The host's side of a compilation's directories.
#[derive(Debug, Clone)]
pub(super) struct Workplace {
    root: PathBuf,
}

impl Workplace {
    /// Makes the directories inside the instance's.
    pub(super) fn create(instance: &Path) -> io::Result<Self> {
        let made = Self {
            root: instance.join(opt_ml::ROOT),
        };
        fs::create_dir_all(made.input())?;
        fs::create_dir_all(made.output())?;
        Ok(made)
    }

    /// The archive.
    pub(super) fn archive(&self) -> PathBuf {
        self.input().join(ARCHIVE)
    }

    /// What the container leaves.
    pub(super) fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// What an image that compiles in place of Kiln sees of them.
    pub(super) fn places(&self) -> Places {
        Places {
            given: self.input().join("model"),
            made: self.output().join("compiled"),
            errors: self.output().join("errors"),
            cache: self.output().join("cache"),
        }
    }

    /// Makes the directories that such an image sees.
    pub(super) fn vendors(&self) -> io::Result<Places> {
        let places = self.places();
        for place in [&places.given, &places.made, &places.errors, &places.cache] {
            fs::create_dir(place)?;
        }
        Ok(places)
    }

    fn input(&self) -> PathBuf {
        self.root.join("input")
    }

    /// Adds what the container needs beside the archive: its task, and this very
    /// program.
    pub(super) fn furnish(&self, order: &Order, tools: &Tools) -> io::Result<()> {
        let task = Task {
            order: order.clone(),
            archive: Path::new(INPUT).join(ARCHIVE),
            scratch: SCRATCH.into(),
            output: OUTPUT.into(),
            environments: tools.environments.clone(),
            parts: tools.parts.clone(),
        };
        Program::furnish(&self.input(), &task)
    }

    /// What the container of Kiln's own compiler is started with.
    pub(super) fn own(&self) -> Outfit {
        let mount = |source, target: &str, read_only| Mount {
            source,
            target: target.into(),
            read_only,
        };
        COMPILER.outfit(vec![
            mount(self.input(), INPUT, true),
            mount(self.output(), OUTPUT, false),
        ])
    }
}
