//! This machine's room and who has it. A pure ledger: it takes no locks and
//! asks nobody.

use std::collections::{BTreeSet, HashMap};

use crate::{Claim, Share};

/// Processors are counted in thousandths, so that sums of shares are exact.
pub(crate) const THOUSANDTHS: u64 = 1000;
/// Of the machine's memory, what jobs never get: the server's and the agents'.
const KEPT_BACK: u64 = 1 << 30;

/// What jobs may have of a machine between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// The numbers of GPUs.
    pub gpus: BTreeSet<u32>,
}

impl Room {
    /// The room of a machine with this much of everything: all but some memory,
    /// which is kept back for what serves the jobs.
    #[must_use]
    pub fn of_machine(cpus: u32, memory: u64, gpus: impl IntoIterator<Item = u32>) -> Self {
        let left = memory.saturating_sub(KEPT_BACK);
        Self {
            cpus: cpus.max(1),
            memory: left.max(memory / 2),
            gpus: gpus.into_iter().collect(),
        }
    }
}

/// A machine's room, and what instances have of it.
#[derive(Debug, Clone)]
pub struct Machine {
    room: Room,
    taken: HashMap<String, Claim>,
}

impl Machine {
    /// A machine that nobody has anything of.
    #[must_use]
    pub fn new(room: Room) -> Self {
        Self {
            room,
            taken: HashMap::new(),
        }
    }

    /// Sets room aside for all instances or for none; of the GPUs that are free,
    /// those with the lowest numbers.
    pub fn admit(&mut self, instances: &[(String, Share)]) -> Option<Vec<Claim>> {
        let shares = instances.iter().map(|(_, share)| *share);
        let claims = self.claims(shares)?;
        for ((instance, _), claim) in instances.iter().zip(&claims) {
            self.taken.insert(instance.clone(), claim.clone());
        }
        Some(claims)
    }

    /// Notes an instance that is running already, whether or not it fits.
    pub fn adopt(&mut self, instance: &str, claim: &Claim) {
        self.taken.insert(instance.to_owned(), claim.clone());
    }

    /// Gives room back.
    pub fn release(&mut self, instance: &str) {
        self.taken.remove(instance);
    }

    /// What instances would have, if there is room for all of them.
    fn claims(&self, shares: impl Iterator<Item = Share>) -> Option<Vec<Claim>> {
        let mut left = self.left()?;
        shares.map(|share| left.take(&share)).collect()
    }

    /// What nobody has; nothing at all where more is taken than there is.
    fn left(&self) -> Option<Left> {
        let mut left = Left {
            cpus: u64::from(self.room.cpus) * THOUSANDTHS,
            memory: self.room.memory,
            gpus: self.room.gpus.clone(),
        };
        for claim in self.taken.values() {
            left.cpus = left.cpus.checked_sub(thousandths(claim.limits.cpus))?;
            left.memory = left.memory.checked_sub(claim.limits.memory_bytes)?;
            left.gpus.retain(|gpu| !claim.gpus.contains(gpu));
        }
        Some(left)
    }
}

/// What is left of a machine's room.
struct Left {
    cpus: u64,
    memory: u64,
    gpus: BTreeSet<u32>,
}

impl Left {
    fn take(&mut self, share: &Share) -> Option<Claim> {
        let Share { limits, gpus } = *share;
        self.cpus = self.cpus.checked_sub(thousandths(limits.cpus))?;
        self.memory = self.memory.checked_sub(limits.memory_bytes)?;
        let gpus = (0..gpus)
            .map(|_| self.gpus.pop_first())
            .collect::<Option<_>>()?;
        Some(Claim { limits, gpus })
    }
}

/// A share of processors as it is counted.
pub(crate) fn thousandths(cpus: f64) -> u64 {
    (cpus * THOUSANDTHS as f64).round() as u64
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
