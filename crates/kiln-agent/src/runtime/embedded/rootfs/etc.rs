//! The files of `/etc` that belong to one container, whatever its image.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::make_directory;
use crate::runtime::Mount;
use crate::runtime::embedded::protocol::ShimSpec;

/// Writes the files into the container's own `/etc`.
///
/// # Errors
/// When they cannot be written.
pub fn write_own_files(spec: &ShimSpec, etc: &Path) -> io::Result<()> {
    own_files(spec)
        .into_iter()
        .try_for_each(|(name, text)| fs::write(etc.join(name), text))
}

/// Writes the files into a directory of their own, to be mounted over those of
/// an image.
///
/// # Errors
/// When they cannot be written.
pub fn mount_own_files(spec: &ShimSpec, directory: &Path) -> io::Result<Vec<Mount>> {
    make_directory(directory, 0o755)?;
    let mut mounts = Vec::new();
    for (name, text) in own_files(spec) {
        let source = directory.join(name);
        fs::write(&source, text)?;
        mounts.push(Mount {
            source,
            target: Path::new("/etc").join(name),
            read_only: false,
        });
    }
    Ok(mounts)
}

fn own_files(spec: &ShimSpec) -> [(&'static str, String); 3] {
    let container = &spec.container;
    [
        ("hostname", format!("{}\n", container.hostname)),
        ("hosts", hosts_file(&container.hosts)),
        ("resolv.conf", resolver_file(&spec.resolvers)),
    ]
}

fn hosts_file(hosts: &[(String, IpAddr)]) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned();
    for (name, address) in hosts {
        text.push_str(&format!("{address} {name}\n"));
    }
    text
}

fn resolver_file(resolvers: &[IpAddr]) -> String {
    resolvers
        .iter()
        .map(|address| format!("nameserver {address}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_resolves_to_its_address() {
        let hosts = [("algo-1", "10.0.0.2"), ("algo-2", "10.0.0.3")]
            .map(|(name, address)| (name.to_owned(), address.parse().unwrap()));
        let text = hosts_file(&hosts);
        assert!(
            text.ends_with("\n10.0.0.2 algo-1\n10.0.0.3 algo-2\n"),
            "{text}"
        );
    }

    #[test]
    fn name_servers_are_listed_one_to_a_line() {
        let resolvers = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(
            resolver_file(&resolvers),
            "nameserver 10.0.0.1\nnameserver fd00::1\n"
        );
        assert_eq!(resolver_file(&[]), "");
    }
}
