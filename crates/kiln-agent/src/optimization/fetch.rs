//! Fetches what the steps work on: the model, and what they calibrate with.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln_compile::archive::Limits;
use kiln_data::Objects;
use kiln_data::catalogue::{Catalogue, Entry};
use kiln_data::channel::{Channel, Mode, Shard, Source};
use kiln_data::file::{self, Arrived};
use nix::sys::statvfs::statvfs;

use super::failure;
use super::workplace::Workplace;
use crate::failure::{internal, of_download};
use crate::one_object;
use crate::plan::{ModelPlan, ObjectPlan, OptimizationPlan, PrefixPlan};
use crate::report::Report;
use crate::solo;
use crate::spool::Spool;
use crate::volume::Size;

/// The lists of what is fetched, in the instance's directory.
const LISTS: &str = "lists";

/// How often it is said how much has arrived.
const TELLING: Duration = Duration::from_secs(5);

/// What it takes to fetch.
pub(super) struct Fetch<'a> {
    pub(super) plan: &'a OptimizationPlan,
    pub(super) objects: &'a Objects,
    pub(super) workplace: &'a Workplace,
    /// The instance's directory.
    pub(super) directory: &'a Path,
    pub(super) spool: &'a Spool,
}

/// Objects that become the files of a directory.
struct Listed {
    catalogue: Catalogue,
    channel: Channel,
    directory: PathBuf,
    bytes: u64,
}

