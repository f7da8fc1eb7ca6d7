//! How parts are made: sources, and commands that turn them into products.

use std::borrow::Cow;

use blake2::Digest;

/// Everything that making a kind of parts for a platform takes.
#[derive(Debug, Clone, Default)]
pub(super) struct Recipe {
    pub sources: Vec<Source>,
    /// One after another; the steps of a stage do not need one another.
    pub stages: Vec<Vec<Step>>,
    /// The files that are kept.
    pub products: Vec<String>,
}

/// A file that is there before the first step.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its path, as steps and other sources name it.
    pub path: String,
    pub bytes: Cow<'static, [u8]>,
}

/// One run of zig, in the folder of the sources.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// What it does, as a verb and its object.
    pub what: String,
    pub arguments: Vec<String>,
}

impl Source {
    /// A source that is a part of this program.
    pub fn of(path: &str, text: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            bytes: Cow::Borrowed(text.as_bytes()),
        }
    }
}

impl Recipe {
    /// Hashes all that the products depend on. Lengths keep neighbours apart.
    pub fn feed(&self, hash: &mut impl Digest) {
        let mut feed = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for source in &self.sources {
            feed(source.path.as_bytes());
            feed(&source.bytes);
        }
        for step in self.stages.iter().flatten() {
            for argument in &step.arguments {
                feed(argument.as_bytes());
            }
        }
    }
}
