//! Which of an archive's files is the model, by the rules of its framework.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::name::sound;
use super::sniff::{self, Torch, Trees};
use super::{ArchiveError, Limits, Unpacked};
use crate::framework::Framework;

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFiles {
    /// An ONNX model.
    Onnx(PathBuf),
    /// A Keras model, in HDF5 or in Keras's own form.
    Keras(PathBuf),
    /// The directory of a TensorFlow SavedModel.
    SavedModel(PathBuf),
    /// A frozen TensorFlow graph.
    FrozenGraph(PathBuf),
    /// An MXNet model.
    Mxnet {
        /// The graph.
        symbol: PathBuf,
        /// The weights.
        parameters: PathBuf,
    },
    /// A TorchScript module.
    TorchScript(PathBuf),
    /// A program of `torch.export`.
    ExportedProgram(PathBuf),
    /// A TensorFlow Lite model.
    Tflite(PathBuf),
    /// A Darknet model.
    Darknet {
        /// The network.
        configuration: PathBuf,
        /// The weights.
        weights: PathBuf,
    },
    /// A model that XGBoost saved.
    Xgboost(PathBuf),
    /// A pickled XGBoost booster, as the built-in algorithm writes.
    XgboostPickle(PathBuf),
    /// A model that LightGBM saved as text.
    Lightgbm(PathBuf),
    /// A pickled scikit-learn estimator.
    Sklearn(PathBuf),
}

impl ModelFiles {
    /// Finds the model of that framework.
    ///
    /// # Errors
    ///
    /// If there are more or fewer files than the framework's rule allows, or if
    /// what is in them is not what their names say.
    pub fn find(archive: &Unpacked, framework: Framework) -> Result<Self, ArchiveError> {
        let finder = Finder { archive, framework };
        match framework {
            Framework::Tensorflow => finder.tensorflow(),
            Framework::Keras => finder.keras(),
            Framework::Mxnet => finder.mxnet(),
            Framework::Onnx => finder.only(&["onnx"], "onnx").map(Self::Onnx),
            Framework::Pytorch => finder.pytorch(),
            Framework::Xgboost => finder.xgboost(),
            Framework::Tflite => finder.tflite(),
            Framework::Darknet => Ok(Self::Darknet {
                configuration: finder.only(&["cfg"], "cfg")?,
                weights: finder.only(&["weights"], "weights")?,
            }),
            Framework::Sklearn => finder.sklearn(),
        }
    }
}

/// The archive's sample inputs, in order.
#[must_use]
pub fn samples(archive: &Unpacked) -> Vec<PathBuf> {
    let of_samples = archive
        .files
        .iter()
        .filter(|file| file.parent() == Some(Path::new("samples")) && has_extension(file, "npz"));
    of_samples.map(|file| archive.root.join(file)).collect()
}

/// The file of class labels that a compiler option names.
///
/// # Errors
///
/// If there is no such file in the archive.
pub fn class_labels(archive: &Unpacked, name: &str) -> Result<PathBuf, ArchiveError> {
    let path = sound(name.as_bytes(), &Limits::default())?;
    if archive.files.contains(&path) {
        return Ok(archive.root.join(path));
    }
    Err(ArchiveError::Files(format!(
        "The file '{name}' that class_labels names is not in the archive"
    )))
}

struct Finder<'a> {
    archive: &'a Unpacked,
    framework: Framework,
}

