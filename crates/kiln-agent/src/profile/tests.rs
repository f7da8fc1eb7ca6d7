//! Profiles of containers that are not there.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::*;
use crate::runtime::Usage;
use crate::runtime::usage::{DiskTraffic, NetworkTraffic, ProcessorTime};

/// A container that uses as much between any two readings.
#[derive(Default)]
struct Steady(AtomicU64);

#[async_trait]
impl Meter for Steady {
    async fn read(&self) -> Usage {
        let times = self.0.fetch_add(1, Ordering::Relaxed);
        Usage {
            processors: Some(ProcessorTime::Each(vec![
                Duration::from_millis(250 * times),
                Duration::from_millis(500 * times),
            ])),
            memory_bytes: Some(256 << 20),
            disk: None,
            network: Some(NetworkTraffic {
                received: 1000 * times,
                transmitted: 0,
            }),
        }
    }
}

const LIMITS: Limits = Limits {
    memory_bytes: 1 << 30,
    cpus: 2.0,
    processes: 1,
    shm_bytes: 0,
};

fn profiler(output: &Path, orders: watch::Receiver<Orders>) -> Profiler {
    Profiler {
        interval: Duration::from_millis(500),
        host: "algo-2".to_owned(),
        limits: LIMITS,
        gpus: Vec::new(),
        files: Arc::new(RecordFiles::new(output.to_owned(), "algo-2")),
        orders,
    }
}

/// All records in the order of their times.
fn records(output: &Path) -> Vec<Value> {
    let mut files = Vec::new();
    let Ok(hours) = output.join("profiler/system/incremental").read_dir() else {
        return Vec::new();
    };
    for hour in hours {
        files.extend(hour.unwrap().path().read_dir().unwrap());
    }
    let mut files: Vec<_> = files.into_iter().map(|file| file.unwrap().path()).collect();
    files.sort();
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap());
    let text: String = texts.collect();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_container_is_measured_again_and_again() {
    let output = tempfile::tempdir().unwrap();
    let (_give, orders) = watch::channel(Orders::default());
    let profiler = profiler(output.path(), orders);
    let meter = Steady::default();
    let measured = profiler.run(&meter);
    assert!(
        tokio::time::timeout(Duration::from_millis(1600), measured)
            .await
            .is_err()
    );
    let records = records(output.path());
    let said: Vec<_> = records
        .iter()
        .map(|record| {
            assert_eq!(record["NodeId"], "algo-2");
            assert!(record["Timestamp"].as_f64().unwrap() > 1.6e9);
            let text = |key: &str| record[key].as_str().unwrap().to_owned();
            let value = record["Value"].as_f64().unwrap();
            format!(
                "{} {} {} {value}",
                text("Type"),
                text("Name"),
                text("Dimension")
            )
        })
        .collect();
    let once = [
        "cpu cpu0 CPUUtilization 50",
        "cpu cpu1 CPUUtilization 100",
        "memory MemoryUsedPercent  25",
        "network ReceiveBytesPerSecond Algorithm 2000",
        "network TransmitBytesPerSecond Algorithm 0",
    ];
    assert_eq!(said, once.repeat(3));
}

#[tokio::test(start_paused = true)]
async fn a_profiler_is_turned_off_and_on() {
    let output = tempfile::tempdir().unwrap();
    let (give, orders) = watch::channel(Orders::default());
    let profiler = profiler(output.path(), orders);
    let meter = Steady::default();
    let counted = || records(output.path()).len() / 5;
    let turn = |profiler_off| {
        give.send_replace(Orders {
            profiler_off,
            ..Orders::default()
        });
    };
    let turning = async {
        turn(true);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(counted(), 0);
        turn(false);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        assert_eq!(counted(), 2);
        turn(true);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(counted(), 2);
    };
    tokio::select! {
        never = profiler.run(&meter) => match never {},
        () = turning => {}
    }
}

#[test]
fn only_what_both_readings_say_is_a_metric() {
    let at = Instant::now();
    let reading = |millis, usage| Reading {
        at: at + Duration::from_millis(millis),
        usage,
    };
    let together = |millis| Usage {
        processors: Some(ProcessorTime::Together(Duration::from_millis(millis))),
        ..Usage::default()
    };
    let disk = |read, written, operations| Usage {
        disk: Some(DiskTraffic {
            read,
            written,
            operations,
        }),
        ..Usage::default()
    };
    let names = |before: Usage, now: Usage, millis| -> Vec<_> {
        let found = metrics(&reading(0, before), &reading(millis, now), &LIMITS);
        found
            .into_iter()
            .map(|metric| (metric.name, metric.value))
            .collect()
    };
    let named = |name: &str, value| (name.to_owned(), value);
    assert_eq!(names(Usage::default(), together(500), 1000), []);
    assert_eq!(names(together(0), together(500), 0), []);
    // Of the two processors that the container has, one was busy half the time.
    assert_eq!(
        names(together(0), together(500), 1000),
        [named("cpu", 25.0)]
    );
    // A counter that starts again says nothing.
    assert_eq!(names(together(500), together(0), 1000), [named("cpu", 0.0)]);
    let expected = [
        named("IOPS", 6.0),
        named("ReadThroughputInBytesPerSecond", 20.0),
        named("WriteThroughputInBytesPerSecond", 40.0),
    ];
    assert_eq!(
        names(disk(0, 0, Some(0)), disk(10, 20, Some(3)), 500),
        expected
    );
    assert_eq!(
        names(disk(0, 0, None), disk(10, 20, None), 500),
        expected[1..]
    );
}
