//! What the engine is asked for: one container, translated into its API.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, Mount, MountType,
};

use super::super::{Container, Mount as Directory};
use super::{Engine, Flavour, Wiring, leftovers};
use crate::gpu;

/// Of Docker's default set, what training has no use for and other jobs on the
/// same bridge could suffer from.
const DROPPED_CAPABILITIES: [&str; 2] = ["NET_RAW", "MKNOD"];

/// By which NVIDIA's runtime decides what a container gets.
const VISIBLE_GPUS: &str = "NVIDIA_VISIBLE_DEVICES";
/// What of the driver a container gets: CUDA, and the tools that look at GPUs.
const GPU_CAPABILITIES: [&str; 3] = ["gpu", "compute", "utility"];

const NANOS: f64 = 1e9;
/// The least that Docker accepts: a hundredth of a processor.
const LEAST_CPUS: f64 = 0.01;

pub(super) fn body(
    container: &Container,
    image: &str,
    wiring: &Wiring,
    engine: Engine,
) -> ContainerCreateBody {
    let gpus = gpu::ids(Path::new("/"), &container.gpus);
    ContainerCreateBody {
        hostname: Some(container.hostname.clone()),
        env: Some(environment(&container.env, &gpus)),
        entrypoint: container.start.entrypoint.clone(),
        cmd: Some(container.start.arguments()),
        image: Some(image.to_owned()),
        labels: Some(leftovers::labels(container)),
        host_config: Some(host_config(container, &gpus, wiring, engine)),
        networking_config: wiring.cluster().map(|network| network.membership()),
        ..Default::default()
    }
}

fn host_config(
    container: &Container,
    gpus: &[String],
    wiring: &Wiring,
    engine: Engine,
) -> HostConfig {
    let limits = &container.limits;
    let network = match wiring {
        Wiring::Bridge { .. } => "bridge",
        Wiring::Cluster { network, .. } => network.name(),
        Wiring::Isolated => "none",
    };
    HostConfig {
        network_mode: Some(network.to_owned()),
        dns: wiring.cluster().and_then(|network| network.resolvers()),
        extra_hosts: Some(own_names(&container.hostname, &container.hosts)),
        mounts: Some(container.mounts.iter().map(bind).collect()),
        memory: Some(whole(limits.memory_bytes)),
        // Memory and swap together: no swap.
        memory_swap: Some(whole(limits.memory_bytes)),
        nano_cpus: Some(nano_cpus(limits.cpus, engine.processors)),
        pids_limit: Some(i64::from(limits.processes)),
        shm_size: Some(whole(limits.shm_bytes)),
        // The image's program is the first process, as it is in the cloud.
        init: Some(false),
        cap_drop: Some(DROPPED_CAPABILITIES.map(str::to_owned).to_vec()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        device_requests: device_request(gpus, engine.flavour).map(|request| vec![request]),
        log_config: Some(log_config(engine.flavour)),
        ..Default::default()
    }
}

/// The job's variables. Which GPUs it has is not the job's to say: an engine whose
/// default runtime is NVIDIA's would give it what the variable names.
fn environment(pairs: &[(String, String)], gpus: &[String]) -> Vec<String> {
    let own = pairs.iter().filter(|(name, _)| name != VISIBLE_GPUS);
    let mut all: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
    all.push(format!("{VISIBLE_GPUS}={}", gpu::visible_devices(gpus)));
    all
}

/// Asks for these GPUs and no others: Docker by its own driver, Podman by the
/// names that NVIDIA's tools write down for every engine.
fn device_request(gpus: &[String], flavour: Flavour) -> Option<DeviceRequest> {
    if gpus.is_empty() {
        return None;
    }
    let (driver, ids) = match flavour {
        Flavour::Docker => ("nvidia", gpus.to_vec()),
        Flavour::Podman => {
            let names = gpus.iter().map(|id| format!("nvidia.com/gpu={id}"));
            ("cdi", names.collect())
        }
    };
    Some(DeviceRequest {
        driver: Some(driver.to_owned()),
        device_ids: Some(ids),
        capabilities: Some(vec![GPU_CAPABILITIES.map(str::to_owned).to_vec()]),
        ..Default::default()
    })
}

/// The engine itself makes the host name resolve to the container's address.
fn own_names(hostname: &str, hosts: &[(String, IpAddr)]) -> Vec<String> {
    hosts
        .iter()
        .filter(|(name, _)| name != hostname)
        .map(|(name, address)| format!("{name}:{address}"))
        .collect()
}

/// A mount and not a "bind", whose one string cannot hold a path with a colon.
fn bind(directory: &Directory) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(directory.source.to_string_lossy().into_owned()),
        target: Some(directory.target.to_string_lossy().into_owned()),
        read_only: Some(directory.read_only),
        ..Default::default()
    }
}

