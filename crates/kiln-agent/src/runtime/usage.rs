//! What a container has used of its machine since it was started.
//!
//! What a runtime cannot truly measure, it leaves out.

use std::time::Duration;

use async_trait::async_trait;

/// What a container has used so far, and what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of the processors.
    pub processors: Option<ProcessorTime>,
    /// Bytes of memory that it holds, without what the kernel only keeps in case
    /// it is read again.
    pub memory_bytes: Option<u64>,
    /// What it has read and written.
    pub disk: Option<DiskTraffic>,
    /// What its network has carried.
    pub network: Option<NetworkTraffic>,
}

/// Time of the processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessorTime {
    /// Of each processor of the machine, in order.
    Each(Vec<Duration>),
    /// Of all together.
    Together(Duration),
}

/// What was read from disks and written to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskTraffic {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Operations, of either kind.
    pub operations: Option<u64>,
}

/// What a network has carried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkTraffic {
    /// Bytes to the container.
    pub received: u64,
    /// Bytes from it.
    pub transmitted: u64,
}

impl NetworkTraffic {
    /// Adds up the interfaces of a network, except the loopback, as a file of the
    /// form of `/proc/net/dev` has them; `None` when there are none.
    #[must_use]
    pub fn of_interfaces(table: &str) -> Option<Self> {
        let read = |line: &str| {
            let (name, counters) = line.split_once(':')?;
            let counters: Vec<u64> = counters
                .split_whitespace()
                .map_while(|counter| counter.parse().ok())
                .collect();
            let (received, transmitted) = (*counters.first()?, *counters.get(8)?);
            (name.trim() != "lo").then_some((received, transmitted))
        };
        let add = |sum: Option<Self>, (received, transmitted): (u64, u64)| {
            let sum = sum.unwrap_or_default();
            Some(Self {
                received: sum.received.saturating_add(received),
                transmitted: sum.transmitted.saturating_add(transmitted),
            })
        };
        table.lines().filter_map(read).fold(None, add)
    }
}

/// Something that measures a container.
#[async_trait]
pub trait Meter: Send + Sync {
    /// What the container has used by now.
    async fn read(&self) -> Usage;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_added_up_without_the_loopback() {
        let head = "Inter-|   Receive                    |  Transmit\n \
             face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n";
        let lo = "    lo:     900      9    0    0    0     0          0         0      900    9\n";
        let eth = "  eth0: 1000 1 0 0 0 0 0 0 20 2 0 0 0 0 0 0\n";
        let second = "  eth1:500 1 0 0 0 0 0 0 5 2 0 0 0 0 0 0\n";
        let traffic = |received, transmitted| {
            Some(NetworkTraffic {
                received,
                transmitted,
            })
        };
        let cases = [
            (format!("{head}{lo}"), None),
            (format!("{head}{lo}{eth}"), traffic(1000, 20)),
            (format!("{head}{eth}{lo}{second}"), traffic(1500, 25)),
            (format!("{head}  eth0: damaged"), None),
            (String::new(), None),
        ];
        for (table, expected) in cases {
            assert_eq!(NetworkTraffic::of_interfaces(&table), expected, "{table}");
        }
    }
}
