//! Where instances run: this machine today, behind one small trait.
//!
//! An engine admits what fits, places agents, and says when one is gone. What
//! the work is, it does not know.

mod fitting;
mod instance_types;
mod leftovers;
mod local;
mod machine;

use std::collections::HashSet;

use async_trait::async_trait;
use kiln_agent::plan::Plan;
use kiln_agent::runtime::Limits;
use serde::{Deserialize, Serialize};

pub use fitting::{Fitting, UnknownFitting};
pub use instance_types::{InstanceTypes, Size};
pub use leftovers::Leftovers;
pub use local::{LocalEngine, LocalSettings};
pub use machine::{Machine, Room};

/// Whether an instance's agent is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Alive,
    /// Nothing of it is there: it was never placed, or it ended and was cleared.
    Absent,
    /// It was placed but has not begun.
    NotBegun,
    /// It has been, and is not any more.
    Gone,
}

/// What one host of a job gets here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// What its container may use.
    pub limits: Limits,
    /// How many GPUs.
    pub gpus: u32,
}

/// What the hosts of a job get here, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// For each host.
    pub shares: Vec<Share>,
    /// What to tell the user where they get less than their types promise.
    pub remark: Option<String>,
}

/// What an instance has of a machine, as it is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// What its container may use.
    pub limits: Limits,
    /// The numbers of the GPUs that it has for itself.
    pub gpus: Vec<u32>,
}

/// The machine is too small for a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoCapacity(pub String);

/// Somewhere instances can run.
#[async_trait]
pub trait Engine: Send + Sync {
    /// What the hosts of a job get here, given the instance type of each.
    ///
    /// # Errors
    /// When the machine is too small for them and may not run them smaller.
    fn fit(&self, types: &[&str]) -> Result<Fit, NoCapacity>;

    /// What an instance gets that is content with less: so much, or what there is.
    fn up_to(&self, most: &Size) -> Share;

    /// Sets room aside for all of a job's instances, or answers that there is
    /// none now.
    fn admit(&self, instances: &[(String, Share)]) -> Option<Vec<Claim>>;

    /// Whether there would be room for all of these if some instances were gone.
    fn fits_without(&self, instances: &[(String, Share)], gone: &[String]) -> bool;

    /// Takes room for an instance that runs already, whether or not it fits.
    fn adopt(&self, instance: &str, claim: &Claim);

    /// Gives an instance's room back.
    fn release(&self, instance: &str);

    /// Starts the agent of an instance. Repeating it is harmless.
    async fn place(&self, plan: &Plan) -> Result<(), EngineError>;

    /// Whether the instance's agent is at work.
    fn presence(&self, instance: &str) -> Presence;

    /// Returns when the instance's agent is gone.
    async fn departed(&self, instance: &str);

    /// Reports that an agent wrote down before it was gone, numbered above `after`.
    fn leftovers(&self, instance: &str, after: u64) -> Result<Leftovers, EngineError>;

    /// Instances of which there are traces though nobody knows of them, and whose
    /// agents are gone.
    fn strays(&self, known: &HashSet<String>) -> Result<Vec<String>, EngineError>;

    /// Removes every trace of an instance whose agent is gone.
    async fn clear(&self, instance: &str) -> Result<(), EngineError>;
}

/// Why an engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Input or output failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a sentence fragment.
        doing: &'static str,
        /// The cause.
        source: std::io::Error,
    },
}

impl EngineError {
    fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
