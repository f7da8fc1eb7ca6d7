//! From two readings of a meter to the metrics of the time between them, in the
//! names that the cloud's profiler has for them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::time::Instant;

use crate::runtime::Limits;
use crate::runtime::usage::{DiskTraffic, NetworkTraffic, ProcessorTime, Usage};

/// What a container has used by a moment.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) usage: Usage,
}

/// One number, and what it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Metric {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) dimension: &'static str,
    pub(super) value: f64,
}

impl Metric {
    pub(super) fn new(
        kind: &'static str,
        name: impl Into<String>,
        dimension: &'static str,
        value: f64,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            dimension,
            value: (value * 100.0).round() / 100.0,
        }
    }

    /// The line that says it of a host at a time.
    pub(super) fn line(&self, host: &str, at: SystemTime) -> String {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let record = json!({
            "Type": self.kind,
            "Name": self.name,
            "Dimension": self.dimension,
            "Value": self.value,
            "NodeId": host,
            "Timestamp": since.as_micros() as f64 / 1e6,
        });
        format!("{record}\n")
    }
}

/// What was used between two readings, as far as both say it. Percentages are of
/// what the container may use, and of a processor where each is counted alone.
pub(super) fn metrics(before: &Reading, now: &Reading, limits: &Limits) -> Vec<Metric> {
    let elapsed = now.at.duration_since(before.at).as_secs_f64();
    if elapsed <= 0.0 {
        return Vec::new();
    }
    let (was, is) = (&before.usage, &now.usage);
    let mut all = Vec::new();
    if let (Some(was), Some(is)) = (&was.processors, &is.processors) {
        all.extend(of_processors(was, is, elapsed, limits.cpus));
    }
    if let Some(bytes) = is.memory_bytes {
        let percent = 100.0 * bytes as f64 / limits.memory_bytes.max(1) as f64;
        all.push(Metric::new("memory", "MemoryUsedPercent", "", percent));
    }
    if let (Some(was), Some(is)) = (was.disk, is.disk) {
        all.extend(of_disk(was, is, elapsed));
    }
    if let (Some(was), Some(is)) = (was.network, is.network) {
        all.extend(of_network(was, is, elapsed));
    }
    all
}

/// How hard a container uses its machine, in percent, by the names that instance
/// metrics have: each processor counts for a hundred. `before` is there from the
/// second reading on.
pub(super) fn load(
    before: Option<&Reading>,
    now: &Reading,
    limits: &Limits,
) -> impl Iterator<Item = (&'static str, f64)> {
    let busy = before.and_then(|before| {
        let elapsed = now.at.duration_since(before.at).as_secs_f64();
        // A container that has ended may be said to have used nothing at all.
        let used = total(&now.usage)?.checked_sub(total(&before.usage)?)?;
        (elapsed > 0.0).then(|| 100.0 * used.as_secs_f64() / elapsed)
    });
    let held = now.usage.memory_bytes;
    let held = held.map(|bytes| 100.0 * bytes as f64 / limits.memory_bytes.max(1) as f64);
    let all = [("CPUUtilization", busy), ("MemoryUtilization", held)];
    all.into_iter()
        .filter_map(|(name, percent)| Some((name, percent?)))
}

fn total(usage: &Usage) -> Option<Duration> {
    Some(match usage.processors.as_ref()? {
        ProcessorTime::Each(each) => each.iter().sum(),
        ProcessorTime::Together(all) => *all,
    })
}

fn of_processors(was: &ProcessorTime, is: &ProcessorTime, elapsed: f64, cpus: f64) -> Vec<Metric> {
    let percent = |was: &Duration, is: &Duration, of: f64| {
        100.0 * is.saturating_sub(*was).as_secs_f64() / (elapsed * of)
    };
    let metric = |name: String, value| Metric::new("cpu", name, "CPUUtilization", value);
    match (was, is) {
        (ProcessorTime::Each(was), ProcessorTime::Each(is)) => {
            let each = was.iter().zip(is).enumerate();
            each.map(|(number, (was, is))| metric(format!("cpu{number}"), percent(was, is, 1.0)))
                .collect()
        }
        (ProcessorTime::Together(was), ProcessorTime::Together(is)) if cpus > 0.0 => {
            vec![metric("cpu".to_owned(), percent(was, is, cpus))]
        }
        _ => Vec::new(),
    }
}

fn of_disk(was: DiskTraffic, is: DiskTraffic, elapsed: f64) -> impl Iterator<Item = Metric> {
    let operations = was.operations.zip(is.operations);
    let all = [
        ("IOPS", operations),
        ("ReadThroughputInBytesPerSecond", Some((was.read, is.read))),
        (
            "WriteThroughputInBytesPerSecond",
            Some((was.written, is.written)),
        ),
    ];
    all.into_iter().filter_map(move |(name, between)| {
        let (was, is) = between?;
        Some(Metric::new("i/o", name, "", rate(was, is, elapsed)))
    })
}

fn of_network(was: NetworkTraffic, is: NetworkTraffic, elapsed: f64) -> [Metric; 2] {
    let metric = |name: &str, was: u64, is: u64| {
        Metric::new("network", name, "Algorithm", rate(was, is, elapsed))
    };
    [
        metric("ReceiveBytesPerSecond", was.received, is.received),
        metric("TransmitBytesPerSecond", was.transmitted, is.transmitted),
    ]
}

fn rate(was: u64, is: u64, elapsed: f64) -> f64 {
    is.saturating_sub(was) as f64 / elapsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_of_all_processors_together() {
        let limits = Limits {
            memory_bytes: 400,
            cpus: 2.0,
            processes: 1,
            shm_bytes: 0,
        };
        let start = Instant::now();
        let reading = |seconds: u64, processors: Option<ProcessorTime>| Reading {
            at: start + Duration::from_secs(seconds),
            usage: Usage {
                processors,
                memory_bytes: Some(100),
                ..Usage::default()
            },
        };
        let each = |all: &[u64]| {
            let all = all.iter().map(|seconds| Duration::from_secs(*seconds));
            Some(ProcessorTime::Each(all.collect()))
        };
        let together = |seconds| Some(ProcessorTime::Together(Duration::from_secs(seconds)));
        let cases = [
            (each(&[1, 1]), each(&[3, 2]), Some(150.0)),
            (together(1), together(2), Some(50.0)),
            (together(2), together(2), Some(0.0)),
            (together(2), together(0), None),
            (None, together(2), None),
            (together(2), None, None),
        ];
        for (was, is, expected) in cases {
            let (before, now) = (reading(0, was), reading(2, is));
            let found: Vec<_> = load(Some(&before), &now, &limits).collect();
            let busy = expected.map(|percent| ("CPUUtilization", percent));
            let all: Vec<_> = busy
                .into_iter()
                .chain([("MemoryUtilization", 25.0)])
                .collect();
            assert_eq!(found, all);
        }
        let first = reading(0, together(1));
        let found: Vec<_> = load(None, &first, &limits).collect();
        assert_eq!(found, [("MemoryUtilization", 25.0)]);
        let same: Vec<_> = load(Some(&first), &first, &limits).collect();
        assert_eq!(same, [("MemoryUtilization", 25.0)]);
    }
}
