//! The root file system of a container, assembled in the shim's private mount
//! namespace, so that nothing of it outlives the container but plain files in
//! the instance's scratch directory.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::protocol::{Refusal, ShimSpec};
use crate::runtime::{Mount, Root};

/// The directories of the host that make up its programs. On most machines all
/// but the first are links into it.
const SYSTEM: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

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

/// The directories of a fresh system root, with their modes.
const SKELETON: [(&str, u32); 18] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("opt/ml", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

/// The users and groups of a system root.
const ACCOUNTS: [(&str, &str); 3] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\ndaemon:x:1:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"),
];

/// A root file system, ready to be entered.
#[derive(Debug)]
pub struct Rootfs {
    /// Where it is.
    pub path: PathBuf,
    /// What is mounted into it besides the job's own directories.
    pub mounts: Vec<Mount>,
}

/// The names in the scratch directory that [`assemble`] uses.
pub const SCRATCH_NAMES: [&str; 4] = ["rootfs", "upper", "work", "etc"];

/// Assembles the root file system of a container in its scratch directory.
///
/// # Errors
/// When the image is unusable or the machine refuses a mount.
pub fn assemble(spec: &ShimSpec) -> Result<Rootfs, Refusal> {
    let scratch = &spec.container.scratch;
    let path = scratch.join("rootfs");
    make_directory(&path, 0o755).map_err(|error| failed("making the root directory", &error))?;
    let mut mounts = match &spec.container.image.root {
        Root::System { visible } => system(&path, visible)?,
        Root::Directory(image) => layered(&path, image, scratch)?,
        Root::Engine(name) => {
            return Err(Refusal::Image(format!("{name} needs a container engine")));
        }
    };
    mounts.extend(own_etc(spec).map_err(|error| failed("writing the container's /etc", &error))?);
    Ok(Rootfs { path, mounts })
}

/// A root made of the host's own programs.
fn system(path: &Path, visible: &[PathBuf]) -> Result<Vec<Mount>, Refusal> {
    // Bound to itself so that device nodes mean nothing in it.
    let flags = MsFlags::MS_BIND;
    mount(Some(path), path, None::<&str>, flags, None::<&str>)
        .and_then(|()| {
            let flags = flags | MsFlags::MS_REMOUNT | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
            mount(None::<&str>, path, None::<&str>, flags, None::<&str>)
        })
        .map_err(|error| failed("binding the root directory", &error))?;
    write_skeleton(path).map_err(|error| failed("writing the root directory", &error))?;
    let mut mounts = Vec::new();
    for directory in SYSTEM.map(Path::new) {
        match fs::symlink_metadata(directory) {
            Ok(found) if found.is_symlink() => copy_link(directory, path)
                .map_err(|error| failed("copying a link of the system", &error))?,
            Ok(found) if found.is_dir() => mounts.push(same_place(directory)),
            _ => {}
        }
    }
    let shared = SHARED_ETC.iter().map(Path::new).filter(|path| path.exists());
    mounts.extend(shared.map(same_place));
    mounts.extend(visible.iter().map(|path| same_place(path)));
    Ok(mounts)
}

fn write_skeleton(root: &Path) -> io::Result<()> {
    for (name, mode) in SKELETON {
        make_directory(&root.join(name), mode)?;
    }
    for (name, text) in ACCOUNTS {
        fs::write(root.join(name), text)?;
    }
    for (name, target) in [("var/run", "/run"), ("etc/mtab", "/proc/self/mounts")] {
        symlink(target, root.join(name))?;
    }
    let local_time = Path::new("/etc/localtime");
    if local_time.is_symlink() {
        copy_link(local_time, root)?;
    }
    Ok(())
}

fn copy_link(link: &Path, root: &Path) -> io::Result<()> {
    let inside = link.strip_prefix("/").unwrap_or(link);
    symlink(fs::read_link(link)?, root.join(inside))
}

fn same_place(path: &Path) -> Mount {
    Mount { source: path.to_owned(), target: path.to_owned(), read_only: true }
}

/// An unpacked image under a writable layer of its own.
fn layered(path: &Path, image: &Path, scratch: &Path) -> Result<Vec<Mount>, Refusal> {
    let lower = fs::File::open(image)
        .map_err(|error| Refusal::Image(format!("{}: {error}", image.display())))?;
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    for directory in [&upper, &work] {
        make_directory(directory, 0o755)
            .map_err(|error| failed("making the writable layer", &error))?;
    }
    let layer = fs::File::open(&upper).and_then(|upper| Ok((upper, fs::File::open(&work)?)));
    let (upper, work) = layer.map_err(|error| failed("opening the writable layer", &error))?;
    // Descriptors instead of paths: a path may hold the characters by which the
    // kernel separates options. The layer dies with the container, so the kernel
    // need not make it durable.
    let options = format!(
        "lowerdir={},upperdir={},workdir={},volatile",
        descriptor_path(&lower),
        descriptor_path(&upper),
        descriptor_path(&work)
    );
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    mount(Some("overlay"), path, Some("overlay"), flags, Some(options.as_str()))
        .map_err(|error| failed("laying a writable layer over the image", &error))?;
    Ok(Vec::new())
}

fn descriptor_path(file: &fs::File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// The files of `/etc` that belong to this one container, whatever its image.
fn own_etc(spec: &ShimSpec) -> io::Result<Vec<Mount>> {
    let directory = spec.container.scratch.join("etc");
    make_directory(&directory, 0o755)?;
    let hostname = &spec.container.hostname;
    let files = [
        ("hostname", format!("{hostname}\n")),
        ("hosts", hosts_file(spec.address, hostname, &spec.container.hosts)),
        ("resolv.conf", resolver_file(&spec.resolvers)),
    ];
    let mut mounts = Vec::new();
    for (name, text) in files {
        let source = directory.join(name);
        fs::write(&source, text)?;
        mounts.push(Mount { source, target: Path::new("/etc").join(name), read_only: false });
    }
    Ok(mounts)
}

fn hosts_file(address: IpAddr, hostname: &str, others: &[String]) -> String {
    let mut names = vec![hostname];
    names.extend(others.iter().map(String::as_str).filter(|name| *name != hostname));
    format!(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n{address} {}\n",
        names.join(" ")
    )
}

fn resolver_file(resolvers: &[IpAddr]) -> String {
    resolvers.iter().map(|address| format!("nameserver {address}\n")).collect()
}

/// Makes a directory with exactly this mode, whatever the process's mask.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().mode(mode).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn failed(doing: &str, error: &dyn std::error::Error) -> Refusal {
    Refusal::machine(doing, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_container_resolves_to_its_address() {
        let address = "10.0.0.2".parse().unwrap();
        let others = ["algo-1".to_owned(), "algo-1.local".to_owned()];
        let text = hosts_file(address, "algo-1", &others);
        assert_eq!(text.lines().last(), Some("10.0.0.2 algo-1 algo-1.local"));
    }

    #[test]
    fn name_servers_are_listed_one_to_a_line() {
        let resolvers = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        assert_eq!(resolver_file(&resolvers), "nameserver 10.0.0.1\nnameserver fd00::1\n");
        assert_eq!(resolver_file(&[]), "");
    }
}
