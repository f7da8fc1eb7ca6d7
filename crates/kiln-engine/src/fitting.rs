//! What the hosts of a job get on this machine: as much as their types promise,
//! or, where that is more than there is, smaller shares in the same proportion.

use kiln_agent::runtime::Limits;
use serde::Deserialize;

use crate::instance_types::Size;
use crate::machine::{Room, THOUSANDTHS, thousandths};
use crate::{Fit, NoCapacity, Share};

/// Processes and threads of one instance: far above what training needs, far
/// below what would hurt the machine.
const PROCESSES: u32 = 8192;
/// With less memory than this, no framework can be loaded.
const LEAST_MEMORY: u64 = 256 << 20;
/// With less than a fiftieth of a processor, in thousandths, nothing moves.
const LEAST_CPU: u64 = 20;
/// What the cloud says when it is out of instances; SDKs look for its first word.
const REFUSAL: &str = "CapacityError: Unable to provision requested ML compute capacity. \
                       Please retry using a different ML instance type.";

/// What becomes of jobs whose instance types promise more than the machine has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fitting {
    /// They run with what there is.
    #[default]
    Scale,
    /// They are refused.
    Strict,
}

impl std::str::FromStr for Fitting {
    type Err = UnknownFitting;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "scale" => Ok(Self::Scale),
            "strict" => Ok(Self::Strict),
            _ => Err(UnknownFitting),
        }
    }
}

/// A text names no way of fitting jobs to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be scale or strict")]
pub struct UnknownFitting;

/// What the hosts of a job get, given the name and the size of each one's type.
pub(crate) fn fit(
    room: &Room,
    hosts: &[(&str, Size)],
    fitting: Fitting,
) -> Result<Fit, NoCapacity> {
    let total = Total::of(hosts);
    let shares: Vec<Share> = hosts
        .iter()
        .map(|(_, size)| share(room, &total, size))
        .collect();
    let runs_smaller = total.exceeds(room);
    let is_usable = |share: &Share| {
        share.limits.memory_bytes >= LEAST_MEMORY && thousandths(share.limits.cpus) >= LEAST_CPU
    };
    if runs_smaller && (fitting == Fitting::Strict || !shares.iter().all(is_usable)) {
        return Err(NoCapacity(refusal(room, &total)));
    }
    let remark = runs_smaller.then(|| remark(hosts, &shares));
    Ok(Fit { shares, remark })
}

/// What an instance gets that is content with less than this.
pub(crate) fn up_to(room: &Room, most: &Size) -> Share {
    share(room, &Total::of(&[("", *most)]), most)
}

/// What all hosts of a job promise together.
struct Total {
    cpus: u64,
    memory: u128,
    gpus: u64,
}

impl Total {
    fn of(hosts: &[(&str, Size)]) -> Self {
        let sizes = || hosts.iter().map(|(_, size)| size);
        Self {
            cpus: sizes().map(|size| u64::from(size.cpus)).sum(),
            memory: sizes().map(|size| u128::from(size.memory)).sum(),
            gpus: sizes().map(|size| u64::from(size.gpus)).sum(),
        }
    }

    fn exceeds(&self, room: &Room) -> bool {
        self.cpus > u64::from(room.cpus)
            || self.memory > u128::from(room.memory)
            || self.gpus > room.gpus.len() as u64
    }
}

fn share(room: &Room, total: &Total, size: &Size) -> Share {
    let gpus = portion(size.gpus.into(), room.gpus.len() as u128, total.gpus.into());
    let cpus = portion(
        u128::from(size.cpus) * u128::from(THOUSANDTHS),
        room.cpus.into(),
        total.cpus.into(),
    );
    let memory_bytes = portion(size.memory.into(), room.memory.into(), total.memory);
    Share {
        limits: Limits {
            memory_bytes,
            cpus: cpus as f64 / THOUSANDTHS as f64,
            processes: PROCESSES,
            shm_bytes: memory_bytes / 2,
        },
        gpus: u32::try_from(gpus).unwrap_or(u32::MAX),
    }
}

/// A host's part of what there is: all that it is promised, or its proportion
/// where all together are promised more. Rounded down, so that the parts never
/// exceed the whole, and hosts that are alike get the same.
fn portion(promised: u128, there_is: u128, together: u128) -> u64 {
    let part = if together > there_is {
        promised * there_is / together
    } else {
        promised
    };
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Says of each type that gets less than it promises what it gets.
fn remark(hosts: &[(&str, Size)], shares: &[Share]) -> String {
    let mut told: Vec<&str> = Vec::new();
    let mut sentences = Vec::new();
    for ((name, size), share) in hosts.iter().zip(shares) {
        let reductions = reductions(size, share);
        if told.contains(name) || reductions.is_empty() {
            continue;
        }
        told.push(name);
        let alike = hosts.iter().filter(|(other, _)| other == name).count();
        let each = if alike > 1 { "each " } else { "" };
        sentences.push(format!(
            "{each}{name} runs with {}",
            enumeration(&reductions)
        ));
    }
    sentences.join("; ")
}

fn reductions(size: &Size, share: &Share) -> Vec<String> {
    let mut all = Vec::new();
    if share.limits.cpus < f64::from(size.cpus) {
        let (cpus, of) = (decimal(share.limits.cpus), size.cpus);
        all.push(format!("{cpus} of its {of} processors"));
    }
    if share.limits.memory_bytes < size.memory {
        let (memory, of) = (gib(share.limits.memory_bytes), gib(size.memory));
        all.push(format!("{memory} of its {of} GiB of memory"));
    }
    match (share.gpus, size.gpus) {
        (gpus, of) if gpus >= of => {}
        (_, 1) => all.push("no GPU".to_owned()),
        (0, of) => all.push(format!("none of its {of} GPUs")),
        (gpus, of) => all.push(format!("{gpus} of its {of} GPUs")),
    }
    all
}

/// `a`, `a and b`, or `a, b and c`.
fn enumeration(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn refusal(room: &Room, total: &Total) -> String {
    let mut missing = Vec::new();
    if total.cpus > u64::from(room.cpus) {
        missing.push(format!("{} of {} processors", room.cpus, total.cpus));
    }
    if total.memory > u128::from(room.memory) {
        let asked = u64::try_from(total.memory).unwrap_or(u64::MAX);
        let (memory, asked) = (gib(room.memory), gib(asked));
        missing.push(format!("{memory} of {asked} GiB of memory"));
    }
    if total.gpus > room.gpus.len() as u64 {
        missing.push(format!("{} of {} GPUs", room.gpus.len(), total.gpus));
    }
    format!("{REFUSAL} (This machine has {}.)", enumeration(&missing))
}

fn gib(bytes: u64) -> String {
    decimal(bytes as f64 / f64::from(1 << 30))
}

/// A number with as many of two decimals as it needs.
fn decimal(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[path = "fitting_tests.rs"]
mod tests;
