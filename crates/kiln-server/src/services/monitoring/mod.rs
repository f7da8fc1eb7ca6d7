//! CloudWatch's metrics: what jobs and users put in, and all that is asked of it.
//!
//! ```text
//! JSON ──┐                                       ┌──▶ JSON
//! form ──┼─▶ request ─▶ operation ─▶ answer ─────┼──▶ XML
//! CBOR ──┘   (wire)                  (wire)      └──▶ CBOR
//! ```
//!
//! An operation does not know which protocol its caller speaks.

mod answer;
mod fault;
mod input;
mod list;
mod metric_data;
mod metric_statistics;
mod paging;
mod percentile;
mod put;
mod search;
mod statistic;
mod wire;

use std::time::{SystemTime, UNIX_EPOCH};

use kiln_store::MetricStore;

use self::answer::Answer;
use self::fault::failed;
use self::input::read;
use super::{Call, Services};
use crate::door::require_owner;
use crate::keyring::Principal;
use crate::reply::{Fault, Reply};

pub(crate) use wire::{CBOR_PREFIX, TARGET, Wire, refuse};

/// The metrics, and what time it is.
struct Archive {
    metrics: MetricStore,
    /// Epoch seconds.
    now: i64,
}

/// The operation that a request names.
pub(crate) fn operation(call: &Call<'_>) -> Result<String, Fault> {
    Wire::of(call.parts).operation(call)
}

/// The input of a request, in whichever protocol it came.
pub(crate) fn input(call: &Call<'_>) -> Result<serde_json::Value, Fault> {
    Wire::of(call.parts).read(call)
}

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let wire = Wire::of(call.parts);
    let operation = wire.operation(call)?;
    may_call(services, call, &operation)?;
    let input = input(call)?;
    let archive = Archive {
        metrics: services.store.metrics.clone(),
        now: now(),
    };
    if operation == "PutMetricData" {
        let points = put::points(read(input)?, archive.now)?;
        let put = archive.metrics.add(points, archive.now).await;
        put.map_err(failed)?;
        return Ok(wire.write(&operation, None));
    }
    let name = operation.clone();
    let reading = tokio::task::spawn_blocking(move || archive.answer(&name, input));
    let answer = reading.await.map_err(|error| Fault::internal(&error))??;
    Ok(wire.write(&operation, Some(&answer)))
}

impl Archive {
    /// What is read is read on a thread that may wait for the disk.
    fn answer(&self, name: &str, input: serde_json::Value) -> Result<Answer, Fault> {
        match name {
            "GetMetricStatistics" => metric_statistics::answer(self, read(input)?),
            "GetMetricData" => metric_data::answer(self, &read(input)?),
            "ListMetrics" => list::answer(self, read(input)?),
            other => Err(fault::unknown_operation(other)),
        }
    }
}

/// A job may put metrics, as its role may in the cloud; all else is the owner's.
fn may_call(services: &Services, call: &Call<'_>, name: &str) -> Result<(), Fault> {
    if name == "PutMetricData" && matches!(call.caller, Principal::Job(_)) {
        return Ok(());
    }
    let action = format!("cloudwatch:{name}");
    require_owner(&call.caller, &services.identity, &action)
}

/// Epoch seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
