//! What this process has used so far.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::kernels::Instructions;

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time of all processors together.
    pub cpu: Duration,
    /// The most memory that was resident at once, in bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// Of this process, from its start to now. What the system does not tell is zero.
    #[must_use]
    pub fn now() -> Self {
        let cpu = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
        let status = std::fs::read_to_string("/proc/self/status");
        Self {
            cpu: cpu.map(Duration::from).unwrap_or_default(),
            peak_memory: status.map(|text| peak(&text)).unwrap_or_default(),
        }
    }
}

/// The instructions that the arithmetic uses on this processor.
#[must_use]
pub fn instructions() -> &'static str {
    match Instructions::best() {
        Instructions::Plain if cfg!(target_arch = "aarch64") => "NEON",
        Instructions::Plain => "plain",
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2(_) => "AVX2",
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512(_) => "AVX-512",
    }
}

fn peak(status: &str) -> u64 {
    let mut lines = status.lines();
    let kibibytes = lines.find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = kibibytes.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: Option<u64> = kibibytes.and_then(|number| number.trim().parse().ok());
    kibibytes.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_found() {
        assert_eq!(peak("Name:\tx\nVmHWM:\t    1234 kB\n"), 1_263_616);
        assert_eq!(peak("Name:\tx\n"), 0);
        let usage = Usage::now();
        assert!(
            usage.peak_memory > 0 && usage.cpu > Duration::ZERO,
            "{usage:?}"
        );
    }
}
