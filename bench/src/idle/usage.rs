//! What the kernel says that a process has used.

use std::path::PathBuf;
use std::time::Duration;

use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::error::BenchError;

/// What a process has used until now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor, in itself and in the kernel.
    pub processor: Duration,
    /// Bytes of memory that it has now.
    pub resident: u64,
    /// The most that it ever had.
    pub peak: u64,
    /// How often its threads waited for something and were woken.
    pub wakes: u64,
}

impl Usage {
    /// What a process has used.
    pub fn of(process: Pid) -> Result<Self, BenchError> {
        let directory = PathBuf::from(format!("/proc/{process}"));
        let read = |path: PathBuf| {
            let doing = format!("reading {}", path.display());
            std::fs::read_to_string(&path).map_err(BenchError::io(doing))
        };
        let status = read(directory.join("status"))?;
        let tasks = directory.join("task");
        let listed = tasks
            .read_dir()
            .map_err(BenchError::io("listing a process's threads"))?;
        // A thread that ends while it is looked at is not counted.
        let threads = listed.flatten().filter_map(|task| {
            let status = read(task.path().join("status")).ok()?;
            field(&status, "voluntary_ctxt_switches")
        });
        Ok(Self {
            processor: processor(&read(directory.join("stat"))?),
            resident: field(&status, "VmRSS").unwrap_or_default() << 10,
            peak: field(&status, "VmHWM").unwrap_or_default() << 10,
            wakes: threads.sum(),
        })
    }
}

/// The number behind a name in a `status` file.
fn field(status: &str, name: &str) -> Option<u64> {
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// The time in a `stat` file: its 14th and 15th fields, in ticks. The second
/// field is the program's name, which may have anything in it.
fn processor(stat: &str) -> Duration {
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let a_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100);
    Duration::from_secs_f64(ticks as f64 / a_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_names() {
        let status = "VmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\nnonvoluntary_ctxt_switches:\t9\n";
        for (name, expected) in [
            ("VmRSS", Some(1024)),
            ("VmHWM", Some(2048)),
            ("voluntary_ctxt_switches", None),
            ("Vm", None),
        ] {
            assert_eq!(field(status, name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_with_spaces_and_brackets_is_no_field() {
        let stat = "1 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 150 50 7 7 20 0";
        assert_eq!(processor(stat), Duration::from_secs(2));
        assert_eq!(processor(""), Duration::ZERO);
    }

    #[test]
    fn a_process_has_used_something() {
        let used = Usage::of(Pid::this()).unwrap();
        assert!(used.resident > 0 && used.peak >= used.resident, "{used:?}");
    }
}
