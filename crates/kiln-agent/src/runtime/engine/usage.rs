//! What a container engine says that a container has used.

use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::StatsOptionsBuilder;
use futures::StreamExt as _;

use crate::runtime::usage::{DiskTraffic, Meter, NetworkTraffic, ProcessorTime, Usage};

/// Asks the engine for a container's statistics.
pub(super) struct Statistics {
    pub(super) docker: Docker,
    pub(super) engine_id: String,
}

#[async_trait]
impl Meter for Statistics {
    async fn read(&self) -> Usage {
        let once = StatsOptionsBuilder::new().stream(false).one_shot(true);
        let mut answers = self.docker.stats(&self.engine_id, Some(once.build()));
        match answers.next().await {
            Some(Ok(statistics)) => usage(statistics),
            Some(Err(_)) | None => Usage::default(),
        }
    }
}

fn usage(said: ContainerStatsResponse) -> Usage {
    let networks = said.networks.unwrap_or_default();
    let network = networks.into_values().fold(None, |sum, one| {
        let sum: NetworkTraffic = sum.unwrap_or_default();
        Some(NetworkTraffic {
            received: sum.received + one.rx_bytes.unwrap_or(0),
            transmitted: sum.transmitted + one.tx_bytes.unwrap_or(0),
        })
    });
    let processors = said.cpu_stats.and_then(|said| said.cpu_usage);
    let processors = processors.and_then(|said| match said.percpu_usage {
        Some(each) if !each.is_empty() => {
            let each = each.into_iter().map(Duration::from_nanos);
            Some(ProcessorTime::Each(each.collect()))
        }
        _ => said
            .total_usage
            .map(Duration::from_nanos)
            .map(ProcessorTime::Together),
    });
    Usage {
        processors,
        memory_bytes: said.memory_stats.as_ref().and_then(memory),
        disk: said.blkio_stats.and_then(disk),
        network,
    }
}

fn memory(said: &ContainerMemoryStats) -> Option<u64> {
    let names = ["total_inactive_file", "inactive_file"];
    let details = said.stats.as_ref();
    let idle = details.and_then(|said| names.iter().find_map(|name| said.get(*name)));
    Some(said.usage?.saturating_sub(idle.copied().unwrap_or(0)))
}

/// Of control groups of version 2, where a write counts as its writer's, the
/// names are written small. How many operations there were is not said there.
fn disk(said: ContainerBlkioStats) -> Option<DiskTraffic> {
    let entries = said.io_service_bytes_recursive?;
    let sum = |op: &str| {
        let of_op = entries
            .iter()
            .filter(|entry| entry.op.as_deref() == Some(op));
        let values = of_op.map(|entry| entry.value.unwrap_or(0));
        values.reduce(|sum, value| sum + value)
    };
    Some(DiskTraffic {
        read: sum("read")?,
        written: sum("write")?,
        operations: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Usage {
        usage(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn an_engine_s_answer_is_read_as_far_as_it_says_something() {
        assert_eq!(read("{}"), Usage::default());
        let unified = read(
            r#"{"cpu_stats":{"cpu_usage":{"total_usage":7000}},
                "memory_stats":{"usage":100,"stats":{"inactive_file":40}},
                "blkio_stats":{"io_service_bytes_recursive":[
                    {"major":8,"minor":0,"op":"read","value":3},
                    {"major":8,"minor":0,"op":"write","value":4},
                    {"major":8,"minor":1,"op":"read","value":10}]},
                "networks":{"eth0":{"rx_bytes":1,"tx_bytes":2},"eth1":{"rx_bytes":10}}}"#,
        );
        let expected = Usage {
            processors: Some(ProcessorTime::Together(Duration::from_nanos(7000))),
            memory_bytes: Some(60),
            disk: Some(DiskTraffic {
                read: 13,
                written: 4,
                operations: None,
            }),
            network: Some(NetworkTraffic {
                received: 11,
                transmitted: 2,
            }),
        };
        assert_eq!(unified, expected);
        let split = read(
            r#"{"cpu_stats":{"cpu_usage":{"total_usage":7,"percpu_usage":[3,4]}},
                "memory_stats":{"usage":100,"stats":{"inactive_file":1,"total_inactive_file":2}},
                "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":3}]}}"#,
        );
        let each = [3, 4].map(Duration::from_nanos).to_vec();
        assert_eq!(split.processors, Some(ProcessorTime::Each(each)));
        assert_eq!((split.memory_bytes, split.disk), (Some(98), None));
    }
}
