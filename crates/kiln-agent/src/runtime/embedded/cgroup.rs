//! The control groups of one container, in either version of the interface:
//! where they are, what they enforce, who is in them, and their removal.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::runtime::Limits;

/// How long the kernel may take to let go of a group whose last process ended.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(5);

/// The microseconds over which the share of processor time is counted.
pub const CPU_PERIOD: u64 = 100_000;

/// Where this machine keeps its control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchy {
    /// Version 1: one tree for each controller, by the controller's name.
    Split(BTreeMap<String, PathBuf>),
    /// Version 2: one tree.
    Unified(PathBuf),
}

impl Hierarchy {
    /// The hierarchy of this machine.
    ///
    /// # Errors
    /// When the mount table cannot be read or holds no control groups.
    pub fn of_this_machine() -> io::Result<Self> {
        let table = fs::read_to_string("/proc/self/mountinfo")?;
        Self::from_mount_table(&table)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no control groups are mounted"))
    }

    /// The hierarchy in a mount table in the form of `/proc/self/mountinfo`.
    /// A machine that mounts both versions keeps its controllers in version 1.
    fn from_mount_table(table: &str) -> Option<Self> {
        let mut split = BTreeMap::new();
        let mut unified = None;
        for (target, kind, options) in table.lines().filter_map(mount_entry) {
            match kind {
                "cgroup" => {
                    for controller in options.split(',') {
                        split
                            .entry(controller.to_owned())
                            .or_insert_with(|| PathBuf::from(target));
                    }
                }
                "cgroup2" => {
                    unified.get_or_insert_with(|| PathBuf::from(target));
                }
                _ => {}
            }
        }
        if split.contains_key("memory") {
            return Some(Self::Split(split));
        }
        unified.map(Self::Unified)
    }

    /// Which of the controllers that limits need are missing.
    #[must_use]
    pub fn missing_controllers(&self) -> Vec<&'static str> {
        let present: Vec<String> = match self {
            Self::Split(trees) => trees.keys().cloned().collect(),
            Self::Unified(root) => fs::read_to_string(root.join("cgroup.controllers"))
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        };
        ["memory", "cpu", "pids"]
            .into_iter()
            .filter(|needed| !present.iter().any(|name| name == needed))
            .collect()
    }

    /// Whether the use of swap can be limited.
    #[must_use]
    pub fn limits_swap(&self) -> bool {
        match self {
            Self::Split(trees) => trees
                .get("memory")
                .is_some_and(|root| root.join("memory.memsw.limit_in_bytes").exists()),
            // The root of a unified tree has no limits of its own, so that the
            // file cannot be looked for; without swap there is nothing to limit.
            Self::Unified(_) => true,
        }
    }
}

/// The target, type and superblock options of one line of a mount table.
fn mount_entry(line: &str) -> Option<(&str, &str, &str)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let target = mount.split(' ').nth(4)?;
    let mut fields = filesystem.split(' ');
    let kind = fields.next()?;
    let options = fields.nth(1)?;
    Some((target, kind, options))
}

/// The control groups of one container.
#[derive(Debug, Clone)]
pub struct ContainerGroup {
    hierarchy: Hierarchy,
    name: String,
}

impl ContainerGroup {
    /// The group of the container called `id`, which need not exist yet.
    ///
    /// # Errors
    /// When this machine has no control groups.
    pub fn of(id: &str) -> io::Result<Self> {
        let hierarchy = Hierarchy::of_this_machine()?;
        Ok(Self {
            hierarchy,
            name: format!("kiln-{id}"),
        })
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

    /// Whether memory can be limited together with swap.
    #[must_use]
    pub fn limits_swap(&self) -> bool {
        self.hierarchy.limits_swap()
    }

    /// Looks whether the kernel enforces the limits.
    ///
    /// # Errors
    /// A sentence that says which limit is not in force.
    pub fn verify(&self, limits: &Limits) -> Result<(), String> {
        for (controller, file, accepts) in self.expectations(limits) {
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

    /// Sends a signal to every process of the group but `except`.
    pub fn signal(&self, signal: Signal, except: Option<Pid>) {
        for pid in self
            .processes()
            .into_iter()
            .filter(|pid| Some(*pid) != except)
        {
            // A process that ended meanwhile needs no signal.
            let _ = kill(pid, signal);
        }
    }

    /// Kills what is in the group and removes it.
    ///
    /// # Errors
    /// When a directory is still there after several seconds.
    pub fn destroy(&self) -> io::Result<()> {
        let deadline = Instant::now() + REMOVAL_PATIENCE;
        for directory in self.directories() {
            while let Err(error) = remove_if_there(&directory) {
                if Instant::now() > deadline {
                    return Err(error);
                }
                self.signal(Signal::SIGKILL, None);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn processes(&self) -> Vec<Pid> {
        fs::read_to_string(self.directory("memory").join("cgroup.procs"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.parse().ok())
            .map(Pid::from_raw)
            .collect()
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

    const SPLIT: &str = "\
30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";

    const UNIFIED: &str = "\
25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    #[test]
    fn both_versions_are_found_in_the_mount_table() {
        let Some(Hierarchy::Split(trees)) = Hierarchy::from_mount_table(SPLIT) else {
            panic!("version 1 was not found");
        };
        assert_eq!(trees["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(trees["memory"], Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(
            Hierarchy::from_mount_table(UNIFIED),
            Some(Hierarchy::Unified(PathBuf::from("/sys/fs/cgroup")))
        );
        assert_eq!(Hierarchy::from_mount_table("nothing here"), None);
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
