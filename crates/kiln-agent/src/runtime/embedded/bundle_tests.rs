//! What the kernel is told of containers of many kinds.

use super::*;
use crate::runtime::{ImageConfig, ResolvedImage, Root, Start};

fn container(mounts: Vec<Mount>) -> Container {
    Container {
        id: "a-1".to_owned(),
        image: ResolvedImage {
            root: Root::System {
                visible: Vec::new(),
            },
            config: ImageConfig::default(),
        },
        start: Start::default(),
        env: Vec::new(),
        mounts,
        shared: Vec::new(),
        hostname: "algo-1".to_owned(),
        hosts: Vec::new(),
        gpus: Vec::new(),
        limits: Limits {
            memory_bytes: 1 << 30,
            cpus: 1.5,
            processes: 64,
            shm_bytes: 1 << 20,
        },
        scratch: PathBuf::from("/scratch"),
    }
}

const EVERYTHING: Enforced = Enforced {
    memory: true,
    swap: true,
    cpu: true,
    processes: true,
};

fn surroundings(enforced: Enforced, cgroups: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        rootfs: PathBuf::from("/scratch/rootfs"),
        system_mounts: Vec::new(),
        devices: Vec::new(),
        cgroup_path: "/kiln-a-1".to_owned(),
        enforced,
        cgroups: cgroups
            .iter()
            .map(|(a, b)| ((*a).to_owned(), PathBuf::from(b)))
            .collect(),
        open_files: 4096,
    }
}

fn mount_at(target: &str, read_only: bool) -> Mount {
    Mount {
        source: PathBuf::from("/data"),
        target: PathBuf::from(target),
        read_only,
    }
}

#[test]
fn limits_reach_the_kernel_in_its_units() {
    let spec = runtime_specification(&container(Vec::new()), &surroundings(EVERYTHING, &[]));
    let resources = &spec["linux"]["resources"];
    assert_eq!(resources["memory"]["limit"], 1 << 30);
    assert_eq!(resources["memory"]["swap"], 1 << 30);
    assert_eq!(resources["cpu"]["quota"], 150_000);
    assert_eq!(resources["pids"]["limit"], 64);
    assert_eq!(spec["process"]["rlimits"][0]["hard"], 4096);
}

#[test]
fn only_what_can_be_enforced_is_asked_for() {
    let asked = |enforced| {
        let around = surroundings(enforced, &[]);
        let spec = runtime_specification(&container(Vec::new()), &around);
        let resources = &spec["linux"]["resources"];
        ["memory", "cpu", "pids", "devices"].map(|name| !resources[name].is_null())
    };
    let without_cpu = Enforced {
        cpu: false,
        ..EVERYTHING
    };
    let only_memory = Enforced {
        memory: true,
        ..Enforced::default()
    };
    let cases = [
        (EVERYTHING, [true, true, true, true]),
        (without_cpu, [true, false, true, true]),
        (only_memory, [true, false, false, true]),
        (Enforced::default(), [false; 4]),
    ];
    for (enforced, expected) in cases {
        assert_eq!(asked(enforced), expected, "{enforced:?}");
    }
    let around = surroundings(only_memory, &[]);
    let spec = runtime_specification(&container(Vec::new()), &around);
    assert!(spec["linux"]["resources"]["memory"]["swap"].is_null());
}

#[test]
fn devices_are_made_and_allowed() {
    let mut around = surroundings(EVERYTHING, &[]);
    around.devices.push(Device {
        path: PathBuf::from("/dev/nvidia2"),
        major: 195,
        minor: 2,
    });
    let spec = runtime_specification(&container(Vec::new()), &around);
    let made = &spec["linux"]["devices"];
    assert_eq!(made[0]["path"], "/dev/nvidia2");
    assert_eq!(made[0]["fileMode"], 0o666);
    let rules = &spec["linux"]["resources"]["devices"];
    assert_eq!(rules[0], json!({ "allow": false, "access": "rwm" }));
    let allowed = json!({ "allow": true, "type": "c", "major": 195, "minor": 2, "access": "rw" });
    assert_eq!(rules[1], allowed);
}

#[test]
fn a_tiny_share_of_a_processor_is_rounded_up() {
    for (cpus, expected) in [(0.0, 1_000), (0.001, 1_000), (0.5, 50_000), (2.0, 200_000)] {
        assert_eq!(cpu_quota(cpus), expected, "{cpus}");
    }
}

#[test]
fn a_directory_is_mounted_before_what_lies_inside_it() {
    let nested = container(vec![
        mount_at("/opt/ml/input/data", true),
        mount_at("/opt/ml", false),
    ]);
    let all = mounts(&nested, &surroundings(EVERYTHING, &[]));
    let targets: Vec<_> = all
        .iter()
        .filter_map(|m| m["destination"].as_str())
        .collect();
    assert_eq!(
        targets[targets.len() - 2..],
        ["/opt/ml", "/opt/ml/input/data"]
    );
    assert_eq!(
        all[all.len() - 1]["options"],
        json!(["rbind", "rnosuid", "rnodev", "rro"])
    );
    assert_eq!(
        all[all.len() - 2]["options"],
        json!(["rbind", "rnosuid", "rnodev"])
    );
}

#[test]
fn the_own_limits_are_seen_in_both_versions() {
    let target = |value: &Value| value["destination"].as_str().unwrap_or_default().to_owned();
    let cases = [
        (vec![("", "/cg/kiln")], vec!["/sys/fs/cgroup"]),
        (
            vec![("cpu", "/cg/cpu/kiln")],
            vec!["/sys/fs/cgroup", "/sys/fs/cgroup/cpu"],
        ),
        (vec![], vec![]),
    ];
    for (groups, expected) in cases {
        let around = surroundings(EVERYTHING, &groups);
        let targets: Vec<_> = cgroup_mounts(&around.cgroups).iter().map(target).collect();
        assert_eq!(targets, expected);
    }
}
