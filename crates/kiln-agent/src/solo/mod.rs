//! Work of one instance that is its containers' alone, one after another, as compilations
//! and optimizations are: no cluster, no channels, nothing beside the container.
//!
//! A container's work is this very program, or an image that works in its place under the
//! contract for those. Either way it runs in a [`Room`], and how it ended is read in what
//! it left.

mod ending;
mod outfit;
mod program;
mod room;
mod unpacking;

pub(crate) use ending::{End, Told, of_own};
pub(crate) use outfit::Outfit;
pub(crate) use program::Program;
pub(crate) use room::Room;
pub(crate) use unpacking::unpack;
