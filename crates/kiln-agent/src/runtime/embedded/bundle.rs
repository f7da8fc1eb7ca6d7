//! The OCI runtime specification of a container: a pure function from what the
//! job asked for to what the kernel is told.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cgroup::{CPU_PERIOD, Enforced};
use crate::gpu::Device;
use crate::runtime::{Container, Limits, Mount};

/// What the container's root may do: Docker's default set, less the making of
/// device nodes and raw sockets, which jobs have no use for.
const CAPABILITIES: [&str; 12] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What a container must not read of the kernel, as in Docker.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What a container may read but not write of the kernel, as in Docker.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// The most open files that a process is given even where the machine would
/// allow more: some programs walk through all possible descriptors.
const OPEN_FILES: u64 = 1_048_576;

/// What a specification depends on besides the container itself.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The assembled root file system.
    pub rootfs: PathBuf,
    /// Host directories and files that belong to the root file system.
    pub system_mounts: Vec<Mount>,
    /// Devices of the host that the container may use besides those that every
    /// container has.
    pub devices: Vec<Device>,
    /// The container's path in every control group tree.
    pub cgroup_path: String,
    /// What the control groups enforce. Of the rest, nothing is asked.
    pub enforced: Enforced,
    /// The container's own groups: their names under `/sys/fs/cgroup` and where
    /// they are on the host.
    pub cgroups: Vec<(String, PathBuf)>,
    /// This process's hard limit of open files, which cannot be passed.
    pub open_files: u64,
}

/// The runtime specification of a container.
///
/// The process described in it is only a place-holder: what runs is decided by
/// the executor that the shim brings.
#[must_use]
pub fn runtime_specification(container: &Container, around: &Surroundings) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "hostname": container.hostname,
        "root": { "path": around.rootfs, "readonly": false },
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": ["container"],
            "env": [],
            "cwd": "/",
            "noNewPrivileges": true,
            "capabilities": {
                "bounding": CAPABILITIES,
                "effective": CAPABILITIES,
                "permitted": CAPABILITIES,
                "inheritable": [],
                "ambient": [],
            },
            "rlimits": resource_limits(around.open_files),
        },
        "mounts": mounts(container, around),
        "linux": {
            "cgroupsPath": around.cgroup_path,
            "devices": around.devices.iter().map(device_node).collect::<Vec<_>>(),
            "resources": resources(&container.limits, around),
            "namespaces": [
                { "type": "pid" },
                { "type": "mount" },
                { "type": "ipc" },
                { "type": "uts" },
                { "type": "cgroup" },
            ],
            "rootfsPropagation": "private",
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    })
}

fn resource_limits(hard_open_files: u64) -> Value {
    let open_files = hard_open_files.min(OPEN_FILES);
    json!([
        { "type": "RLIMIT_NOFILE", "soft": open_files, "hard": open_files },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
    ])
}

/// What the control groups are to enforce. Where they can enforce nothing, they
/// are not to be asked at all.
fn resources(limits: &Limits, around: &Surroundings) -> Option<Value> {
    let enforced = around.enforced;
    if enforced == Enforced::default() {
        return None;
    }
    let mut all = json!({ "devices": device_rules(&around.devices) });
    if enforced.memory {
        all["memory"] = json!({ "limit": limits.memory_bytes });
    }
    if enforced.memory && enforced.swap {
        all["memory"]["swap"] = json!(limits.memory_bytes);
    }
    if enforced.cpu {
        all["cpu"] = json!({ "quota": cpu_quota(limits.cpus), "period": CPU_PERIOD });
    }
    if enforced.processes {
        all["pids"] = json!({ "limit": limits.processes });
    }
    Some(all)
}

/// All devices are forbidden, and then some are allowed.
fn device_rules(allowed: &[Device]) -> Vec<Value> {
    let mut rules = vec![json!({ "allow": false, "access": "rwm" })];
    rules.extend(allowed.iter().map(|device| {
        let Device { major, minor, .. } = device;
        json!({ "allow": true, "type": "c", "major": major, "minor": minor, "access": "rw" })
    }));
    rules
}

/// A device as everybody in the container may use it.
fn device_node(device: &Device) -> Value {
    json!({
        "path": device.path,
        "type": "c",
        "major": device.major,
        "minor": device.minor,
        "fileMode": 0o666,
        "uid": 0,
        "gid": 0,
    })
}

/// The microseconds of processor time in each period; the kernel takes no less
/// than a thousand.
fn cpu_quota(cpus: f64) -> u64 {
    let quota = cpus * CPU_PERIOD as f64;
    (quota as u64).max(1_000)
}

/// All mounts in the order in which they are made: a directory before what lies
/// inside it.
fn mounts(container: &Container, around: &Surroundings) -> Vec<Value> {
    let mut all: Vec<Value> = around.system_mounts.iter().map(bind).collect();
    all.extend(kernel_mounts(container.limits.shm_bytes));
    all.extend(cgroup_mounts(&around.cgroups));
    let mut own: Vec<&Mount> = container.mounts.iter().collect();
    own.sort_by_key(|mount| mount.target.components().count());
    all.extend(own.into_iter().map(bind));
    all
}

fn kernel_mounts(shm_bytes: u64) -> Vec<Value> {
    let shm_size = format!("size={shm_bytes}");
    vec![
        mount("proc", "/proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "devpts",
            "/dev/pts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        mount(
            "tmpfs",
            "/dev/shm",
            &["nosuid", "noexec", "nodev", "mode=1777", &shm_size],
        ),
        mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
        mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
    ]
}

/// The container's own limits, where libraries look to see how many processors
/// and how much memory they have.
fn cgroup_mounts(groups: &[(String, PathBuf)]) -> Vec<Value> {
    let root = Path::new("/sys/fs/cgroup");
    let mut all = Vec::new();
    if groups.iter().any(|(name, _)| !name.is_empty()) {
        all.push(mount(
            "tmpfs",
            "/sys/fs/cgroup",
            &["nosuid", "noexec", "nodev", "mode=755", "size=64k"],
        ));
    }
    all.extend(groups.iter().map(|(name, source)| {
        let target = if name.is_empty() {
            root.to_owned()
        } else {
            root.join(name)
        };
        bind(&Mount {
            source: source.clone(),
            target,
            read_only: true,
        })
    }));
    all
}

fn mount(kind: &str, target: &str, options: &[&str]) -> Value {
    json!({ "type": kind, "source": kind, "destination": target, "options": options })
}

/// A bind mount with all that is mounted below the source. Nothing on the host
/// gains a meaning inside by its owner or by being a device.
fn bind(mount: &Mount) -> Value {
    let mut options = vec!["rbind", "rnosuid", "rnodev"];
    if mount.read_only {
        options.push("rro");
    }
    json!({
        "type": "bind",
        "source": mount.source,
        "destination": mount.target,
        "options": options,
    })
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