fn whole(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn nano_cpus(cpus: f64, processors: u32) -> i64 {
    let granted = cpus.max(LEAST_CPUS).min(f64::from(processors));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most 2^32 processors, far from the limit"
    )]
    let nanos = (granted * NANOS).round() as i64;
    nanos
}

/// The log is read from the start when a connection was lost, so the engine's
/// own defaults, which may rotate it away or keep nothing, are overruled.
/// Docker's `local` driver is not used: it joins a line of more than 16 KiB with
/// the next one.
fn log_config(flavour: Flavour) -> HostConfigLogConfig {
    let (driver, options): (_, &[(&str, &str)]) = match flavour {
        Flavour::Docker => (
            "json-file",
            &[("max-size", "1p"), ("max-file", "1"), ("compress", "false")],
        ),
        Flavour::Podman => ("k8s-file", &[]),
    };
    let options = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HostConfigLogConfig {
        typ: Some(driver.to_owned()),
        config: Some(HashMap::from_iter(options)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_stay_within_what_the_engine_accepts() {
        let cases = [
            (1.5, 4, 1_500_000_000),
            (16.0, 4, 4_000_000_000),
            (0.0, 4, 10_000_000),
            (0.5, u32::MAX, 500_000_000),
        ];
        for (cpus, processors, expected) in cases {
            assert_eq!(nano_cpus(cpus, processors), expected);
        }
    }

    #[test]
    fn gpus_are_asked_for_by_name() {
        let gpus = ["GPU-a", "1"].map(str::to_owned);
        let asked = |flavour| {
            let request = device_request(&gpus, flavour).unwrap();
            (request.driver.unwrap(), request.device_ids.unwrap())
        };
        let ids = |names: [&str; 2]| names.map(str::to_owned).to_vec();
        assert_eq!(
            asked(Flavour::Docker),
            ("nvidia".to_owned(), ids(["GPU-a", "1"]))
        );
        assert_eq!(
            asked(Flavour::Podman),
            (
                "cdi".to_owned(),
                ids(["nvidia.com/gpu=GPU-a", "nvidia.com/gpu=1"])
            )
        );
        assert_eq!(device_request(&[], Flavour::Docker), None);
    }

    #[test]
    fn a_job_cannot_say_which_gpus_it_has() {
        let own = [(VISIBLE_GPUS, "all"), ("A", "b")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let cases: [(&[String], &str); 2] = [(&[], "void"), (&["GPU-a".to_owned()], "GPU-a")];
        for (gpus, visible) in cases {
            let expected = ["A=b".to_owned(), format!("{VISIBLE_GPUS}={visible}")];
            assert_eq!(environment(&own, gpus), expected);
        }
    }

    #[test]
    fn every_name_but_the_host_name_is_added() {
        let hosts =
            ["ip-10-0-0-1", "algo-1"].map(|name| (name.to_owned(), IpAddr::from([127, 0, 0, 1])));
        assert_eq!(own_names("ip-10-0-0-1", &hosts), ["algo-1:127.0.0.1"]);
    }
}
