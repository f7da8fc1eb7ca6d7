//! The machine as jobs are given it: what the kernel says there is, or what
//! `kiln.toml` says instead.

use std::path::Path;

use kiln_agent::gpu;
use kiln_engine::{InstanceTypes, Room, Size};
use serde::Deserialize;

use crate::commands::Failure;
use crate::configuration::Configuration;

const GIB: f64 = (1u64 << 30) as f64;

/// An instance type of `kiln.toml`: what it promises here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceType {
    name: String,
    cpus: u32,
    memory_gib: f64,
    #[serde(default)]
    gpus: u32,
}

/// What jobs may have of this machine between them.
///
/// # Errors
/// When the configuration leaves them nothing, or the kernel does not say how
/// much memory there is.
pub fn room(configuration: &Configuration) -> Result<Room, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let gpus = gpu::present(Path::new("/")).into_iter();
    let found = Room::of_machine(processors, physical_memory()?, gpus.map(|gpu| gpu.number));
    Ok(configured(found, configuration)?)
}

/// The room that was found, but for what a person has said of it.
fn configured(found: Room, configuration: &Configuration) -> Result<Room, String> {
    let memory = configuration.memory_gib.map(bytes).transpose()?;
    let gpus = configuration.gpus.as_ref();
    let cpus = configuration.cpus.unwrap_or(found.cpus);
    if cpus == 0 {
        return Err("kiln.toml: cpus must be above 0".to_owned());
    }
    Ok(Room {
        cpus,
        memory: memory.unwrap_or(found.memory),
        gpus: gpus.map_or(found.gpus, |numbers| numbers.iter().copied().collect()),
    })
}

/// What instance types promise, where `kiln.toml` says so.
///
/// # Errors
/// When one promises nothing.
pub fn instance_types(configuration: &Configuration) -> Result<InstanceTypes, String> {
    let own = configuration.instance_type.iter().map(|own| {
        let size = Size {
            cpus: own.cpus,
            memory: bytes(own.memory_gib)?,
            gpus: own.gpus,
        };
        if size.cpus == 0 {
            return Err(format!("kiln.toml: {} has no processors", own.name));
        }
        Ok((own.name.clone(), size))
    });
    Ok(InstanceTypes::with(own.collect::<Result<Vec<_>, _>>()?))
}

fn bytes(gib: f64) -> Result<u64, String> {
    if !gib.is_finite() || gib <= 0.0 {
        return Err("kiln.toml: memory_gib must be a number above 0".to_owned());
    }
    Ok((gib * GIB) as u64)
}

/// Bytes of memory that the kernel says there are.
fn physical_memory() -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.ok_or("/proc/meminfo does not say how much memory there is")? * 1024)
}

#[cfg(test)]
mod tests {
    use kiln_engine::Fitting;

    use super::*;

    fn read(text: &str) -> Configuration {
        toml::from_str(text).unwrap()
    }

    fn found() -> Room {
        Room::of_machine(4, 17 << 30, [0, 1])
    }

    #[test]
    fn what_is_not_configured_is_as_it_was_found() {
        let plain = read("");
        assert_eq!(configured(found(), &plain), Ok(found()));
        assert_eq!(plain.fit, Fitting::Scale);
        assert_eq!(read("fit = 'strict'").fit, Fitting::Strict);
    }

    #[test]
    fn a_person_can_say_how_much_there_is() {
        let room = configured(
            found(),
            &read("cpus = 2\nmemory_gib = 7.5\ngpus = [3, 1, 3]"),
        );
        let expected = Room {
            cpus: 2,
            memory: 15 << 29,
            gpus: [1, 3].into(),
        };
        assert_eq!(room, Ok(expected));
        let room = configured(found(), &read("gpus = []")).unwrap();
        assert!(room.gpus.is_empty());
        for nothing in ["cpus = 0", "memory_gib = 0.0", "memory_gib = nan"] {
            let refused = configured(found(), &read(nothing));
            assert!(
                refused.is_err_and(|text| text.contains("above 0")),
                "{nothing}"
            );
        }
    }

    #[test]
    fn a_person_can_say_what_types_promise() {
        let types = read(
            "[[instance_type]]\nname = 'ml.m5.large'\ncpus = 1\nmemory_gib = 0.5\n\
             [[instance_type]]\nname = 'ml.own.large'\ncpus = 8\nmemory_gib = 32\ngpus = 2\n",
        );
        let types = instance_types(&types).unwrap();
        let size = |cpus, memory, gpus| Size { cpus, memory, gpus };
        assert_eq!(types.size("ml.m5.large"), size(1, 1 << 29, 0));
        assert_eq!(types.size("ml.own.large"), size(8, 32 << 30, 2));
        let nothing = read("[[instance_type]]\nname = 'ml.x'\ncpus = 0\nmemory_gib = 1");
        assert!(instance_types(&nothing).is_err());
    }
}
