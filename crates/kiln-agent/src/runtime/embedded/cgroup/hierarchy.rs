//! Where this machine keeps its control groups, in either version of the
//! interface, and what they can enforce.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Where control groups are mounted. libcontainer looks nowhere else to see which
/// version it has to do with.
pub const ROOT: &str = "/sys/fs/cgroup";

/// The controllers that a container's limits need.
const NEEDED: [&str; 3] = ["memory", "cpu", "pids"];

/// A group for the processes that were in the root of a container that Kiln
/// itself runs in. No container's group has such a name.
const NEIGHBOURS: &str = "kiln_neighbours";

/// How often the root is read again for processes that were forked meanwhile.
const ROUNDS: usize = 10;

/// Where this machine keeps its control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hierarchy {
    /// Version 1: one tree for each controller, by the controller's name; no tree
    /// at all where there are no control groups.
    Split(BTreeMap<String, PathBuf>),
    /// Version 2: one tree.
    Unified(PathBuf),
}

/// What a hierarchy enforces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enforced {
    /// The limit of memory.
    pub memory: bool,
    /// That swap counts as memory.
    pub swap: bool,
    /// The share of the processors' time.
    pub cpu: bool,
    /// The number of processes.
    pub processes: bool,
}

impl Enforced {
    /// The controllers without which limits are not in force.
    #[must_use]
    pub fn missing(self) -> Vec<&'static str> {
        let present = [self.memory, self.cpu, self.processes];
        let all = NEEDED.into_iter().zip(present);
        all.filter(|(_, present)| !present)
            .map(|(name, _)| name)
            .collect()
    }
}

impl Hierarchy {
    /// The hierarchy of this machine, as far as this process can use it.
    ///
    /// # Errors
    /// When the mount table cannot be read.
    pub fn of_this_machine() -> io::Result<Self> {
        let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
        Ok(Self::from_mount_table(&table, &is_usable))
    }

    /// The hierarchy in a mount table in the form of `/proc/self/mountinfo`.
    fn from_mount_table(table: &str, usable: &dyn Fn(&Path) -> bool) -> Self {
        let mut split = BTreeMap::new();
        for (target, kind, options) in cgroup_mounts(table) {
            if !usable(Path::new(target)) {
                continue;
            }
            match kind {
                "cgroup2" if target == ROOT => return Self::Unified(PathBuf::from(target)),
                "cgroup" => {
                    for controller in options.split(',') {
                        split
                            .entry(controller.to_owned())
                            .or_insert_with(|| PathBuf::from(target));
                    }
                }
                _ => {}
            }
        }
        Self::Split(split)
    }

    /// Whether there are no control groups.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Split(trees) if trees.is_empty())
    }

    /// Has the kernel pass the controllers on to the groups below the root, which
    /// only version 2 must be asked for. What cannot be had is missing afterwards.
    pub fn prepare(&self) {
        let Self::Unified(root) = self else { return };
        if self.enforced().missing().is_empty() {
            return;
        }
        // Only the root of the whole machine may both have processes and pass
        // memory on. This is the root of a container that Kiln runs in, and none
        // but Kiln's neighbours in it are asked to move. It must be done before
        // the other controllers are passed on, which a group with processes may,
        // but then they can no longer leave it.
        if is_held_up(root) && root.join("cgroup.type").exists() {
            make_room(root);
        }
        for name in NEEDED {
            // What is missing in the end is seen by those who ask.
            let _ = pass_on(root, name);
        }
    }

    /// What is enforced below the root.
    #[must_use]
    pub fn enforced(&self) -> Enforced {
        match self {
            // libcontainer limits devices too, or nothing.
            Self::Split(trees) if !trees.contains_key("devices") => Enforced::default(),
            Self::Split(trees) => Enforced {
                memory: trees.contains_key("memory"),
                swap: trees
                    .get("memory")
                    .is_some_and(|root| root.join("memory.memsw.limit_in_bytes").exists()),
                cpu: trees.contains_key("cpu"),
                processes: trees.contains_key("pids"),
            },
            Self::Unified(root) => {
                let passed_on = fs::read_to_string(root.join("cgroup.subtree_control"));
                passed_on_controllers(&passed_on.unwrap_or_default())
            }
        }
    }
}

