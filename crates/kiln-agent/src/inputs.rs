//! A job's inputs on their way to its container: every channel is listed,
//! ordered and cut to this host's share, and then presented in its mode.
//!
//! Files are fetched before the work starts. Pipes and file systems are made
//! before it starts, and served while it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{select_all, try_join_all};
use kiln_data::catalogue::Catalogue;
use kiln_data::channel::{Channel, Mode};
use kiln_data::fastfile::{self, Mounted};
use kiln_data::pipe::{self, Fifos};
use kiln_data::{DataError, Objects, file};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use crate::failure;
use crate::opt_ml::OptMl;
use crate::plan::{DirectoryPlan, FastFile, InstancePlan};
use crate::runtime::Mount;

/// The inputs of a job, ready for its container.
pub(crate) struct Inputs {
    piped: Vec<Piped>,
    mounted: Arc<Vec<Mounted>>,
    directories: Vec<Mount>,
}

/// A channel in Pipe mode.
struct Piped {
    channel: Channel,
    catalogue: Catalogue,
    fifos: Fifos,
}

/// What a channel needs before the work may start.
enum Ready {
    Files,
    ReadOnlyFiles(Mount),
    Pipe(Piped),
    FileSystem(Mounted),
}

impl Inputs {
    /// Brings everything into place. `lists` is a directory of the agent's own,
    /// for the lists of the channels.
    ///
    /// # Errors
    /// The reason, in the cloud's words.
    pub(crate) async fn prepare(
        plan: &InstancePlan,
        objects: &Objects,
        opt_ml: &OptMl,
        lists: &Path,
    ) -> Result<Self, String> {
        let mut directories = Vec::new();
        for directory in &plan.directories {
            directories.push(mount(directory, opt_ml)?);
        }
        let (mut piped, mut mounted) = (Vec::new(), Vec::new());
        std::fs::create_dir_all(lists).map_err(|error| failure::internal(&error))?;
        let listed = try_join_all(plan.channels.iter().map(|channel| async move {
            let list = lists.join(&channel.name);
            Catalogue::list(objects, &channel.source, &list).await
        }))
        .await
        .map_err(|error| failure::of_download(&error))?;
        for (channel, catalogue) in plan.channels.iter().zip(listed) {
            let ready = present(plan, objects, channel, catalogue, opt_ml).await;
            match ready.map_err(|error| failure::of_download(&error))? {
                Ready::Files => {}
                Ready::ReadOnlyFiles(mount) => directories.push(mount),
                Ready::Pipe(pipe) => piped.push(pipe),
                Ready::FileSystem(file_system) => mounted.push(file_system),
            }
        }
        Ok(Self {
            piped,
            mounted: Arc::new(mounted),
            directories,
        })
    }

    /// The directories of this host that are channels.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.directories.clone()
    }

    /// Serves pipes and file systems for as long as it is polled. It returns
    /// only when that cannot go on, with the reason in the cloud's words. What
    /// was served must be kept until the work has ended: a reader could not
    /// tell a pipe that broke off from one that is complete.
    pub(crate) async fn serve(&mut self, objects: &Objects) -> String {
        let piped = self
            .piped
            .iter_mut()
            .map(|one| one.serve(objects).boxed_local());
        let mounted = self.mounted.iter().map(|one| failed(one).boxed_local());
        let all: Vec<_> = piped.chain(mounted).collect();
        if all.is_empty() {
            return std::future::pending().await;
        }
        select_all(all).await.0
    }

    /// The file systems that are served.
    pub(crate) fn file_systems(&self) -> FileSystems {
        FileSystems(self.mounted.clone())
    }
}

/// The file systems that a job's channels are.
#[derive(Clone, Default)]
pub(crate) struct FileSystems(Arc<Vec<Mounted>>);

impl FileSystems {
    /// Ends them: a process that waits in a read of theirs could not be killed.
    pub(crate) fn close(&self) {
        self.0.iter().for_each(Mounted::unmount);
    }
}

impl Piped {
    async fn serve(&mut self, objects: &Objects) -> String {
        let served = pipe::serve(objects, &self.catalogue, &self.channel, &mut self.fifos);
        match served.await {
            Err(error) => failure::of_download(&error),
        }
    }
}

