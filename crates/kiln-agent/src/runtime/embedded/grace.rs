//! A wait of the kernel's, begun before it is in anyone's way.
//!
//! The first process to enter a control group after a quiet moment waits some ten
//! milliseconds until all processors have taken notice; those that follow within
//! the next ten do not wait. An agent that is about to start a shim therefore
//! enters the group that it is already in: nothing changes, and the wait passes
//! while the shim is still assembling its container.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::cgroup::Hierarchy;

/// Begins the wait, on a thread of its own. It is only a matter of speed, so that
/// nothing is said when it fails.
pub fn begin() {
    tokio::task::spawn_blocking(|| {
        let Some(group) = own_group() else { return };
        let _ = fs::write(group.join("cgroup.procs"), "0");
    });
}

/// The group of this process in one of the trees.
fn own_group() -> Option<PathBuf> {
    let table = fs::read_to_string("/proc/self/cgroup").ok()?;
    let (controller, root) = match Hierarchy::of_this_machine().ok()? {
        Hierarchy::Unified(root) => ("", root),
        Hierarchy::Split(mut trees) => ("memory", trees.remove("memory")?),
    };
    let path = path_in_tree(&table, controller)?;
    let group = root.join(path);
    // In a namespace the path may lead out of what is mounted, or elsewhere.
    let here = fs::read_to_string(group.join("cgroup.procs")).ok()?;
    let own = std::process::id().to_string();
    here.lines().any(|line| line == own).then_some(group)
}

/// The path under the root of the tree of a controller, from a table in the form
/// of `/proc/self/cgroup`.
fn path_in_tree<'a>(table: &'a str, controller: &str) -> Option<&'a Path> {
    let path = table.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })?;
    let path = Path::new(path.strip_prefix('/')?);
    path.components()
        .all(|part| matches!(part, Component::Normal(_)))
        .then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let split = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n";
        assert_eq!(path_in_tree(split, "memory"), Some(Path::new("a/b")));
        assert_eq!(path_in_tree(split, ""), Some(Path::new("")));
        assert_eq!(
            path_in_tree("0::/user.slice\n", ""),
            Some(Path::new("user.slice"))
        );
        assert_eq!(path_in_tree("0::/../x\n", ""), None);
        assert_eq!(path_in_tree("", "memory"), None);
    }
}
