//! What an instance type promises: processors, memory and GPUs.
//!
//! Most sizes follow from a type's family and size, as EC2 names them: `large`
//! is two processors, `xlarge` four, and its multiples multiply that; the family
//! says how much memory goes with a processor. Where a family breaks that rule,
//! the type stands in a table.

use std::collections::HashMap;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What an instance type promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Processors.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// GPUs that CUDA can use.
    pub gpus: u32,
}

/// What an unknown type promises.
const FALLBACK: Size = Size {
    cpus: 2,
    memory: 8 * GIB,
    gpus: 0,
};

/// The families that keep the rule: the MiB of memory that go with a processor.
const FAMILIES: [(&str, u64); 20] = [
    ("t3", 4096),
    ("m4", 4096),
    ("m5", 4096),
    ("m6i", 4096),
    ("m7i", 4096),
    ("c4", 1920),
    ("c5", 2048),
    ("c5n", 2688),
    ("c6i", 2048),
    ("c7i", 2048),
    ("r5", 8192),
    ("r5d", 8192),
    ("r7i", 8192),
    ("g4dn", 4096),
    ("g5", 4096),
    ("g6", 4096),
    ("g6e", 8192),
    ("g7e", 8192),
    ("trn1", 4096),
    ("trn1n", 4096),
];

/// The types that the rule does not tell right: processors, GiB, GPUs.
const EXCEPTIONS: [(&str, u32, u64, u32); 34] = [
    ("t3.medium", 2, 4, 0),
    ("c4.8xlarge", 36, 60, 0),
    ("c5n.9xlarge", 36, 96, 0),
    ("c5n.18xlarge", 72, 192, 0),
    ("g4dn.12xlarge", 48, 192, 4),
    ("g5.12xlarge", 48, 192, 4),
    ("g5.24xlarge", 96, 384, 4),
    ("g5.48xlarge", 192, 768, 8),
    ("g6.12xlarge", 48, 192, 4),
    ("g6.24xlarge", 96, 384, 4),
    ("g6.48xlarge", 192, 768, 8),
    ("g6e.12xlarge", 48, 384, 4),
    ("g6e.24xlarge", 96, 768, 4),
    ("g6e.48xlarge", 192, 1536, 8),
    ("g7e.12xlarge", 48, 512, 2),
    ("g7e.24xlarge", 96, 1024, 4),
    ("g7e.48xlarge", 192, 2048, 8),
    ("p2.xlarge", 4, 61, 1),
    ("p2.8xlarge", 32, 488, 8),
    ("p2.16xlarge", 64, 732, 16),
    ("p3.2xlarge", 8, 61, 1),
    ("p3.8xlarge", 32, 244, 4),
    ("p3.16xlarge", 64, 488, 8),
    ("p3dn.24xlarge", 96, 768, 8),
    ("p4d.24xlarge", 96, 1152, 8),
    ("p4de.24xlarge", 96, 1152, 8),
    ("p5.4xlarge", 16, 256, 1),
    ("p5.48xlarge", 192, 2048, 8),
    ("p5e.48xlarge", 192, 2048, 8),
    ("p5en.48xlarge", 192, 2048, 8),
    ("p6-b200.48xlarge", 192, 2048, 8),
    ("p6-b300.48xlarge", 192, 4096, 8),
    ("p6e-gb200.36xlarge", 144, 960, 4),
    ("trn2.48xlarge", 192, 2048, 0),
];

/// The sizes of all instance types, with those that a person has set.
#[derive(Debug, Clone, Default)]
pub struct InstanceTypes {
    own: HashMap<String, Size>,
}

impl InstanceTypes {
    /// The types as the cloud has them, but for these.
    #[must_use]
    pub fn with(own: impl IntoIterator<Item = (String, Size)>) -> Self {
        Self {
            own: own.into_iter().collect(),
        }
    }

    /// The size of a type such as `ml.m5.large`. One that is unknown counts as
    /// that.
    #[must_use]
    pub fn size(&self, name: &str) -> Size {
        let own = self.own.get(name).copied();
        own.or_else(|| known(name)).unwrap_or(FALLBACK)
    }
}

/// The size of a type whose family and size are known.
fn known(name: &str) -> Option<Size> {
    let name = name.strip_prefix("ml.")?;
    let exception = EXCEPTIONS.iter().find(|(exception, ..)| *exception == name);
    if let Some((_, cpus, gib, gpus)) = exception {
        return Some(Size {
            cpus: *cpus,
            memory: gib * GIB,
            gpus: *gpus,
        });
    }
    let (family, size) = name.split_once('.')?;
    let (_, mib) = FAMILIES.iter().find(|(known, _)| *known == family)?;
    let cpus = processors(size)?;
    Some(Size {
        cpus,
        memory: u64::from(cpus) * mib * MIB,
        gpus: u32::from(family.starts_with('g')),
    })
}

fn processors(size: &str) -> Option<u32> {
    match size {
        "large" => Some(2),
        "xlarge" => Some(4),
        multiple => {
            let multiple: u32 = multiple.strip_suffix("xlarge")?.parse().ok()?;
            multiple.checked_mul(4)
        }
    }
}

#[cfg(test)]
#[path = "instance_types_tests.rs"]
mod tests;
