//! The control groups of one container, in either version of the interface:
//! where they are, what they enforce, who is in them, and their removal.

mod hierarchy;
mod usage;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::runtime::Limits;
pub use hierarchy::{Enforced, Hierarchy};

/// How long the kernel may take to let go of a group whose last process ended.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(5);

/// The microseconds over which the share of processor time is counted.
pub const CPU_PERIOD: u64 = 100_000;

/// The control groups of one container.
#[derive(Debug, Clone)]
pub struct ContainerGroup {
    hierarchy: Hierarchy,
    name: String,
}

impl ContainerGroup {
    /// The group of the container called `id`, which need not exist yet, and
    /// never does where there are no control groups.
    ///
    /// # Errors
    /// When the mount table cannot be read.
    pub fn of(id: &str) -> io::Result<Self> {
        let hierarchy = Hierarchy::of_this_machine()?;
        Ok(Self {
            hierarchy,
            name: format!("kiln-{id}"),
        })
    }

    /// The same, with all limits that this machine can enforce made ready.
    ///
    /// # Errors
    /// When the mount table cannot be read.
    pub fn prepared(id: &str) -> io::Result<Self> {
        let group = Self::of(id)?;
        group.hierarchy.prepare();
        Ok(group)
    }

    /// The path under the root of every tree, as the runtime specification
    /// wants it.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/{}", self.name)
    }

    /// The directories in which the container may see its own limits, with the
    /// names that they have under `/sys/fs/cgroup`.
    #[must_use]
    pub fn visible(&self) -> Vec<(String, PathBuf)> {
        match &self.hierarchy {
            Hierarchy::Unified(root) => vec![(String::new(), root.join(&self.name))],
            Hierarchy::Split(trees) => ["cpu", "memory", "pids"]
                .into_iter()
                .filter_map(|name| {
                    let root = trees.get(name)?;
                    Some((name.to_owned(), root.join(&self.name)))
                })
                .collect(),
        }
    }

    /// What can be enforced in the group.
    #[must_use]
    pub fn enforced(&self) -> Enforced {
        self.hierarchy.enforced()
    }

    /// Forbids swap, where the limit of memory does not count it. libcontainer
    /// does not: a limit of nothing is none to it.
    ///
    /// # Errors
    /// When the kernel counts swap and refuses to limit it.
    pub fn forbid_swap(&self) -> io::Result<()> {
        let file = self.directory("memory").join("memory.swap.max");
        if !self.enforced().memory || !file.exists() {
            return Ok(());
        }
        fs::write(file, "0")
    }

    /// Looks whether the kernel enforces the limits that it can enforce.
    ///
    /// # Errors
    /// A sentence that says which limit is not in force.
    pub fn verify(&self, limits: &Limits) -> Result<(), String> {
        let missing = self.enforced().missing();
        let expected = self.expectations(limits).into_iter();
        for (controller, file, accepts) in expected.filter(|(name, ..)| !missing.contains(name)) {
            let path = self.directory(controller).join(file);
            let value = fs::read_to_string(&path)
                .map_err(|error| format!("the {controller} limit cannot be read: {error}"))?;
            if !accepts(value.trim()) {
                return Err(format!(
                    "the {controller} limit is not in force: {}",
                    value.trim()
                ));
            }
        }
        Ok(())
    }

    fn expectations(&self, limits: &Limits) -> [Expectation; 3] {
        let (memory, processes) = (limits.memory_bytes, u64::from(limits.processes));
        let at_most = |most: u64| -> Check {
            Box::new(move |value| value.parse().is_ok_and(|actual: u64| actual <= most))
        };
        let bounded: Check = Box::new(|value| !value.starts_with("max") && value != "-1");
        match &self.hierarchy {
            Hierarchy::Split(_) => [
                ("memory", "memory.limit_in_bytes", at_most(memory)),
                ("pids", "pids.max", at_most(processes)),
                ("cpu", "cpu.cfs_quota_us", bounded),
            ],
            Hierarchy::Unified(_) => [
                ("memory", "memory.max", at_most(memory)),
                ("pids", "pids.max", at_most(processes)),
                ("cpu", "cpu.max", bounded),
            ],
        }
    }

    /// How many processes the kernel has killed because the group's memory was
    /// used up.
    #[must_use]
    pub fn memory_kills(&self) -> u64 {
        let file = match &self.hierarchy {
            Hierarchy::Split(_) => "memory.oom_control",
            Hierarchy::Unified(_) => "memory.events",
        };
        let text = fs::read_to_string(self.directory("memory").join(file)).unwrap_or_default();
        counter(&text, "oom_kill")
    }

    /// Kills what is in the group and removes it.
    ///
    /// # Errors
    /// When a directory is still there after several seconds.
    pub fn destroy(&self) -> io::Result<()> {
        let deadline = Instant::now() + REMOVAL_PATIENCE;
        // A tree that is read-only answers so even where there is nothing to remove.
        for directory in self.directories().iter().filter(|path| path.exists()) {
            while let Err(error) = remove_if_there(directory) {
                if Instant::now() > deadline {
                    return Err(error);
                }
                kill_all_in(directory);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn directory(&self, controller: &str) -> PathBuf {
        match &self.hierarchy {
            Hierarchy::Unified(root) => root.join(&self.name),
            Hierarchy::Split(trees) => match trees.get(controller) {
                Some(root) => root.join(&self.name),
                None => PathBuf::new(),
            },
        }
    }

    fn directories(&self) -> Vec<PathBuf> {
        match &self.hierarchy {
            Hierarchy::Unified(root) => vec![root.join(&self.name)],
            Hierarchy::Split(trees) => {
                let mut all: Vec<_> = trees.values().map(|root| root.join(&self.name)).collect();
                all.sort();
                all.dedup();
                all
            }
        }
    }
}

/// Decides whether a limit's text says that the limit is in force.
type Check = Box<dyn Fn(&str) -> bool>;
/// A controller, the file in which its limit stands, and what it must say.
type Expectation = (&'static str, &'static str, Check);

/// Takes the control groups that this process cannot use out of its own mount
/// table, so that libcontainer goes without them instead of failing.
///
/// # Errors
/// When the mount table cannot be read, or the kernel refuses a mount.
pub fn hide_unusable() -> io::Result<()> {
    for target in hierarchy::unusable_mounts()? {
        uncover(&target);
    }
    if !Hierarchy::of_this_machine()?.is_absent() {
        return Ok(());
    }
    uncover(Path::new(hierarchy::ROOT));
    // An empty file system of this kind is what libcontainer takes for a machine
    // without controllers.
    let options = Some("mode=755,size=64k");
    mount(
        Some("tmpfs"),
        hierarchy::ROOT,
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )?;
    Ok(())
}

/// Detaches all that is mounted at a path, one over the other.
fn uncover(path: &Path) {
    while umount2(path, MntFlags::MNT_DETACH).is_ok() {}
}

fn kill_all_in(directory: &Path) {
    let listed = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    for pid in processes(&listed) {
        // A process that ended meanwhile need not be killed.
        let _ = kill(pid, Signal::SIGKILL);
    }
}

/// The processes in a list of them. One that has no number here, being in a
/// foreign namespace, is listed as 0, which would mean this process and its group.
fn processes(listed: &str) -> impl Iterator<Item = Pid> {
    let numbers = listed.lines().filter_map(|line| line.parse().ok());
    numbers.filter(|number| *number > 0).map(Pid::from_raw)
}

fn remove_if_there(directory: &Path) -> io::Result<()> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// The value after `name` in lines of `name value`.
fn counter(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_stands_for_more_than_one_process() {
        let listed: Vec<i32> = processes("0\n17\n-1\n\n0\n4\n").map(Pid::as_raw).collect();
        assert_eq!(listed, [17, 4]);
    }

    #[test]
    fn kills_are_counted_in_both_forms() {
        let cases = [
            ("oom_kill_disable 0\nunder_oom 0\noom_kill 2", 2),
            (
                "low 0\nhigh 0\nmax 10\noom 1\noom_kill 1\noom_group_kill 0",
                1,
            ),
            ("", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(counter(text, "oom_kill"), expected, "{text}");
        }
    }
}
