//! What a container is started with, beside its image.

use crate::runtime::{Mount, Start};

/// What a container is started with. One of this very program has no variables, and so no
/// keys.
#[derive(Debug)]
pub(crate) struct Outfit {
    pub(crate) start: Start,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) mounts: Vec<Mount>,
    /// The machine's GPUs that it has, by number.
    pub(crate) gpus: Vec<u32>,
}
