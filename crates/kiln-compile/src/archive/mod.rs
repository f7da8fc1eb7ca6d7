//! The model's archive, which may come from anyone.
//!
//! [`unpack`] writes what is in a `.tar.gz` into an empty directory, within
//! [`Limits`], and nothing but regular files under sound names. [`ModelFiles::find`]
//! then finds the model among them by the rules of its framework.

mod entry;
mod error;
#[cfg(test)]
mod fuzz;
mod header;
mod limits;
mod name;
mod rules;
mod sniff;
#[cfg(test)]
mod tests;
mod unpack;
mod walk;
mod zip;

pub use error::ArchiveError;
pub use limits::Limits;
pub use rules::{ModelFiles, class_labels, samples};
pub use sniff::{BEGINNING, is_pickled};
pub use unpack::{Unpacked, unpack};
