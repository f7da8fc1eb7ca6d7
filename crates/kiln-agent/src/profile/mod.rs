//! The profiler's system metrics: what a container uses, measured again and again
//! while it runs, and written where the profiler's readers look for it. Beside it,
//! the instance metrics of every job; see [`gauge`].
//!
//! ```text
//! meter ─┐
//!        ├─▶ metrics ─▶ lines of JSON ─▶ a file for each minute ─▶ (kept in step with S3)
//! GPUs ──┘
//! ```

mod files;
mod gauge;
mod gpus;
mod metrics;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

pub(crate) use self::gauge::Gauge;

use self::files::RecordFiles;
use self::gpus::Gpus;
use self::metrics::{Metric, Reading, metrics};
use crate::opt_ml::OptMl;
use crate::plan::InstancePlan;
use crate::report::Orders;
use crate::runtime::{Limits, Meter};

/// The shortest time between two measurements, whatever a plan says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// Measures one container, as its plan asks for.
pub(crate) struct Profiler {
    interval: Duration,
    host: String,
    limits: Limits,
    gpus: Vec<u32>,
    files: Arc<RecordFiles>,
    orders: watch::Receiver<Orders>,
}

impl Profiler {
    /// The profiler that the plan asks for, if it does.
    pub(crate) fn prepare(
        plan: &InstancePlan,
        opt_ml: &OptMl,
        orders: &watch::Receiver<Orders>,
    ) -> Option<Self> {
        let profile = plan.profile?;
        let host = plan.cluster.name().to_owned();
        Some(Self {
            interval: Duration::from_millis(profile.interval_ms).max(SHORTEST_INTERVAL),
            files: Arc::new(RecordFiles::new(opt_ml.output(), &host)),
            host,
            limits: plan.limits,
            gpus: plan.gpus.clone(),
            orders: orders.clone(),
        })
    }

    /// Measures for as long as it is polled, except while orders turn it off.
    pub(crate) async fn run(&self, meter: &dyn Meter) -> Infallible {
        let mut orders = self.orders.clone();
        loop {
            turned(&mut orders, true).await;
            tokio::select! {
                never = self.measure(meter) => match never {},
                () = turned(&mut orders, false) => {}
            }
        }
    }

    async fn measure(&self, meter: &dyn Meter) -> Infallible {
        let gpus = Gpus::new(&self.gpus);
        tokio::select! {
            never = gpus.follow(self.interval) => never,
            never = self.record(meter, &gpus) => never,
        }
    }

    async fn record(&self, meter: &dyn Meter, gpus: &Gpus) -> Infallible {
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = None;
        loop {
            ticks.tick().await;
            let usage = meter.read().await;
            let now = Reading {
                at: Instant::now(),
                usage,
            };
            if let Some(before) = &before {
                let mut found = metrics(before, &now, &self.limits);
                found.extend(gpus.metrics());
                self.write(&found).await;
            }
            before = Some(now);
        }
    }

    /// Writes down what was found. Where the job leaves no room for it, it is
    /// lost, which is no reason to fail.
    async fn write(&self, found: &[Metric]) {
        let at = SystemTime::now();
        let lines: String = found
            .iter()
            .map(|metric| metric.line(&self.host, at))
            .collect();
        let files = self.files.clone();
        let written = tokio::task::spawn_blocking(move || files.append(at, lines.as_bytes()));
        if let Ok(Err(error)) = written.await {
            tracing::debug!(%error, "a record of the profiler is lost");
        }
    }
}

/// Returns when the profiler is on, or off.
async fn turned(orders: &mut watch::Receiver<Orders>, on: bool) {
    if orders
        .wait_for(|orders| orders.profiler_off != on)
        .await
        .is_err()
    {
        // Nobody turns it any more.
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
