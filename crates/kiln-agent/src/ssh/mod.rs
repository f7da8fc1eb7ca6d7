//! The secure shell between the hosts of one cluster, by which `mpirun` starts
//! programs on all of them.
//!
//! The images that bring a server for it bring keys of their own. What is made of
//! the host's own programs has the host's `sshd`, and gets from here what that one
//! needs: a key that all hosts of the cluster share and nobody else has, which is
//! root's and the hosts' own.

mod key_file;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;
use crate::runtime::Mount;

/// The directory of these files in the container's scratch directory.
const DIRECTORY: &str = "ssh";

/// Only whoever has the cluster's key gets in. PAM is there for the variables in
/// `/etc/environment`, which no other part of the server reads.
const SERVER: &str = "\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
PrintMotd no
Subsystem sftp internal-sftp
";
const SESSIONS: &str = "\
auth     required pam_deny.so
account  required pam_permit.so
password required pam_deny.so
session  optional pam_env.so readenv=1 conffile=/dev/null
session  required pam_permit.so
";
/// Hosts go by other names too, such as their addresses.
const CLIENT: &str = "Host *\n  StrictHostKeyChecking no\n  LogLevel ERROR\n";

/// The seed of the key pair that the hosts of one cluster share.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterKey([u8; 32]);

impl std::fmt::Debug for ClusterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterKey").finish_non_exhaustive()
    }
}

/// A file to write: its directory, its name, its mode and its text.
type File<'a> = (&'a str, &'a str, u32, &'a str);

impl ClusterKey {
    /// The key pair that follows from a seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// Writes the files of a host, and answers the mounts that show them to its
    /// container.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn install(&self, scratch: &Path, cluster: &Cluster) -> io::Result<Vec<Mount>> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.0)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let public = key_file::public_line(pair.public_key().as_ref());
        let private = key_file::private_file(&self.0, pair.public_key().as_ref());
        let known_hosts = known_hosts(cluster, &public);
        let files: [File; 8] = [
            ("root", "id_ed25519", 0o600, &private),
            ("root", "id_ed25519.pub", 0o644, &public),
            ("root", "authorized_keys", 0o600, &public),
            ("root", "known_hosts", 0o600, &known_hosts),
            ("root", "config", 0o600, CLIENT),
            ("server", "ssh_host_ed25519_key", 0o600, &private),
            ("server", "sshd_config", 0o644, SERVER),
            ("sessions", "sshd", 0o644, SESSIONS),
        ];
        let directory = scratch.join(DIRECTORY);
        let targets = [
            ("root", 0o700, "/root/.ssh"),
            ("server", 0o755, "/etc/ssh"),
            ("sessions", 0o755, "/etc/pam.d"),
        ];
        for (name, mode, _) in targets {
            make_directory(&directory.join(name), mode)?;
        }
        for (place, name, mode, text) in files {
            write(&directory.join(place).join(name), mode, text)?;
        }
        let mount = |(name, _, target): (&str, u32, &str)| Mount {
            source: directory.join(name),
            target: target.into(),
            read_only: false,
        };
        Ok(targets.map(mount).into())
    }
}

/// The line by which a host knows its peers and itself.
fn known_hosts(cluster: &Cluster, public: &str) -> String {
    let names: Vec<_> = cluster
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    format!("{} {public}", names.join(","))
}

/// Makes a directory with this mode whatever the mask is: the server trusts no
/// files that others could write.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(path)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_files_that_nobody_else_can_read() {
        let scratch = tempfile::tempdir().unwrap();
        let plan = crate::plan::sample::plan(2, 0);
        let key = ClusterKey::new([7; 32]);
        for _ in 0..2 {
            let mounts = key.install(scratch.path(), &plan.cluster).unwrap();
            let targets: Vec<_> = mounts.iter().map(|mount| mount.target.clone()).collect();
            assert_eq!(
                targets,
                ["/root/.ssh", "/etc/ssh", "/etc/pam.d"].map(std::path::PathBuf::from)
            );
        }
        let file = scratch.path().join("ssh/root/id_ed25519");
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let known = fs::read_to_string(scratch.path().join("ssh/root/known_hosts")).unwrap();
        assert!(known.starts_with("algo-1,algo-2 ssh-ed25519 "), "{known}");
        assert_eq!(format!("{key:?}"), "ClusterKey { .. }");
    }
}
