//! The instance metrics: what a container uses of its machine, for every job. It
//! is looked at every few seconds, and reported for each minute; the last one,
//! however short, included.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep, timeout};

use super::gpus::Gpus;
use super::metrics::{Reading, load};
use crate::plan::InstancePlan;
use crate::report::{Measured, Report};
use crate::runtime::{Limits, Meter};
use crate::spool::Spool;
use crate::volume::Filling;

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
/// The first comes sooner, for jobs that are over soon.
const FIRST: Duration = Duration::from_secs(1);
/// How long the last look may hold up the end of the job.
const LAST_LOOK: Duration = Duration::from_millis(250);

/// Measures one container for its instance metrics.
pub(crate) struct Gauge {
    spool: Arc<Spool>,
    limits: Limits,
    gpus: Gpus,
    filling: Filling,
    seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    before: Option<Reading>,
    /// The minute that is being gathered, epoch seconds.
    minute: i64,
    metrics: BTreeMap<&'static str, Measured>,
}

impl Gauge {
    /// The gauge of the plan's container, unless that only evaluates a rule.
    pub(crate) fn prepare(
        plan: &InstancePlan,
        filling: Filling,
        spool: &Arc<Spool>,
    ) -> Option<Self> {
        plan.rule.is_none().then(|| Self {
            spool: spool.clone(),
            limits: plan.limits,
            gpus: Gpus::new(&plan.gpus),
            filling,
            seen: Mutex::default(),
        })
    }

    /// Measures for as long as it is polled.
    pub(crate) async fn run(&self, meter: &dyn Meter) -> Infallible {
        let looking = async {
            let mut pause = FIRST;
            loop {
                self.look(meter).await;
                sleep(pause).await;
                pause = INTERVAL;
            }
        };
        tokio::select! {
            never = self.gpus.follow(INTERVAL) => never,
            never = looking => never,
        }
    }

    /// Looks for the last time, if the last look was a while ago, and reports the
    /// minute that has only begun.
    pub(crate) async fn conclude(&self, meter: &dyn Meter) {
        let is_late = |before: &Reading| before.at.elapsed() < INTERVAL / 2;
        let enough = {
            let seen = self.seen();
            !seen.metrics.is_empty() && seen.before.as_ref().is_some_and(is_late)
        };
        if !enough {
            // What is not known by then is not known.
            let _ = timeout(LAST_LOOK, self.look(meter)).await;
        }
        let report = self.seen().finish();
        self.report(report);
    }

    async fn look(&self, meter: &dyn Meter) {
        let usage = meter.read().await;
        let now = Reading {
            at: Instant::now(),
            usage,
        };
        let finished = {
            let mut seen = self.seen();
            let finished = seen.turn(minute(SystemTime::now()));
            let before = seen.before.take();
            for (name, percent) in load(before.as_ref(), &now, &self.limits) {
                seen.add(name, percent);
            }
            for (name, percent) in self.gpus.load() {
                seen.add(name, percent);
            }
            if let Some(percent) = self.filling.percent() {
                seen.add("DiskUtilization", percent);
            }
            seen.before = Some(now);
            finished
        };
        self.report(finished);
    }

    fn report(&self, report: Option<Report>) {
        if let Err(error) = self.spool.append(report) {
            // The log is written to the same disk, and the job fails for that.
            tracing::debug!(%error, "a minute's instance metrics are lost");
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn add(&mut self, name: &'static str, value: f64) {
        self.metrics
            .entry(name)
            .and_modify(|measured| measured.add(value))
            .or_insert_with(|| Measured::of(name, value));
    }

    /// Goes on to a minute; reports the one before if this is another.
    fn turn(&mut self, minute: i64) -> Option<Report> {
        let finished = (minute != self.minute).then(|| self.finish()).flatten();
        self.minute = minute;
        finished
    }

    /// Reports what was gathered, if anything was.
    fn finish(&mut self) -> Option<Report> {
        let metrics = std::mem::take(&mut self.metrics);
        (!metrics.is_empty()).then(|| Report::Usage {
            minute: self.minute,
            metrics: metrics.into_values().collect(),
        })
    }
}

/// The start of the minute, epoch seconds.
fn minute(time: SystemTime) -> i64 {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    i64::try_from(seconds - seconds % 60).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(minute: i64, metrics: &[(&str, u32, f64, f64, f64)]) -> Option<Report> {
        let measured =
            |(name, samples, total, lowest, highest): &(&str, u32, f64, f64, f64)| Measured {
                name: (*name).to_owned(),
                samples: *samples,
                total: *total,
                lowest: *lowest,
                highest: *highest,
            };
        let metrics = metrics.iter().map(measured).collect();
        Some(Report::Usage { minute, metrics })
    }

    #[test]
    fn each_minute_is_reported_once_and_whole() {
        let mut seen = Seen::default();
        assert_eq!(seen.turn(60), None);
        assert_eq!(seen.finish(), None);
        seen.add("cpu", 1.0);
        seen.add("disk", 7.0);
        assert_eq!(seen.turn(60), None);
        seen.add("cpu", 5.0);
        let first = usage(60, &[("cpu", 2, 6.0, 1.0, 5.0), ("disk", 1, 7.0, 7.0, 7.0)]);
        assert_eq!(seen.turn(120), first);
        seen.add("cpu", 2.0);
        assert_eq!(seen.finish(), usage(120, &[("cpu", 1, 2.0, 2.0, 2.0)]));
        assert_eq!(seen.turn(180), None);
    }
}