impl Fetch<'_> {
    /// Fetches what the steps from this one on need.
    ///
    /// # Errors
    /// The reason.
    pub(super) async fn bring(&self, from: usize) -> Result<(), String> {
        let mut listed = Vec::new();
        let mut packed = 0;
        match &self.plan.model {
            _ if from > 0 => {}
            ModelPlan::Files(PrefixPlan { bucket, prefix }) => {
                let source = Source::Prefix {
                    bucket: bucket.clone(),
                    prefix: prefix.clone(),
                };
                listed.push(
                    self.list("model", &source, self.workplace.fetched())
                        .await?,
                );
            }
            ModelPlan::Archive(object) => packed = self.size(object).await?,
        }
        for (step, plan) in self.plan.steps.iter().enumerate().skip(from) {
            if let Some(source) = &plan.calibration {
                let directory = self.workplace.calibration(step);
                listed.push(self.list("calibration data", source, directory).await?);
            }
        }
        let bytes: u64 = listed.iter().map(|one| one.bytes).sum();
        // What is unpacked lies beside its archive for a while.
        self.expect_room(bytes.saturating_add(packed.saturating_mul(2)))?;
        let began = Instant::now();
        let arrived = Arrived::default();
        for one in &listed {
            let (from, to) = (&one.catalogue, &one.directory);
            let fetching = file::download_counted(self.objects, from, &one.channel, to, &arrived);
            tokio::select! {
                fetched = fetching => fetched.map_err(|error| of_download(&error))?,
                never = self.tell(&arrived, bytes) => match never? {},
            };
        }
        match &self.plan.model {
            ModelPlan::Archive(object) if from == 0 => self.unpack(object).await?,
            _ => {}
        }
        let seconds = began.elapsed().as_secs_f64();
        self.say(format!(
            "Kiln: fetched {} in {seconds:.1} s",
            Size(bytes.saturating_add(packed))
        ))
    }

    /// Says how much has arrived, now and then, for as long as it is polled.
    async fn tell(&self, arrived: &Arrived, all: u64) -> Result<Infallible, String> {
        let began = (Instant::now(), arrived.bytes());
        loop {
            tokio::time::sleep(TELLING).await;
            let bytes = arrived.bytes();
            let seconds = began.0.elapsed().as_secs_f64();
            let rate = (bytes - began.1) as f64 / seconds.max(1.0);
            let percent = (bytes.saturating_mul(100) / all.max(1)).min(100);
            self.say(format!(
                "Kiln: fetched {} ({percent} %, {} per second)",
                Size(bytes),
                Size(rate as u64)
            ))?;
        }
    }

    /// Lists what there is of a source, and says so.
    async fn list(
        &self,
        what: &str,
        source: &Source,
        directory: PathBuf,
    ) -> Result<Listed, String> {
        let lists = self.directory.join(LISTS);
        std::fs::create_dir_all(&lists).map_err(|error| internal(&error))?;
        let name = directory.file_name().unwrap_or_default();
        let list = Catalogue::list(self.objects, source, &lists.join(name)).await;
        let catalogue = list.map_err(|error| of_download(&error))?;
        if catalogue.is_empty() {
            return Err(failure::of_empty(what, &uri(source)));
        }
        let bytes = sum(&catalogue).map_err(|error| of_download(&error))?;
        self.say(format!(
            "Kiln: fetching the {what} from {}: {} objects, {}",
            uri(source),
            catalogue.len(),
            Size(bytes)
        ))?;
        let channel = Channel {
            name: name.to_string_lossy().into_owned(),
            source: source.clone(),
            shard: Shard::WHOLE,
            shuffle: None,
            mode: Mode::File,
        };
        Ok(Listed {
            catalogue,
            channel,
            directory,
            bytes,
        })
    }

    async fn size(&self, object: &ObjectPlan) -> Result<u64, String> {
        let ObjectPlan { bucket, key } = object;
        let head = self.objects.head(bucket, key).await;
        let head = head.map_err(|error| of_download(&error.fetching(bucket, key)))?;
        Ok(head.size.unwrap_or(0))
    }

    /// Fetches an archive, and unpacks it, as far as the disk holds it.
    async fn unpack(&self, object: &ObjectPlan) -> Result<(), String> {
        let ObjectPlan { bucket, key } = object;
        self.say(format!("Kiln: fetching the model from s3://{bucket}/{key}"))?;
        let (archive, into) = (self.workplace.archive(), self.workplace.fetched());
        let room = self.room()?;
        let fetched = one_object::fetch(self.objects, object, &archive, room).await;
        fetched.map_err(|error| of_download(&error.fetching(bucket, key)))?;
        let limits = Limits {
            bytes: room,
            ..Limits::default()
        };
        let unpacked = tokio::task::spawn_blocking(move || {
            std::fs::create_dir(&into).map_err(|error| internal(&error))?;
            solo::unpack(&archive, &into, &limits)
        });
        unpacked.await.map_err(|error| internal(&error))?
    }

    fn expect_room(&self, needed: u64) -> Result<(), String> {
        let left = self.room()?;
        if needed > left {
            return Err(failure::of_room(needed, left));
        }
        Ok(())
    }

    /// What the disk has left.
    fn room(&self) -> Result<u64, String> {
        let disk = statvfs(self.directory).map_err(|error| internal(&error))?;
        Ok(disk.blocks_available() * disk.fragment_size())
    }

    fn say(&self, line: String) -> Result<(), String> {
        let said = self.spool.append([Report::Log(line)]);
        said.map_err(|error| internal(&error))
    }
}

/// Where a source is.
fn uri(source: &Source) -> String {
    let (bucket, key) = match source {
        Source::Prefix { bucket, prefix } => (bucket, prefix),
        Source::Manifest { bucket, key } | Source::AugmentedManifest { bucket, key, .. } => {
            (bucket, key)
        }
    };
    format!("s3://{bucket}/{key}")
}

/// The bytes of all objects of a listing, as far as it says.
fn sum(catalogue: &Catalogue) -> Result<u64, kiln_data::DataError> {
    let mut bytes = 0_u64;
    for entry in catalogue.turn(Shard::WHOLE, None, 0) {
        if let Entry::Object(object) = entry? {
            bytes = bytes.saturating_add(object.size.unwrap_or(0));
        }
    }
    Ok(bytes)
}