/// The reason why a file system could not serve a read, once there is one.
async fn failed(mounted: &Mounted) -> String {
    let mut failure = mounted.failure();
    let failed = failure.wait_for(Option::is_some).await;
    let error = failed.ok().and_then(|error| error.clone());
    match error {
        Some(error) => failure::of_download(&error),
        // Its threads have ended with the mount, when nobody reads any more.
        None => std::future::pending().await,
    }
}

async fn present(
    plan: &InstancePlan,
    objects: &Objects,
    channel: &Channel,
    catalogue: Catalogue,
    opt_ml: &OptMl,
) -> Result<Ready, DataError> {
    let (directory, manifest) = opt_ml.channel(&channel.name);
    match channel.mode {
        Mode::Pipe { .. } => Ok(Ready::Pipe(Piped {
            fifos: Fifos::create(&opt_ml.data(), &channel.name)?,
            channel: channel.clone(),
            catalogue,
        })),
        Mode::FastFile => {
            catalogue.write_manifest(&manifest).await?;
            fast_file(plan.fast_file, objects, channel, catalogue, &directory).await
        }
        Mode::File => {
            catalogue.write_manifest(&manifest).await?;
            file::download(objects, &catalogue, channel, &directory).await?;
            Ok(Ready::Files)
        }
    }
}

async fn fast_file(
    how: FastFile,
    objects: &Objects,
    channel: &Channel,
    catalogue: Catalogue,
    directory: &Path,
) -> Result<Ready, DataError> {
    std::fs::create_dir_all(directory).map_err(|source| DataError::Io {
        doing: "making a channel's directory".to_owned(),
        source,
    })?;
    if how == FastFile::Mount {
        let limits = fastfile::CacheLimits::default();
        let mounted = fastfile::mount(objects, &catalogue, channel, directory, limits);
        return Ok(Ready::FileSystem(mounted.await?));
    }
    fastfile::check(&catalogue, channel)?;
    file::download(objects, &catalogue, channel, directory).await?;
    Ok(Ready::ReadOnlyFiles(Mount {
        source: directory.to_owned(),
        target: OptMl::channel_inside(&channel.name),
        read_only: true,
    }))
}

/// The mount of a directory that stands for a file system.
fn mount(plan: &DirectoryPlan, opt_ml: &OptMl) -> Result<Mount, String> {
    let source = resolved(&plan.root, &plan.path).map_err(|error| {
        failure::client(format_args!(
            "Unable to mount the file system of channel '{}': {} in {}: {error}",
            plan.name,
            plan.path,
            plan.root.display()
        ))
    })?;
    // The place to mount it on lies in a directory that is bound itself.
    let (inside, _) = opt_ml.channel(&plan.name);
    std::fs::create_dir_all(inside).map_err(|error| failure::internal(&error))?;
    Ok(Mount {
        source,
        target: OptMl::channel_inside(&plan.name),
        read_only: plan.read_only,
    })
}

/// A directory below `root`. Links are followed as the file system's own users
/// see them, from its root and never out of it: a job may have written them.
fn resolved(root: &Path, path: &str) -> std::io::Result<PathBuf> {
    let root = std::fs::File::open(root)?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let directory = openat2(&root, path, how)?;
    let shown = format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&directory)
    );
    std::fs::read_link(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_s_links_do_not_lead_out_of_it() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("data/set");
        std::fs::create_dir_all(&inside).unwrap();
        std::os::unix::fs::symlink("/data/set", root.path().join("absolute")).unwrap();
        std::os::unix::fs::symlink("../../../../data", root.path().join("upwards")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("outside")).unwrap();
        let real = root.path().canonicalize().unwrap();
        let cases = [
            ("/", Some("")),
            ("/data/set", Some("data/set")),
            ("/absolute", Some("data/set")),
            ("/upwards/set", Some("data/set")),
            ("/outside", None),
            ("/absent", None),
        ];
        for (path, expected) in cases {
            let found = resolved(root.path(), path).ok();
            let expected = expected.map(|below| real.join(below));
            assert_eq!(
                found
                    .as_deref()
                    .map(Path::components)
                    .map(Iterator::collect::<Vec<_>>),
                expected
                    .as_deref()
                    .map(Path::components)
                    .map(Iterator::collect::<Vec<_>>),
                "{path}"
            );
        }
    }
}
