//! What the control groups of a container say that it has used.

use std::fs;
use std::time::Duration;

use async_trait::async_trait;

use super::{ContainerGroup, Hierarchy, counter};
use crate::runtime::usage::{DiskTraffic, Meter, NetworkTraffic, ProcessorTime, Usage};

#[async_trait]
impl Meter for ContainerGroup {
    /// These files are the kernel's memory: nothing is waited for.
    async fn read(&self) -> Usage {
        Usage {
            processors: self.processors(),
            memory_bytes: self.memory(),
            disk: self.disk(),
            network: self.network(),
        }
    }
}

impl ContainerGroup {
    fn processors(&self) -> Option<ProcessorTime> {
        match &self.hierarchy {
            Hierarchy::Split(_) => {
                let each = self.text("cpuacct", "cpuacct.usage_percpu")?;
                time_of_each(&each).map(ProcessorTime::Each)
            }
            Hierarchy::Unified(_) => {
                let micros = counter_if_there(&self.text("cpu", "cpu.stat")?, "usage_usec")?;
                Some(ProcessorTime::Together(Duration::from_micros(micros)))
            }
        }
    }

    fn memory(&self) -> Option<u64> {
        let (file, idle) = match &self.hierarchy {
            Hierarchy::Split(_) => ("memory.usage_in_bytes", "total_inactive_file"),
            Hierarchy::Unified(_) => ("memory.current", "inactive_file"),
        };
        let held: u64 = self.text("memory", file)?.trim().parse().ok()?;
        let idle = counter(&self.text("memory", "memory.stat")?, idle);
        Some(held.saturating_sub(idle))
    }

    /// Version 1 does not know whose the writes are that the kernel does later.
    fn disk(&self) -> Option<DiskTraffic> {
        match &self.hierarchy {
            Hierarchy::Split(_) => None,
            Hierarchy::Unified(_) => Some(traffic_of_devices(&self.text("io", "io.stat")?)),
        }
    }

    /// All processes of a container are in one network. What it exchanges with the
    /// control plane passes its loopback, as what it says to itself does, and is
    /// not in this.
    fn network(&self) -> Option<NetworkTraffic> {
        let processes = self.text("pids", "cgroup.procs")?;
        let table = |pid: &str| fs::read_to_string(format!("/proc/{pid}/net/dev")).ok();
        let table = processes.lines().find_map(table)?;
        NetworkTraffic::of_interfaces(&table)
    }

    fn text(&self, controller: &str, file: &str) -> Option<String> {
        fs::read_to_string(self.directory(controller).join(file)).ok()
    }
}

/// Nanoseconds of each processor, on one line.
fn time_of_each(line: &str) -> Option<Vec<Duration>> {
    let each = line.split_whitespace().map(|nanos| {
        let nanos = nanos.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    });
    let each: Vec<_> = each.collect::<Option<_>>()?;
    (!each.is_empty()).then_some(each)
}

fn counter_if_there(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(name));
    line.map(|line| counter(line, name))
}

/// The sum over all devices, one on each line.
fn traffic_of_devices(text: &str) -> DiskTraffic {
    let (mut sum, mut operations) = (DiskTraffic::default(), 0);
    for (name, value) in text
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
    {
        let value: u64 = value.parse().unwrap_or(0);
        match name {
            "rbytes" => sum.read += value,
            "wbytes" => sum.written += value,
            "rios" | "wios" => operations += value,
            _ => {}
        }
    }
    sum.operations = Some(operations);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let each = time_of_each("1000000000 5 \n").unwrap();
        assert_eq!(each, [Duration::from_secs(1), Duration::from_nanos(5)]);
        for damaged in ["", "x", "1 x"] {
            assert_eq!(time_of_each(damaged), None, "{damaged}");
        }
        let stat = "usage_usec 12\nuser_usec 7\n";
        assert_eq!(counter_if_there(stat, "usage_usec"), Some(12));
        assert_eq!(counter_if_there(stat, "usage"), None);
        let devices =
            "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=9 dios=9\n8:16 rbytes=1 wios=3\n";
        let traffic = DiskTraffic {
            read: 11,
            written: 20,
            operations: Some(6),
        };
        assert_eq!(traffic_of_devices(devices), traffic);
    }

    #[tokio::test]
    async fn what_no_group_says_is_left_out() {
        for hierarchy in [
            Hierarchy::Split(Default::default()),
            Hierarchy::Unified("/absent".into()),
        ] {
            let group = ContainerGroup {
                hierarchy,
                name: "kiln-absent".to_owned(),
            };
            assert_eq!(group.read().await, Usage::default());
        }
    }
}
