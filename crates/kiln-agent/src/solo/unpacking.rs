//! Opens the archive of a model where a container finds its files.

use std::fs;
use std::path::Path;

use kiln_compile::archive::{self, Limits};

use crate::failure::internal;

/// Unpacks an archive into a directory that is there, and removes it. This blocks.
///
/// # Errors
/// The reason for the job's failure.
pub(crate) fn unpack(archive: &Path, into: &Path, limits: &Limits) -> Result<(), String> {
    archive::unpack(archive, into, limits).map_err(|error| error.to_string())?;
    fs::remove_file(archive).map_err(|error| internal(&error))
}
