//! What an instance type means, and what this machine has room for.
//!
//! Sizes follow from a type's family and size, as EC2 names them: `large` is
//! two processors and each step up to `xlarge` and its multiples doubles or
//! multiplies that; the family's letter says how much memory goes with one.

use std::collections::HashMap;

use kiln_agent::runtime::Limits;

const GIB: u64 = 1 << 30;
/// Processes and threads of one instance: far above what training needs, far
/// below what would hurt the machine.
const PROCESSES: u32 = 8192;
/// Of the machine's memory, what jobs never get: the server's and the agents'.
const KEPT_BACK: u64 = GIB;

/// What an instance type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
}

impl Size {
    /// The size of a type such as `ml.m5.large`. Unknown families count as
    /// general purpose, unknown sizes as `large`.
    #[must_use]
    pub fn of(instance_type: &str) -> Self {
        let mut parts = instance_type.split('.').skip(1);
        let (family, size) = (
            parts.next().unwrap_or("m5"),
            parts.next().unwrap_or("large"),
        );
        let cpus = processors(size);
        Self {
            cpus,
            memory: u64::from(cpus) * memory_per_processor(family, size),
        }
    }
}

fn processors(size: &str) -> u32 {
    match size {
        "medium" | "large" => 2,
        "xlarge" => 4,
        "metal" => 96,
        other => {
            let multiple = other
                .strip_suffix("xlarge")
                .and_then(|n| n.parse::<u32>().ok());
            multiple.map_or(2, |n| n.saturating_mul(4))
        }
    }
}

fn memory_per_processor(family: &str, size: &str) -> u64 {
    let letters: String = family
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    match letters.as_str() {
        "c" => 2 * GIB,
        "t" if size == "medium" => 2 * GIB,
        "r" | "p" | "trn" => 8 * GIB,
        "x" => 16 * GIB,
        _ => 4 * GIB,
    }
}

/// This machine's room and who has it. A pure ledger: it takes no locks and
/// asks nobody.
#[derive(Debug, Clone)]
pub struct Machine {
    cpus: u32,
    memory: u64,
    taken: HashMap<String, Limits>,
}

impl Machine {
    /// An empty machine of this size.
    #[must_use]
    pub fn new(cpus: u32, memory: u64) -> Self {
        Self {
            cpus: cpus.max(1),
            memory,
            taken: HashMap::new(),
        }
    }

    /// What a type gets here: what it promises, or the whole machine where the
    /// machine has less.
    #[must_use]
    pub fn limits(&self, size: Size) -> Limits {
        let room = self.room();
        let memory_bytes = size.memory.min(room);
        Limits {
            memory_bytes,
            cpus: f64::from(size.cpus.min(self.cpus)),
            processes: PROCESSES,
            shm_bytes: memory_bytes / 2,
        }
    }

    /// The memory that jobs may have between them.
    fn room(&self) -> u64 {
        let left = self.memory.saturating_sub(KEPT_BACK);
        left.max(self.memory / 2)
    }

    /// Sets room aside; answers false when there is not enough.
    pub fn admit(&mut self, instance: &str, limits: Limits) -> bool {
        let cpus: f64 = self.taken.values().map(|taken| taken.cpus).sum();
        let memory: u64 = self.taken.values().map(|taken| taken.memory_bytes).sum();
        let fits = cpus + limits.cpus <= f64::from(self.cpus)
            && memory + limits.memory_bytes <= self.room();
        if fits {
            self.taken.insert(instance.to_owned(), limits);
        }
        fits
    }

    /// Notes an instance that is running already, whether or not it fits.
    pub fn adopt(&mut self, instance: &str, limits: Limits) {
        self.taken.insert(instance.to_owned(), limits);
    }

    /// Gives room back.
    pub fn release(&mut self, instance: &str) {
        self.taken.remove(instance);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_have_the_sizes_that_their_names_say() {
        let cases = [
            ("ml.m5.large", 2, 8),
            ("ml.m5.xlarge", 4, 16),
            ("ml.m5.24xlarge", 96, 384),
            ("ml.c5.2xlarge", 8, 16),
            ("ml.t3.medium", 2, 4),
            ("ml.t3.large", 2, 8),
            ("ml.r5.4xlarge", 16, 128),
            ("ml.g5.xlarge", 4, 16),
            ("ml.c6gn.large", 2, 4),
        ];
        for (name, cpus, gib) in cases {
            assert_eq!(
                Size::of(name),
                Size {
                    cpus,
                    memory: gib * GIB
                },
                "{name}"
            );
        }
    }

    #[test]
    fn a_type_larger_than_the_machine_gets_the_machine() {
        let machine = Machine::new(2, 24 * GIB);
        let limits = machine.limits(Size::of("ml.m5.24xlarge"));
        assert_eq!((limits.cpus, limits.memory_bytes), (2.0, 23 * GIB));
    }

    proptest! {
        #[test]
        fn room_is_never_promised_twice(types in proptest::collection::vec(0usize..4, 1..40)) {
            let names = ["ml.m5.large", "ml.c5.xlarge", "ml.t3.medium", "ml.r5.24xlarge"];
            let mut machine = Machine::new(8, 64 * GIB);
            for (n, kind) in types.iter().enumerate() {
                let limits = machine.limits(Size::of(names[*kind]));
                machine.admit(&n.to_string(), limits);
                if n % 3 == 0 {
                    machine.release(&(n / 2).to_string());
                }
                let memory: u64 = machine.taken.values().map(|l| l.memory_bytes).sum();
                let cpus: f64 = machine.taken.values().map(|l| l.cpus).sum();
                prop_assert!(memory <= 64 * GIB && cpus <= 8.0);
            }
        }
    }
}
