//! Files on their way between this machine and an S3, with a bar to watch.

mod download;
mod files;
mod upload;

use std::path::PathBuf;

use kiln_data::{DataError, Listed, Objects};

pub use self::download::{Download, download};
pub use self::files::{LocalFile, below, single};
pub use self::upload::{Upload, upload};

use crate::terminal::Interrupts;

/// An S3, and the Ctrl-C that ends work with it.
#[derive(Clone, Copy)]
pub struct Store<'a> {
    /// Its objects.
    pub objects: &'a Objects,
    /// What may end the work.
    pub interrupts: &'a Interrupts,
}

/// Files on their way at a time.
const FILES_AT_ONCE: usize = 4;

/// Why files did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store is in the way.
    #[error(transparent)]
    Store(#[from] DataError),
    /// This machine is.
    #[error("{doing} {}: {source}", .path.display())]
    File {
        /// What was being done, as a sentence fragment.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted; what was not finished has left nothing behind")]
    Interrupted,
    /// A file was written to meanwhile.
    #[error("{} changed while it was read; try again when it is at rest", .0.display())]
    Changed(PathBuf),
    /// What cannot be read or replaced as a whole: a device, a pipe, a socket.
    #[error("{} is neither a file nor a directory", .0.display())]
    Special(PathBuf),
    /// A name is no text.
    #[error("a key in S3 is UTF-8, and the name of the file {} is not", .0.display())]
    Nameless(PathBuf),
    /// A link leads to a directory that it is in.
    #[error("the link {} leads in a circle", .0.display())]
    Circle(PathBuf),
}

impl TransferError {
    /// Says what was being done to a file.
    pub fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}

/// All objects whose keys begin so.
pub async fn list(
    objects: &Objects,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<Listed>, TransferError> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = objects.list_page(bucket, prefix, token.as_deref()).await;
        let (listed, next) = page.map_err(|error| error.fetching(bucket, prefix))?;
        found.extend(listed);
        if next.is_none() {
            return Ok(found);
        }
        token = next;
    }
}
