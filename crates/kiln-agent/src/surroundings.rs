//! What the life of an instance is surrounded by, whatever its work is.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kiln_data::Objects;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::report::{Orders, Outcome, Report, Stage};
use crate::spool::Spool;
use crate::work::{cut, internal};

/// The instance's directory, where it reports, its way to the data, and what is
/// wanted of it.
pub(crate) struct Surroundings {
    pub(crate) directory: PathBuf,
    pub(crate) spool: Arc<Spool>,
    pub(crate) objects: Objects,
    /// What the control plane wants.
    pub(crate) orders: watch::Receiver<Orders>,
    /// Set when something of the container may be left, or come to be only now.
    pub(crate) unsettled: Arc<AtomicBool>,
}

impl Surroundings {
    /// Reports that the life has come to a stage.
    pub(crate) fn enter(&self, stage: Stage) -> Result<(), Outcome> {
        self.spool.append([Report::Stage(stage)]).map_err(internal)
    }

    /// Does something, unless an order or the time limit cuts it short.
    pub(crate) async fn unless_cut<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Outcome> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            cut = cut(&self.orders, deadline) => Err(cut),
        }
    }
}
