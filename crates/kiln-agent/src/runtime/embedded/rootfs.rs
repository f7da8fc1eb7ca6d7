//! The root file system of a container, assembled in the shim's private mount
//! namespace, so that nothing of it outlives the container but plain files in
//! the instance's scratch directory.

mod etc;
mod system;

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, umask};

use super::protocol::{Refusal, ShimSpec};
use crate::gpu::Driver;
use crate::runtime::{Mount, Root};

/// A root file system, ready to be entered.
#[derive(Debug)]
pub struct Rootfs {
    /// Where it is.
    pub path: PathBuf,
    /// What is to be mounted into it besides the job's own directories.
    pub mounts: Vec<Mount>,
}

/// The names in the scratch directory that [`assemble`] uses.
pub const SCRATCH_NAMES: [&str; 4] = ["rootfs", "upper", "work", "etc"];

/// Assembles the root file system of a container in its scratch directory.
///
/// # Errors
/// When the image is unusable or the machine refuses a mount.
pub fn assemble(spec: &ShimSpec) -> Result<Rootfs, Refusal> {
    // The agent's own mask is of no concern to the container.
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    let scratch = &spec.container.scratch;
    let path = scratch.join("rootfs");
    let making = |error: io::Error| Refusal::machine("making the root file system", &error);
    make_directory(&path, 0o755).map_err(making)?;
    let driver = driver(spec);
    let mounts = match &spec.container.image.root {
        Root::System { visible } => {
            let visible = [visible.clone(), driver.files()].concat();
            system::assemble(&path, &visible).map_err(making)?;
            etc::write_own_files(spec, &path.join("etc")).map_err(making)?;
            Vec::new()
        }
        Root::Directory(image) => {
            layer(&path, image, scratch)?;
            let own = etc::mount_own_files(spec, &scratch.join("etc")).map_err(making)?;
            [own, driver.mounts()].concat()
        }
        Root::Engine(name) => {
            return Err(Refusal::Image(format!("{name} needs a container engine")));
        }
    };
    Ok(Rootfs { path, mounts })
}

/// The GPU driver's files, for a container that has GPUs.
fn driver(spec: &ShimSpec) -> Driver {
    if spec.container.gpus.is_empty() {
        return Driver::default();
    }
    Driver::installed(Path::new("/"))
}

/// An unpacked image under a writable layer of its own.
fn layer(path: &Path, image: &Path, scratch: &Path) -> Result<(), Refusal> {
    let lower = File::open(image)
        .map_err(|error| Refusal::Image(format!("{}: {error}", image.display())))?;
    let open_new = |name: &str| {
        let directory = scratch.join(name);
        make_directory(&directory, 0o755).and_then(|()| File::open(directory))
    };
    let (upper, work) = open_new("upper")
        .and_then(|upper| Ok((upper, open_new("work")?)))
        .map_err(|error| Refusal::machine("making the writable layer", &error))?;
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
    mount(
        Some("overlay"),
        path,
        Some("overlay"),
        flags,
        Some(options.as_str()),
    )
    .map_err(|error| Refusal::machine("laying a writable layer over the image", &error))
}

fn descriptor_path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Makes a directory with this mode, also where the mask would forbid it.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().mode(mode).create(path)?;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