/// What is enforced where these controllers are passed on.
fn passed_on_controllers(list: &str) -> Enforced {
    let [memory, cpu, processes] = NEEDED.map(|name| list.split_whitespace().any(|it| it == name));
    Enforced {
        memory,
        // The root has no limits of its own, so that it cannot be seen whether the
        // kernel counts swap. One that was built without swap need not.
        swap: memory,
        cpu,
        processes,
    }
}

/// Whether a group's own processes keep it from passing controllers on.
fn is_held_up(root: &Path) -> bool {
    pass_on(root, "memory").is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
}

fn pass_on(root: &Path, controller: &str) -> io::Result<()> {
    fs::write(
        root.join("cgroup.subtree_control"),
        format!("+{controller}"),
    )
}

/// Moves the processes in a group to a group below it.
fn make_room(root: &Path) {
    let neighbours = root.join(NEIGHBOURS);
    // What fails here is seen by what is enforced in the end.
    let _ = fs::create_dir(&neighbours);
    for _ in 0..ROUNDS {
        let listed = fs::read_to_string(root.join("cgroup.procs")).unwrap_or_default();
        // Processes of other process namespaces are listed as 0.
        let mut movable = listed.lines().filter(|pid| *pid != "0").peekable();
        if movable.peek().is_none() {
            return;
        }
        for pid in movable {
            let _ = fs::write(neighbours.join("cgroup.procs"), pid);
        }
    }
}

/// Whether groups can be made in a tree: a mount may be read-only, or covered by
/// another mount.
fn is_usable(tree: &Path) -> bool {
    access(&tree.join("cgroup.procs"), AccessFlags::W_OK).is_ok()
}

/// The targets of the control group mounts that this process cannot use.
///
/// # Errors
/// When the mount table cannot be read.
pub fn unusable_mounts() -> io::Result<Vec<PathBuf>> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let targets = cgroup_mounts(&table).map(|(target, _, _)| PathBuf::from(target));
    Ok(targets.filter(|target| !is_usable(target)).collect())
}

/// The target, type and superblock options of the control group mounts in a mount
/// table.
fn cgroup_mounts(table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let mounts = table.lines().filter_map(mount_entry);
    mounts.filter(|(_, kind, _)| matches!(*kind, "cgroup" | "cgroup2"))
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

#[cfg(test)]
mod tests {
    use super::*;

    const SPLIT: &str = "\
30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:28 / /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory
33 30 0:29 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
35 30 0:31 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
34 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate";

    const UNIFIED: &str = "\
25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";

    fn found(table: &str, unusable: &str) -> Hierarchy {
        Hierarchy::from_mount_table(table, &|target| target != Path::new(unusable))
    }

    #[test]
    fn both_versions_are_found_in_the_mount_table() {
        let Hierarchy::Split(trees) = found(SPLIT, "") else {
            panic!("version 1 was not found");
        };
        assert_eq!(trees["cpu"], Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(trees["memory"], Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(
            found(UNIFIED, ""),
            Hierarchy::Unified(PathBuf::from("/sys/fs/cgroup"))
        );
        let elsewhere = UNIFIED.replace("/sys/fs/cgroup", "/cgroup2");
        for table in ["nothing here", &elsewhere] {
            assert!(found(table, "").is_absent(), "{table}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_missing() {
        let cases = [
            (SPLIT, "", vec![]),
            (SPLIT, "/sys/fs/cgroup/memory", vec!["memory"]),
            (SPLIT, "/sys/fs/cgroup/cpu,cpuacct", vec!["cpu"]),
            (SPLIT, "/sys/fs/cgroup/pids", vec!["pids"]),
            (SPLIT, "/sys/fs/cgroup/unified", vec![]),
            (
                SPLIT,
                "/sys/fs/cgroup/devices",
                vec!["memory", "cpu", "pids"],
            ),
            (UNIFIED, "/sys/fs/cgroup", vec!["memory", "cpu", "pids"]),
        ];
        for (table, unusable, missing) in cases {
            assert_eq!(
                found(table, unusable).enforced().missing(),
                missing,
                "{unusable}"
            );
        }
    }

    #[test]
    fn a_unified_tree_enforces_what_it_passes_on() {
        let cases = [
            ("cpuset cpu io memory hugetlb pids", vec![]),
            ("memory pids", vec!["cpu"]),
            ("cpuset", vec!["memory", "cpu", "pids"]),
            ("", vec!["memory", "cpu", "pids"]),
        ];
        for (list, missing) in cases {
            assert_eq!(passed_on_controllers(list).missing(), missing, "{list}");
        }
    }
}
