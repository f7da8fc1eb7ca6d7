//! What a container's GPUs do, as the driver's own program says: `nvidia-smi`,
//! which runs beside the container and writes a line for each GPU again and again.
//! Where there is no such program, nothing is said about them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::metrics::Metric;
use crate::gpu;

const PROGRAM: &str = "nvidia-smi";
const QUERY: &str = "--query-gpu=index,uuid,utilization.gpu,memory.used,memory.total";

/// The GPUs of one container.
pub(super) struct Gpus {
    /// What the program calls them, in the order of their numbers in the container.
    ids: Vec<String>,
    /// What was last said of each, by that number.
    latest: Mutex<BTreeMap<usize, Load>>,
}

/// What one GPU does, in percent, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Load {
    busy: Option<f64>,
    memory: Option<f64>,
}

impl Gpus {
    /// Those that have these numbers on the machine.
    pub(super) fn new(numbers: &[u32]) -> Self {
        Self::called(gpu::ids(Path::new("/"), numbers))
    }

    fn called(ids: Vec<String>) -> Self {
        Self {
            ids,
            latest: Mutex::default(),
        }
    }

    /// Listens for as long as it is polled.
    pub(super) async fn follow(&self, interval: Duration) -> Infallible {
        if !self.ids.is_empty()
            && let Err(error) = self.listen(interval).await
        {
            tracing::debug!(%error, "{PROGRAM} says nothing about the GPUs");
        }
        // What was said last is true no longer.
        self.latest().clear();
        std::future::pending().await
    }

    async fn listen(&self, interval: Duration) -> std::io::Result<()> {
        let mut child = Command::new(PROGRAM)
            .args([QUERY, "--format=csv,noheader,nounits"])
            .arg(format!("--id={}", self.ids.join(",")))
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
            self.hear(&line);
        }
        child.wait().await.map(drop)
    }

    fn hear(&self, line: &str) {
        let Some((names, load)) = read(line) else {
            return;
        };
        let is_meant = |id: &String| names.contains(&id.as_str());
        if let Some(inside) = self.ids.iter().position(is_meant) {
            self.latest().insert(inside, load);
        }
    }

    /// What was last said, by the GPUs' numbers in the container.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let latest = self.latest();
        let mut all = Vec::new();
        for (inside, load) in latest.iter() {
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

    /// What was last said of all of them together, by the names that instance
    /// metrics have: each counts for a hundred.
    pub(super) fn load(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let latest = self.latest();
        let sum =
            |of: fn(&Load) -> Option<f64>| latest.values().filter_map(of).reduce(|a, b| a + b);
        let all = [
            ("GPUUtilization", sum(|load| load.busy)),
            ("GPUMemoryUtilization", sum(|load| load.memory)),
        ];
        all.into_iter()
            .filter_map(|(name, percent)| Some((name, percent?)))
    }

    fn latest(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, Load>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a line such as `0, GPU-5fd4a7c2-…, 35, 1024, 81559`: the two names of a GPU,
/// and what it does. What it does not know, it calls `[N/A]`.
fn read(line: &str) -> Option<([&str; 2], Load)> {
    let mut fields = line.split(',').map(str::trim);
    let names = [fields.next()?, fields.next()?];
    let mut value = || fields.next()?.parse::<f64>().ok();
    let (busy, used, total) = (value(), value(), value());
    let memory = used.zip(total).filter(|(_, total)| *total > 0.0);
    let load = Load {
        busy,
        memory: memory.map(|(used, total)| 100.0 * used / total),
    };
    Some((names, load))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_far_as_they_say_something() {
        let load = |busy, memory| Load { busy, memory };
        let cases = [
            ("0, GPU-a, 35, 20, 80", Some(load(Some(35.0), Some(25.0)))),
            ("0, GPU-a, [N/A], 20, 80", Some(load(None, Some(25.0)))),
            ("0, GPU-a, 5, [N/A], [N/A]", Some(load(Some(5.0), None))),
            ("0, GPU-a, 5, 0, 0", Some(load(Some(5.0), None))),
            ("No devices were found", None),
            ("", None),
        ];
        for (line, expected) in cases {
            let expected = expected.map(|load| (["0", "GPU-a"], load));
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn gpus_go_by_their_numbers_in_the_container() {
        for ids in [["GPU-g", "GPU-d"], ["6", "3"], ["GPU-g", "3"]] {
            let gpus = Gpus::called(ids.map(str::to_owned).to_vec());
            assert_eq!(gpus.metrics(), []);
            gpus.hear("3, GPU-d, 50, 20, 80");
            gpus.hear("4, GPU-e, 60, 20, 80");
            let metric = |dimension, value| Metric::new("gpu", "gpu1", dimension, value);
            let expected = [
                metric("GPUUtilization", 50.0),
                metric("GPUMemoryUtilization", 25.0),
            ];
            assert_eq!(gpus.metrics(), expected);
            gpus.hear(&format!("7, {}, 30, 40, 80", ids[0]));
            let load: Vec<_> = gpus.load().collect();
            let sums = [("GPUUtilization", 80.0), ("GPUMemoryUtilization", 75.0)];
            assert_eq!(load, sums);
        }
    }
}
