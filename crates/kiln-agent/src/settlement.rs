//! What follows the work: what it has left is stored, and the hosts of a cluster
//! wait for each other.
//!
//! ```text
//! first host   keep in step ─┬──────────────────────────────────▶ end
//!              wait for the others ─▶ store what all have made ─┘
//! other hosts  keep in step ─▶ end ─▶ stay until the first has ended
//! ```
//!
//! Each host keeps its own checkpoints and other directories in step. What all
//! hosts have made is stored by the first, as one tree, out of the directories of
//! all, whatever came of its own work. Where it had none, since its inputs or its
//! container could not be had, or the disk is full, nothing of any host is stored.
//! It is also the one that says to the readers of records that there will be no more.
//! Nothing but orders ends its wait: a control plane that restarts gives them again,
//! and one that disowns the instance drops all of this.
//!
//! Of work that is interrupted, only the directories that are kept in step are
//! stored, since the job goes on from there. If it is to stop by then, it ends as
//! stopped, with no more stored.

use std::path::Path;

use kiln_data::{DataError, Objects};
use tokio::sync::watch;

use crate::failure;
use crate::opt_ml::OptMl;
use crate::outputs::{self, Synchronised};
use crate::plan::InstancePlan;
use crate::report::{Cut, Ending, Orders, Outcome};

/// What it takes to settle what the work has left.
pub(crate) struct Settlement<'a> {
    pub(crate) plan: &'a InstancePlan,
    /// The instance's directory.
    pub(crate) directory: &'a Path,
    pub(crate) objects: &'a Objects,
    /// What the control plane wants.
    pub(crate) orders: &'a watch::Receiver<Orders>,
}

/// What becomes of the model and the output data.
enum Made {
    Stored,
    /// The first host stores them.
    LeftToTheFirst,
    /// Nothing: a rule makes none.
    None,
    /// Nothing: the job goes on later.
    Dropped,
}

impl Settlement<'_> {
    /// Stores all that can be stored, even if some of it cannot.
    pub(crate) async fn settle(
        &self,
        outcome: Outcome,
        own: OptMl,
        synchronised: &mut Synchronised,
    ) -> Ending {
        let (made, kept) = tokio::join!(self.store(&outcome, own), synchronised.finish());
        let (outcome, stored) = match made {
            Ok(Made::Stored) => (outcome, true),
            Ok(Made::LeftToTheFirst | Made::None) => (outcome, false),
            Ok(Made::Dropped) => (self.interrupted(), false),
            Err(error) => (worst(outcome, &error), false),
        };
        let ends_job = self.plan.cluster.is_first() && outcome != Outcome::Interrupted;
        let kept = match kept {
            Ok(()) if ends_job => synchronised.mark_end(self.objects).await,
            kept => kept,
        };
        let outcome = match kept {
            Ok(()) => outcome,
            Err(error) => worst(outcome, &error),
        };
        Ending { outcome, stored }
    }

    async fn store(&self, outcome: &Outcome, own: OptMl) -> Result<Made, DataError> {
        if self.plan.rule.is_some() {
            return Ok(Made::None);
        }
        if *outcome == Outcome::Interrupted {
            return Ok(Made::Dropped);
        }
        if !self.plan.cluster.is_first() {
            return Ok(Made::LeftToTheFirst);
        }
        if !self.others_have_ended(outcome).await {
            return Ok(Made::Dropped);
        }
        let hosts = self.hosts(own);
        outputs::store(&self.plan.outputs, self.objects, &hosts).await?;
        Ok(Made::Stored)
    }

    /// Waits until the work of all other hosts has ended. Answers whether it has:
    /// work of theirs that is interrupted meanwhile is not done.
    async fn others_have_ended(&self, outcome: &Outcome) -> bool {
        if self.plan.cluster.others().next().is_none() {
            return true;
        }
        let is_interrupted =
            |orders: &Orders| *outcome == Outcome::Completed && orders.cut == Some(Cut::Interrupt);
        let mut orders = self.orders.clone();
        let waited = orders.wait_for(|orders| orders.proceed || is_interrupted(orders));
        match waited.await {
            Ok(orders) => !is_interrupted(&orders),
            // Nobody listens any more, which ends the life from outside.
            Err(_) => std::future::pending().await,
        }
    }

    /// The directories of all hosts: the own one first, and then the others' in
    /// the order of their numbers. They lie beside each other.
    fn hosts(&self, own: OptMl) -> Vec<OptMl> {
        let beside = self.directory.join("..");
        let others = self.plan.cluster.others();
        let others = others.map(|(_, host)| OptMl::of(&beside.join(&host.instance)));
        std::iter::once(own).chain(others).collect()
    }

    fn interrupted(&self) -> Outcome {
        match self.orders.borrow().cut {
            Some(Cut::Stop) => Outcome::Stopped,
            Some(Cut::Interrupt) | None => Outcome::Interrupted,
        }
    }
}

/// The work's own failure, or the time limit, says more than a failure to store
/// its outputs.
fn worst(outcome: Outcome, error: &DataError) -> Outcome {
    match outcome {
        first @ (Outcome::Failed(_) | Outcome::MaxRuntimeExceeded) => first,
        _ => Outcome::Failed(failure::of_upload(error)),
    }
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
