//! What agents say, and what keeps them from being heard.

use std::time::Duration;

use kiln_agent::report::{Numbered, Orders, Receipt};
use kiln_store::{Instance, NewEvent, StoreError};

use super::{Kind, Plane, now};
use crate::scope::Access;
use crate::{JobError, JobSession};

/// How long an agent's question for orders is held open.
const ORDERS_WAIT: Duration = Duration::from_secs(20);

/// Why an agent is not heard.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The instance is unknown, or the token is not its own.
    #[error("there is no such instance")]
    Unknown,
    /// The control plane failed; the agent tries again.
    #[error(transparent)]
    Failed(#[from] JobError),
}

impl Plane {
    /// The kind of the job of an instance whose agent shows this token, and the
    /// instance.
    pub(crate) fn heard<'a>(
        &self,
        kinds: &[&'a dyn Kind],
        (id, token): (&str, &str),
    ) -> Result<(&'a dyn Kind, Instance), ReportError> {
        let instance = self.authenticate(id, token)?;
        let mut kinds = kinds.iter();
        let kind = kinds.find(|kind| kind.name() == instance.kind);
        Ok((*kind.ok_or(ReportError::Unknown)?, instance))
    }

    /// Keeps the lines that an instance's container wrote.
    pub(crate) async fn keep_lines(
        &self,
        instance: &Instance,
        group: &'static str,
        lines: Vec<(u64, NewEvent)>,
    ) -> Result<(), JobError> {
        let logs = &self.store.logs;
        logs.deliver(
            &instance.id,
            group,
            &instance.log_stream,
            lines,
            now().millis(),
        )
        .await?;
        Ok(())
    }
}

/// Takes in a delivery of reports.
pub(crate) async fn report(
    kind: &dyn Kind,
    instance: &Instance,
    reports: Vec<Numbered>,
) -> Result<Receipt, ReportError> {
    let delivered = reports.last().map_or(0, |report| report.n);
    kind.take_in(&instance.id, reports).await?;
    Ok(Receipt { delivered })
}

/// Waits a while until the instance's orders are others than those that its agent
/// knows.
pub(crate) async fn orders(
    kind: &dyn Kind,
    instance: &Instance,
    known: Orders,
) -> Result<Option<Orders>, ReportError> {
    let mut told = kind.plane().told.subscribe();
    let waited = tokio::time::timeout(ORDERS_WAIT, async {
        loop {
            let orders = kind.orders_of(instance)?;
            if orders != known {
                return Ok(orders);
            }
            // The sender lives as long as we do.
            let _ = told.changed().await;
        }
    });
    waited.await.ok().transpose()
}

/// Whether the holder of keys may read an object.
pub(crate) fn may_read(
    kind: &dyn Kind,
    holder: &JobSession,
    (bucket, key): (&str, &str),
) -> Result<bool, ReportError> {
    let scope = kind.scope(holder)?;
    Ok(scope.is_some_and(|scope| scope.allows(Access::Read, bucket, key)))
}

/// A [`JobError`] that keeps a missing job apart from a failing store.
pub(crate) struct Stepping(pub(crate) JobError);

impl From<JobError> for Stepping {
    fn from(error: JobError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Stepping {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchResource => Self(JobError::NotFound(error.to_string())),
            other => Self(other.into()),
        }
    }
}

impl From<kiln_store::SqliteError> for Stepping {
    fn from(error: kiln_store::SqliteError) -> Self {
        Self(error.into())
    }
}
