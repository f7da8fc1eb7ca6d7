//! What a model is compiled for.

mod platform;

pub use platform::{Arch, Os, Platform};
