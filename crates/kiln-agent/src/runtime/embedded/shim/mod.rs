//! The process that stands between an agent and one container: it assembles the
//! container, starts it, and watches it to its end.
//!
//! It is the same program as the agent, executed anew for every container,
//! because starting a container changes the whole process: its mount and network
//! namespaces, its working directory, its capabilities. It has one thread.
//!
//! ```text
//! agent ──spawns──▶ shim ──creates──▶ init (pid 1) ──forks──▶ the job's command
//!   ▲ reports ◀── socket ──▶ signals │    │ exit status ◀── pipe ─┘
//!   └── closes: the shim kills ──────┘    └── dies with the shim
//! ```

mod agent_link;
mod command;
mod diagnostics;
mod family;
mod guest;
mod init;

use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::ExitCode;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{Resource, getrlimit};

use super::bundle::{Surroundings, runtime_specification};
use super::cgroup::{self, ContainerGroup};
use super::mounts::attach_directory;
use super::protocol::{Refusal, Report, ShimSpec};
use super::rootfs;
use super::tolerance::Safeguard;
use crate::gpu;
use crate::runtime::{Exit, Mount};
use agent_link::AgentLink;
use guest::Guest;

/// The libcontainer state and the bundle, in the scratch directory.
pub(super) const SCRATCH_NAMES: [&str; 2] = ["state", "bundle"];
/// Where shared directories are attached, in the scratch directory; only this
/// process and its container see them there.
pub(super) const SHARED: &str = "shared";

/// Runs one container from its specification to its end. The standard input is
/// the socket to the agent, the standard output is the container's output.
#[must_use]
pub fn main(spec_path: &Path) -> ExitCode {
    let Ok((link, output)) = AgentLink::from_standard_streams() else {
        return ExitCode::FAILURE;
    };
    let report = match run(spec_path, &link, output) {
        Ok(exit) => Report::Ended(exit),
        Err(refusal) => Report::Refused(refusal),
    };
    match link.send(&report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(spec_path: &Path, link: &AgentLink, output: OwnedFd) -> Result<Exit, Refusal> {
    let mut spec = ShimSpec::read(spec_path)
        .map_err(|error| Refusal::machine("reading the shim's specification", &error))?;
    enter_namespaces(&spec)
        .map_err(|error| Refusal::machine("entering the container's namespaces", &error))?;
    attach_shared(&mut spec)
        .map_err(|error| Refusal::machine("mounting a shared file system", &error))?;
    let group = group_of(&spec)?;
    write_bundle(&spec, &group)?;
    let outcome = run_in_group(&spec, &group, link, output);
    if let Err(error) = group.destroy() {
        // How it ended is known all the same, and the agent tries again.
        eprintln!("kiln: a container's control groups are left: {error}");
    }
    outcome
}

/// Attaches shared directories in a place of the container's own, from where they
/// are mounted by name: there, nobody can swap what the name means.
fn attach_shared(spec: &mut ShimSpec) -> std::io::Result<()> {
    let container = &mut spec.container;
    for (number, shared) in container.shared.drain(..).enumerate() {
        let place = container.scratch.join(SHARED).join(number.to_string());
        std::fs::create_dir_all(&place)?;
        attach_directory(&shared.open()?, &place)?;
        container.mounts.push(Mount {
            source: place,
            target: shared.target,
            read_only: shared.read_only,
        });
    }
    Ok(())
}

/// The container's control groups, if they can enforce all limits or the lack of
/// some is allowed.
fn group_of(spec: &ShimSpec) -> Result<ContainerGroup, Refusal> {
    let id = &spec.container.id;
    let looking = |error| Refusal::machine("looking for control groups", &error);
    let group = ContainerGroup::prepared(id).map_err(looking)?;
    let missing = group.enforced().missing();
    if missing.is_empty() {
        return Ok(group);
    }
    let why = format!("its control groups cannot limit {}", missing.join(", "));
    spec.tolerance
        .pass(Safeguard::Limits, &why)
        .map_err(Refusal::Machine)?;
    cgroup::hide_unusable()
        .map_err(|error| Refusal::machine("hiding control groups that cannot be used", &error))?;
    ContainerGroup::of(id).map_err(looking)
}

fn run_in_group(
    spec: &ShimSpec,
    group: &ContainerGroup,
    link: &AgentLink,
    output: OwnedFd,
) -> Result<Exit, Refusal> {
    let mut guest = Guest::create(spec, output)?;
    let limited = group
        .forbid_swap()
        .map_err(|error| Refusal::machine("forbidding swap", &error))
        .and_then(|()| {
            let limits = &spec.container.limits;
            group.verify(limits).map_err(Refusal::Machine)
        });
    if let Err(refusal) = limited.and_then(|()| guest.start()) {
        guest.kill();
        return Err(refusal);
    }
    // An agent that is gone already is noticed by the loop that follows.
    let _ = link.send(&Report::Running);
    guest.watch(link, group)
}

/// Leaves the host's network and takes the mount table private, so that every
/// mount made from here on vanishes with this process and its container.
fn enter_namespaces(spec: &ShimSpec) -> nix::Result<()> {
    // SAFETY: the agent passed this descriptor on, and nothing else in this
    // process knows of it.
    let network = unsafe { OwnedFd::from_raw_fd(spec.network_namespace) };
    setns(&network, CloneFlags::CLONE_NEWNET)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )
}

/// Assembles the root file system and writes the bundle that describes it.
fn write_bundle(spec: &ShimSpec, group: &ContainerGroup) -> Result<(), Refusal> {
    let root = rootfs::assemble(spec)?;
    let devices = gpu::devices(Path::new("/"), &spec.container.gpus)
        .map_err(|error| Refusal::machine("looking for the container's GPUs", &error))?;
    let (_, open_files) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| Refusal::machine("reading the limit of open files", &error))?;
    let surroundings = Surroundings {
        rootfs: root.path,
        system_mounts: root.mounts,
        devices,
        cgroup_path: group.path(),
        enforced: group.enforced(),
        cgroups: group.visible(),
        open_files,
    };
    let text = runtime_specification(&spec.container, &surroundings).to_string();
    let [state, bundle] = SCRATCH_NAMES.map(|name| spec.container.scratch.join(name));
    std::fs::create_dir(&state)
        .and_then(|()| std::fs::create_dir(&bundle))
        .and_then(|()| std::fs::write(bundle.join("config.json"), text))
        .map_err(|error| Refusal::machine("writing the container's bundle", &error))
}
