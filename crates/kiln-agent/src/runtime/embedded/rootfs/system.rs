//! A root made of the host's own programs: its system directories, read-only,
//! among private directories for everything else.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::make_directory;
use crate::runtime::embedded::mounts::ReadOnlyMount;

/// The directories of the host that make up its programs. On most machines all
/// but the first are links into it.
const PROGRAMS: [&str; 7] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
];

/// What programs need of the host's `/etc`; none of it tells who uses the host.
const SHARED_ETC: [&str; 14] = [
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/gai.conf",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/mime.types",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
];

/// The directories of a fresh root, with their modes.
const SKELETON: [(&str, u32); 15] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("opt/ml", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    // Where the part of `sshd` that listens to strangers is locked up.
    ("run/sshd", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/tmp", 0o1777),
];

/// The users and groups, and where they are looked for.
const ACCOUNTS: [(&str, &str); 3] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
         sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n",
    ),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    ),
];

/// Assembles the root in an empty directory. `visible` are further directories
/// of the host, seen read-only at their own paths.
///
/// # Errors
/// When a directory of the host is missing or the kernel refuses a mount.
pub fn assemble(root: &Path, visible: &[PathBuf]) -> io::Result<()> {
    bind_without_devices(root)?;
    write_skeleton(root)?;
    for directory in PROGRAMS.map(Path::new) {
        share_if_there(directory, root)?;
    }
    for path in SHARED_ETC
        .map(Path::new)
        .into_iter()
        .filter(|path| path.exists())
    {
        share(path, root)?;
    }
    share_if_there(Path::new("/etc/localtime"), root)?;
    let is_shared = |path: &&PathBuf| PROGRAMS.iter().any(|programs| path.starts_with(programs));
    visible
        .iter()
        .filter(|path| !is_shared(path))
        .try_for_each(|path| share(path, root))
}

/// Binds the root to itself, so that device nodes mean nothing in it.
fn bind_without_devices(root: &Path) -> io::Result<()> {
    mount(
        Some(root),
        root,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    Ok(mount(
        None::<&str>,
        root,
        None::<&str>,
        flags,
        None::<&str>,
    )?)
}

fn write_skeleton(root: &Path) -> io::Result<()> {
    for (name, mode) in SKELETON {
        make_directory(&root.join(name), mode)?;
    }
    // Many small files are made here for every container.
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    let options = Some("mode=755,size=16m");
    mount(
        Some("tmpfs"),
        &root.join("etc"),
        Some("tmpfs"),
        flags,
        options,
    )?;
    for (name, text) in ACCOUNTS {
        fs::write(root.join(name), text)?;
    }
    symlink("/run", root.join("var/run"))?;
    symlink("/proc/self/mounts", root.join("etc/mtab"))
}

/// Shares a path of the host; copies it when it is a link.
fn share_if_there(path: &Path, root: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => symlink(fs::read_link(path)?, inside(path, root)),
        Ok(_) => share(path, root),
        Err(_) => Ok(()),
    }
}

/// Shows a file or directory of the host at its own path, read-only.
fn share(path: &Path, root: &Path) -> io::Result<()> {
    let explain = |error: io::Error| {
        io::Error::new(error.kind(), format!("showing {}: {error}", path.display()))
    };
    let target = inside(path, root);
    make_target(path, &target)
        .and_then(|()| ReadOnlyMount::of(path)?.attach(&target))
        .map_err(explain)
}

fn make_target(path: &Path, target: &Path) -> io::Result<()> {
    if path.is_dir() {
        return make_all(target);
    }
    if let Some(parent) = target.parent() {
        make_all(parent)?;
    }
    File::create(target).map(drop)
}

/// Makes a directory and those above it, with the usual mode.
fn make_all(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
}

fn inside(path: &Path, root: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
