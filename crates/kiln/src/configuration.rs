//! What a person can configure: command-line options, and `kiln.toml` in the
//! data directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kiln_agent::image::table::Entry;
use kiln_agent::plan::FastFile;
use kiln_agent::runtime::embedded::Tolerance;
use kiln_compile::target::needs_vendor;
use kiln_engine::Fitting;
use kiln_jobs::FileSystem;
use kiln_server::Webhook;
use serde::Deserialize;

use crate::external_s3::S3Table;
use crate::machine::InstanceType;

/// The file's name in the data directory.
const FILE: &str = "kiln.toml";

/// The contents of `kiln.toml`. Everything has a default; what is misspelt is
/// refused.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// `[[image]]`: names, or patterns with `*`, and what they stand for.
    pub image: Vec<Entry>,
    /// `[[file_system]]`: ids of file systems, and the directories that stand
    /// for them.
    pub file_system: Vec<FileSystem>,
    /// `fast_file = "download"`: FastFile channels are fetched whole, on a
    /// machine without FUSE.
    pub fast_file: FastFile,
    /// `[s3]`: another S3 for all objects.
    pub s3: S3Table,
    /// `[compilation]`: what compilation jobs have beside Kiln itself.
    pub compilation: CompilationTable,
    /// `[optimization]`: what optimization jobs have beside Kiln itself.
    pub optimization: OptimizationTable,
    /// `[webhook]`: where the changes of jobs are told.
    pub webhook: Option<Webhook>,
    /// `preempt_spot = true`: running spot jobs are interrupted when others wait
    /// for their room.
    pub preempt_spot: bool,
    /// `engine_socket = "/path"`: the container engine to use.
    pub engine_socket: Option<PathBuf>,
    /// `fit = "strict"`: jobs that are promised more than the machine has are
    /// refused; by default they run with what there is.
    pub fit: Fitting,
    /// `cpus = 8`: the processors that jobs may have between them.
    pub cpus: Option<u32>,
    /// `memory_gib = 32`: the memory that jobs may have between them.
    pub memory_gib: Option<f64>,
    /// `gpus = [0, 1]`: the numbers of the GPUs that jobs may have.
    pub gpus: Option<Vec<u32>>,
    /// `[[instance_type]]`: what instance types promise, where that is other
    /// than in the cloud.
    pub instance_type: Vec<InstanceType>,
    /// `serve_regardless = true`: start even where no job can be contained.
    pub serve_regardless: bool,
    /// `run_unlimited = true`: run jobs without the limits that this machine's
    /// control groups cannot enforce.
    pub run_unlimited: bool,
    /// `run_unfiltered = true`: run jobs where the kernel cannot filter system
    /// calls.
    pub run_unfiltered: bool,
}

/// `[compilation]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CompilationTable {
    /// `[compilation.images]`, `ml_inf1 = "name"`: the images that compile for targets that
    /// only their makers' compilers build for.
    images: BTreeMap<String, String>,
}

impl CompilationTable {
    /// The images by their targets' names.
    ///
    /// # Errors
    /// When one is given for another target.
    pub fn images(self) -> Result<BTreeMap<String, String>, String> {
        let mut targets = self.images.keys();
        match targets.find(|target| !needs_vendor(target)) {
            Some(target) => Err(format!(
                "{FILE}: [compilation.images] names {target}. Images compile only for targets \
                 that Kiln has no compiler for, such as ml_inf1 or amba_cv22"
            )),
            None => Ok(self.images),
        }
    }
}

/// `[optimization]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizationTable {
    /// `eagle_image = "name"`: the image that trains EAGLE heads.
    pub eagle_image: Option<String>,
}

impl Configuration {
    /// What the machine may lack.
    pub fn tolerance(&self) -> Tolerance {
        Tolerance {
            unlimited: self.run_unlimited,
            unfiltered: self.run_unfiltered,
        }
    }

    /// Reads the data directory's file; without one, everything is default.
    pub fn read(data_dir: &Path) -> Result<Self, String> {
        let path = data_dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{} cannot be read: {error}", path.display())),
            Ok(text) => {
                toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(text: &str) -> Result<BTreeMap<String, String>, String> {
        let table: Configuration = toml::from_str(text).unwrap();
        table.compilation.images()
    }

    #[test]
    fn images_compile_for_targets_that_kiln_has_no_compiler_for() {
        assert!(images("").unwrap().is_empty());
        let given = images("[compilation.images]\nml_inf1 = \"neuron:1\"").unwrap();
        assert_eq!(given["ml_inf1"], "neuron:1");
        for target in ["ml_c5", "ml_inf11"] {
            let refusal = images(&format!("[compilation.images]\n{target} = \"x\"")).unwrap_err();
            assert!(refusal.contains(target), "{refusal}");
        }
    }
}
