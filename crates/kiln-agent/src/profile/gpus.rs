//! What a container's GPUs do, as the driver's own program says: `nvidia-smi`,
//! which runs beside the container and writes a line for each GPU again and again.
//! Where there is no such program, nothing is said about them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::metrics::Metric;

const PROGRAM: &str = "nvidia-smi";
const QUERY: &str = "--query-gpu=index,utilization.gpu,memory.used,memory.total";

/// The GPUs of one container.
pub(super) struct Gpus {
    /// Their numbers on the machine.
    numbers: Vec<u32>,
    /// What was last said of each.
    latest: Mutex<BTreeMap<u32, Load>>,
}

/// What one GPU does, in percent, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Load {
    busy: Option<f64>,
    memory: Option<f64>,
}

impl Gpus {
    pub(super) fn new(numbers: &[u32]) -> Self {
        Self {
            numbers: numbers.to_vec(),
            latest: Mutex::default(),
        }
    }

    /// Listens for as long as it is polled.
    pub(super) async fn follow(&self, interval: Duration) -> Infallible {
        if !self.numbers.is_empty()
            && let Err(error) = self.listen(interval).await
        {
            tracing::debug!(%error, "{PROGRAM} says nothing about the GPUs");
        }
        // What was said last is true no longer.
        self.latest().clear();
        std::future::pending().await
    }

    async fn listen(&self, interval: Duration) -> std::io::Result<()> {
        let numbers: Vec<String> = self.numbers.iter().map(u32::to_string).collect();
        let mut child = Command::new(PROGRAM)
            .args([QUERY, "--format=csv,noheader,nounits"])
            .arg(format!("--id={}", numbers.join(",")))
            .arg(format!("--loop-ms={}", interval.as_millis()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let Some(output) = child.stdout.take() else {
            return Ok(());
        };
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some((number, load)) = read(&line) {
                self.latest().insert(number, load);
            }
        }
        child.wait().await.map(drop)
    }

    /// What was last said, by the GPUs' numbers in the container.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let latest = self.latest();
        let mut all = Vec::new();
        for (inside, number) in self.numbers.iter().enumerate() {
            let Some(load) = latest.get(number) else {
                continue;
            };
            let metric = |dimension, value: Option<f64>| {
                Some(Metric::new(
                    "gpu",
                    format!("gpu{inside}"),
                    dimension,
                    value?,
                ))
            };
            all.extend(metric("GPUUtilization", load.busy));
            all.extend(metric("GPUMemoryUtilization", load.memory));
        }
        all
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Load>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a line such as `0, 35, 1024, 81559`. What a GPU does not know, it calls
/// `[N/A]`.
fn read(line: &str) -> Option<(u32, Load)> {
    let mut fields = line.split(',').map(str::trim);
    let number = fields.next()?.parse().ok()?;
    let mut value = || fields.next()?.parse::<f64>().ok();
    let (busy, used, total) = (value(), value(), value());
    let memory = used.zip(total).filter(|(_, total)| *total > 0.0);
    let load = Load {
        busy,
        memory: memory.map(|(used, total)| 100.0 * used / total),
    };
    Some((number, load))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_far_as_they_say_something() {
        let load = |busy, memory| Load { busy, memory };
        let cases = [
            ("0, 35, 20, 80", Some((0, load(Some(35.0), Some(25.0))))),
            ("7, [N/A], 20, 80", Some((7, load(None, Some(25.0))))),
            ("1, 5, [N/A], [N/A]", Some((1, load(Some(5.0), None)))),
            ("1, 5, 0, 0", Some((1, load(Some(5.0), None)))),
            ("No devices were found", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn gpus_go_by_their_numbers_in_the_container() {
        let gpus = Gpus::new(&[6, 3]);
        assert_eq!(gpus.metrics(), []);
        let (number, load) = read("3, 50, 20, 80").unwrap();
        gpus.latest().insert(number, load);
        let metric = |dimension, value| Metric::new("gpu", "gpu1", dimension, value);
        let expected = [
            metric("GPUUtilization", 50.0),
            metric("GPUMemoryUtilization", 25.0),
        ];
        assert_eq!(gpus.metrics(), expected);
    }
}
