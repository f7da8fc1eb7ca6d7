//! One instance's whole life, and the container runtimes it can use.
//!
//! An agent is a process of its own. It reads a plan, fetches the inputs, runs
//! the work in a container, stores the outputs, and reports every step to the
//! control plane, which it outlives and finds again.

pub mod agent;
mod aloud;
mod bodies;
mod capture;
pub mod cluster;
pub mod compilation;
mod contract;
mod courier;
pub mod failure;
#[cfg(test)]
mod fuzz;
pub mod gpu;
pub mod image;
mod inputs;
mod judgement;
mod left;
mod life;
mod one_object;
mod opt_ml;
pub mod optimization;
mod outputs;
pub mod plan;
mod profile;
mod records;
pub mod removal;
pub mod report;
mod rooted;
pub mod rule;
pub mod runtime;
mod settlement;
mod shelf;
mod solo;
pub mod spool;
pub mod ssh;
mod surroundings;
#[cfg(test)]
mod test_server;
mod volume;
mod work;

/// Why an agent could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The control plane no longer knows the instance; its job was decided
    /// without it.
    #[error("the control plane does not know this instance")]
    Disowned,
    /// The control plane finds fault with a delivery, which it would find again.
    #[error("the control plane refuses a delivery of reports (HTTP {0})")]
    Refused(u16),
    /// No HTTP client could be made.
    #[error("no HTTP client could be made: {0}")]
    Http(String),
    /// Input or output failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a sentence fragment.
        doing: &'static str,
        /// The cause.
        source: std::io::Error,
    },
}

impl AgentError {
    fn io(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
