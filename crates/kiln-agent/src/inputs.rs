//! A job's inputs on their way to its container: every channel is listed,
//! ordered and cut to this host's share, and then presented in its mode.
//!
//! Files are fetched before the work starts. Pipes and file systems are made
//! before it starts, and served while it runs.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use futures::future::try_join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kiln_data::catalogue::Catalogue;
use kiln_data::channel::{Channel, Mode};
use kiln_data::fastfile::{self, Mounted};
use kiln_data::pipe::{self, Fifos};
use kiln_data::{DataError, Objects, file};

use crate::failure;
use crate::opt_ml::OptMl;
use crate::plan::{DirectoryPlan, FastFile, InstancePlan};
use crate::runtime::{Mount, SharedDirectory};

/// The inputs of a job, ready for its container.
pub(crate) struct Inputs {
    piped: Vec<Piped>,
    mounted: Arc<Vec<Mounted>>,
    read_only: Vec<Mount>,
    shared: Vec<SharedDirectory>,
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
        let mut all_shared = Vec::new();
        for directory in &plan.directories {
            all_shared.push(shared(directory, opt_ml)?);
        }
        let (mut piped, mut mounted, mut read_only) = (Vec::new(), Vec::new(), Vec::new());
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
                Ready::ReadOnlyFiles(mount) => read_only.push(mount),
                Ready::Pipe(pipe) => piped.push(pipe),
                Ready::FileSystem(file_system) => mounted.push(file_system),
            }
        }
        Ok(Self {
            piped,
            mounted: Arc::new(mounted),
            read_only,
            shared: all_shared,
        })
    }

    /// Channels that were fetched and that the work must not change.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.read_only.clone()
    }

    /// Channels that are directories of shared file systems.
    pub(crate) fn shared(&self) -> Vec<SharedDirectory> {
        self.shared.clone()
    }

    /// Serves pipes and file systems for as long as it is polled, and tells the
    /// reason, in the cloud's words, when one of them cannot go on. The others do
    /// until the work has ended: a reader could not tell a pipe that broke off
    /// from one that is complete.
    pub(crate) async fn serve(&mut self, objects: &Objects, tell: impl Fn(String)) -> Infallible {
        let piped = self
            .piped
            .iter_mut()
            .map(|one| one.serve(objects).boxed_local());
        let mounted = self.mounted.iter().map(|one| failed(one).boxed_local());
        let mut all: FuturesUnordered<_> = piped.chain(mounted).collect();
        while let Some(reason) = all.next().await {
            tell(reason);
        }
        std::future::pending().await
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
            fast_file(
                plan.assignment.site.fast_file,
                objects,
                channel,
                catalogue,
                &directory,
            )
            .await
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

/// A directory that stands for a file system, which must be there.
fn shared(plan: &DirectoryPlan, opt_ml: &OptMl) -> Result<SharedDirectory, String> {
    let shared = SharedDirectory {
        root: plan.root.clone(),
        path: plan.path.clone(),
        target: OptMl::channel_inside(&plan.name),
        read_only: plan.read_only,
    };
    shared.open().map_err(|error| {
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
    Ok(shared)
}