impl Finder<'_> {
    /// The files that may be models: none that a file manager left behind, and
    /// no sample inputs.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let is_left_behind = |part: &OsStr| {
            part.to_str().is_some_and(|part| part.starts_with('.')) || part == "__MACOSX"
        };
        self.archive
            .files
            .iter()
            .map(PathBuf::as_path)
            .filter(move |file| !file.iter().any(is_left_behind) && !file.starts_with("samples"))
    }

    fn with_extension(&self, extensions: &[&str]) -> Vec<&Path> {
        self.files()
            .filter(|file| extensions.iter().any(|it| has_extension(file, it)))
            .collect()
    }

    /// The one file with one of those extensions.
    fn only(&self, extensions: &[&str], shown: &str) -> Result<PathBuf, ArchiveError> {
        let framework = self.framework;
        match self.with_extension(extensions)[..] {
            [only] => Ok(self.whole(only)),
            _ => Err(ArchiveError::Files(format!(
                "Exactly one .{shown} file is allowed for {framework} models."
            ))),
        }
    }

    fn whole(&self, file: &Path) -> PathBuf {
        match file.as_os_str().is_empty() {
            true => self.archive.root.clone(),
            false => self.archive.root.join(file),
        }
    }

    /// A SavedModel has other files of its kind beside the one that counts.
    fn tensorflow(&self) -> Result<ModelFiles, ArchiveError> {
        let found = self.with_extension(&["pb", "pbtxt"]);
        let is_saved = |file: &Path| file.file_stem() == Some(OsStr::new("saved_model"));
        let saved: Vec<_> = found
            .iter()
            .filter(|file| is_saved(file))
            .filter_map(|file| file.parent())
            .collect();
        let belongs = |file: &Path| saved.iter().any(|directory| file.starts_with(directory));
        let counted: Vec<_> = found
            .into_iter()
            .filter(|file| is_saved(file) || !belongs(file))
            .collect();
        match (&counted[..], &saved[..]) {
            ([_], [directory]) => Ok(ModelFiles::SavedModel(self.whole(directory))),
            ([graph], []) => Ok(ModelFiles::FrozenGraph(self.whole(graph))),
            _ => Err(ArchiveError::Files(
                "Exactly one .pb or .pbtxt file is allowed for TensorFlow models.".to_owned(),
            )),
        }
    }

    fn keras(&self) -> Result<ModelFiles, ArchiveError> {
        let found = self.with_extension(&["h5", "hdf5", "keras"]);
        let file = match found[..] {
            [only] => only,
            [] => {
                let message = "No h5 file provided in the archive".to_owned();
                return Err(ArchiveError::Files(message));
            }
            _ => {
                let files = shown(&found);
                let message =
                    format!("Multiple h5 files provided, {files}, when only one is allowed");
                return Err(ArchiveError::Files(message));
            }
        };
        let whole = self.whole(file);
        let sound = match has_extension(file, "keras") {
            true => sniff::is_zip(&whole),
            false => sniff::is_hdf5(&whole),
        };
        self.expect(sound, file, "not a file that Keras saved")?;
        Ok(ModelFiles::Keras(whole))
    }

    fn mxnet(&self) -> Result<ModelFiles, ArchiveError> {
        let one = |found: &[&Path], kind| match found {
            [only] => Ok(self.whole(only)),
            _ => Err(ArchiveError::Files(format!(
                "Only one {kind} file is allowed for MXNet model. Please make sure the framework \
                 you select is correct."
            ))),
        };
        let is_symbol = |file: &&Path| {
            let name = file.file_name().and_then(OsStr::to_str);
            name.is_some_and(|name| name.ends_with("-symbol.json"))
        };
        let symbols: Vec<_> = self.files().filter(is_symbol).collect();
        Ok(ModelFiles::Mxnet {
            parameters: one(&self.with_extension(&["params"]), "parameter")?,
            symbol: one(&symbols, "symbol")?,
        })
    }

    fn pytorch(&self) -> Result<ModelFiles, ArchiveError> {
        let whole = self.only(&["pt", "pth", "pt2"], "pth or .pt")?;
        let file = whole.strip_prefix(&self.archive.root).unwrap_or(&whole);
        let content = sniff::torch(&whole).map_err(ArchiveError::read(file))?;
        let found = match content {
            Torch::Script => return Ok(ModelFiles::TorchScript(whole)),
            Torch::Exported => return Ok(ModelFiles::ExportedProgram(whole)),
            Torch::Pickled => {
                "a pickled module or its weights, which cannot be compiled. Save the model with \
                 torch.jit.trace and torch.jit.save, or with torch.export.save"
            }
            Torch::Other => "not a file that PyTorch saved",
        };
        Err(self.content(file, found))
    }

    fn tflite(&self) -> Result<ModelFiles, ArchiveError> {
        let whole = self.only(&["tflite"], "tflite")?;
        let file = whole.strip_prefix(&self.archive.root).unwrap_or(&whole);
        self.expect(
            sniff::is_tflite(&whole),
            file,
            "not a TensorFlow Lite model",
        )?;
        Ok(ModelFiles::Tflite(whole))
    }

    fn xgboost(&self) -> Result<ModelFiles, ArchiveError> {
        const OTHERS: [&str; 9] = [
            "json",
            "ubj",
            "bst",
            "bin",
            "deprecated",
            "pkl",
            "pickle",
            "joblib",
            "txt",
        ];
        let mut found: Vec<_> = self
            .files()
            .filter(|file| has_extension(file, "model") || file.ends_with("xgboost-model"))
            .collect();
        if found.is_empty() {
            found = self.with_extension(&OTHERS);
        }
        let [file] = found[..] else {
            let message = "Exactly one .model file is allowed for XGBoost models.".to_owned();
            return Err(ArchiveError::Files(message));
        };
        let whole = self.whole(file);
        Ok(match self.trees(file)? {
            Trees::Lightgbm => ModelFiles::Lightgbm(whole),
            Trees::Pickled => ModelFiles::XgboostPickle(whole),
            Trees::Other => ModelFiles::Xgboost(whole),
        })
    }

    fn sklearn(&self) -> Result<ModelFiles, ArchiveError> {
        let mut found = self.with_extension(&["joblib", "pkl", "pickle"]);
        if found.is_empty() {
            found = self.with_extension(&["txt", "model"]);
        }
        let [file] = found[..] else {
            let message = "Exactly one .joblib or .pkl file is allowed for scikit-learn models.";
            return Err(ArchiveError::Files(message.to_owned()));
        };
        let whole = self.whole(file);
        match self.trees(file)? {
            Trees::Lightgbm => Ok(ModelFiles::Lightgbm(whole)),
            Trees::Pickled => Ok(ModelFiles::Sklearn(whole)),
            Trees::Other => {
                Err(self.content(file, "neither a pickled estimator nor a LightGBM model"))
            }
        }
    }

    fn trees(&self, file: &Path) -> Result<Trees, ArchiveError> {
        sniff::trees(&self.whole(file)).map_err(ArchiveError::read(file))
    }

    fn expect(
        &self,
        sound: io::Result<bool>,
        file: &Path,
        otherwise: &'static str,
    ) -> Result<(), ArchiveError> {
        match sound.map_err(ArchiveError::read(file))? {
            true => Ok(()),
            false => Err(self.content(file, otherwise)),
        }
    }

    fn content(&self, file: &Path, found: &'static str) -> ArchiveError {
        ArchiveError::Content {
            file: file.display().to_string(),
            found,
            framework: self.framework,
        }
    }
}

fn has_extension(file: &Path, wanted: &str) -> bool {
    file.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

/// The first few of them.
fn shown(files: &[&Path]) -> String {
    let names: Vec<_> = files
        .iter()
        .take(5)
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
}
