//! The job's `/opt/ml`: directories on the data volume, bound into the container.
//!
//! Sub-directories are bound, not `/opt/ml` as a whole, so that an image keeps
//! what it brings there itself, such as `/opt/ml/code`.

use std::io;
use std::path::{Path, PathBuf};

use kiln_data::mirror::Local;

use crate::plan::InstancePlan;
use crate::runtime::Mount;

/// Its name in the instance's directory.
pub(crate) const ROOT: &str = "ml";
/// Where the container sees the directory that its warm pool keeps.
pub(crate) const WARM_POOL_CACHE: &str = "/opt/ml/sagemaker/warmpoolcache";
/// Where a processing container sees its configuration files.
const PROCESSING_CONFIG: &str = "/opt/ml/config";
/// Where the container sees it all.
const INSIDE: &str = "/opt/ml";
/// The directories that exist when the work starts, as the cloud makes them.
const DIRECTORIES: [&str; 8] = [
    "input/config",
    "input/data",
    "model",
    "output/data",
    "output/metrics/sagemaker",
    "output/profiler",
    "output/tensorboard",
    "checkpoints",
];
const BOUND: [&str; 4] = ["input", "model", "output", "checkpoints"];

/// The host's side of an instance's `/opt/ml`.
#[derive(Debug, Clone)]
pub struct OptMl {
    root: PathBuf,
}

impl OptMl {
    /// That of the instance whose directory this is, whether or not it exists.
    #[must_use]
    pub fn of(instance: &Path) -> Self {
        Self {
            root: instance.join(ROOT),
        }
    }

    /// Makes the directories inside the instance's directory.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn create(instance: &Path) -> io::Result<Self> {
        let made = Self::of(instance);
        for directory in DIRECTORIES {
            std::fs::create_dir_all(made.root.join(directory))?;
        }
        Ok(made)
    }

    /// Writes the configuration files. `interface` is the network interface's
    /// true name, which only the container's network knows.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write_config(&self, plan: &InstancePlan, interface: &str) -> io::Result<()> {
        for (name, content) in &plan.config {
            let mut content = content.clone();
            if let Some(known) = content.get_mut("network_interface_name") {
                *known = interface.into();
            }
            let path = self.root.join("input/config").join(name);
            std::fs::write(path, serde_json::to_vec(&content)?)?;
        }
        Ok(())
    }

    /// Where channels lie.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root.join("input/data")
    }

    /// Where the container sees a channel.
    #[must_use]
    pub fn channel_inside(name: &str) -> PathBuf {
        Path::new(INSIDE).join("input/data").join(name)
    }

    /// The host's side of a directory that the container sees at `path`, and a
    /// mount for it when it does not lie in what is bound anyway. `number` tells
    /// such directories apart.
    #[must_use]
    pub fn kept(&self, path: &Path, number: usize) -> (Local, Option<Mount>) {
        let inside = path.strip_prefix(INSIDE).ok();
        let bound = inside.filter(|below| BOUND.iter().any(|name| below.starts_with(name)));
        if let Some(below) = bound {
            return (Local::new(&self.root, below), None);
        }
        let below = Path::new("kept").join(number.to_string());
        let mount = Mount {
            source: self.root.join(&below),
            target: path.to_owned(),
            read_only: false,
        };
        (Local::new(&self.root, &below), Some(mount))
    }

    /// A channel's directory, and the manifest beside it.
    #[must_use]
    pub fn channel(&self, name: &str) -> (PathBuf, PathBuf) {
        let data = self.data();
        (data.join(name), data.join(format!("{name}-manifest")))
    }

    /// What becomes `model.tar.gz`.
    #[must_use]
    pub fn model(&self) -> PathBuf {
        self.root.join("model")
    }

    /// What becomes `output.tar.gz`.
    #[must_use]
    pub fn output_data(&self) -> PathBuf {
        self.root.join("output/data")
    }

    /// Where the work may leave its reason for failing.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.root.join("output")
    }

    /// The bind that shows the configuration files where a processing container
    /// looks for them.
    #[must_use]
    pub fn processing_config(&self) -> Mount {
        Mount {
            source: self.root.join("input/config"),
            target: PROCESSING_CONFIG.into(),
            read_only: true,
        }
    }

    /// The binds that show it to the container.
    #[must_use]
    pub fn mounts(&self) -> Vec<Mount> {
        let mount = |name: &str| Mount {
            source: self.root.join(name),
            target: Path::new(INSIDE).join(name),
            read_only: false,
        };
        BOUND.iter().map(|name| mount(name)).collect()
    }
}
