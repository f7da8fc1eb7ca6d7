//! Finding the container engine: which addresses to try, and who answers there.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{SystemInfo, SystemVersion};

use super::{Engine, Flavour, failure};

/// An engine that is there answers in milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The addresses to try in this process's environment.
pub(super) fn addresses_now(configured: Option<&Path>) -> Vec<String> {
    let docker_host = std::env::var("DOCKER_HOST").ok();
    let runtime_dir = std::env::var("XDG_RUNTIME_DIR").ok();
    addresses(configured, docker_host.as_deref(), runtime_dir.as_deref())
}

/// One address when somebody named one, otherwise the well-known sockets.
fn addresses(
    configured: Option<&Path>,
    docker_host: Option<&str>,
    runtime_dir: Option<&str>,
) -> Vec<String> {
    if let Some(path) = configured {
        return vec![format!("unix://{}", path.display())];
    }
    if let Some(host) = docker_host.filter(|host| !host.is_empty()) {
        return vec![host.to_owned()];
    }
    let own = runtime_dir
        .filter(|directory| !directory.is_empty())
        .map(|directory| format!("unix://{directory}/podman/podman.sock"));
    ["unix:///var/run/docker.sock".to_owned()]
        .into_iter()
        .chain(own)
        .chain(["unix:///run/podman/podman.sock".to_owned()])
        .collect()
}

/// Connects to the engine at `address` and agrees on a protocol version.
pub(super) async fn open(address: &str) -> Result<(Docker, Engine), String> {
    tokio::time::timeout(ANSWER_WITHIN, introduce(address))
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER_WITHIN.as_secs())))
}

async fn introduce(address: &str) -> Result<(Docker, Engine), String> {
    let words = |error| failure::words(&error);
    let docker = Docker::connect_with_host(address).map_err(words)?;
    let docker = docker.negotiate_version().await.map_err(words)?;
    let version = docker.version().await.map_err(words)?;
    let information = docker.info().await.map_err(words)?;
    let processors = information
        .ncpu
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| *count > 0)
        .unwrap_or(u32::MAX);
    let flavour = flavour(&version);
    let engine = Engine {
        flavour,
        processors,
        bridge_on_demand: flavour == Flavour::Podman
            && address.starts_with("unix://")
            && !is_rootless(&information),
    };
    Ok((docker, engine))
}

/// Podman speaks Docker's protocol but names itself among its components.
fn flavour(version: &SystemVersion) -> Flavour {
    let podman = version
        .components
        .iter()
        .flatten()
        .any(|component| component.name.contains("Podman"));
    if podman {
        Flavour::Podman
    } else {
        Flavour::Docker
    }
}

fn is_rootless(information: &SystemInfo) -> bool {
    information
        .security_options
        .iter()
        .flatten()
        .any(|option| option.contains("rootless"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_address_is_the_only_one_tried() {
        let well_known = [
            "unix:///var/run/docker.sock",
            "unix:///run/user/7/podman/podman.sock",
            "unix:///run/podman/podman.sock",
        ];
        let host = Some("tcp://10.0.0.1:2375");
        let own = Some("/run/user/7");
        let cases: [(_, _, _, &[&str]); 5] = [
            (Some("/a/b.sock"), host, own, &["unix:///a/b.sock"]),
            (None, host, own, &["tcp://10.0.0.1:2375"]),
            (None, None, own, &well_known),
            (None, Some(""), own, &well_known),
            (None, None, None, &[well_known[0], well_known[2]]),
        ];
        for (configured, docker_host, runtime_dir, expected) in cases {
            let tried = addresses(configured.map(Path::new), docker_host, runtime_dir);
            assert_eq!(tried, expected);
        }
    }
}
