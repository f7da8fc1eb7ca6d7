//! The artifact of a compiler that is not Kiln's: what it has left, with a manifest, and
//! with a report that vouches for nothing.

use std::fs::File;
use std::io::{self, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::package::Package;
use super::report::{REPORT, Report, StageTime, Verification};
use crate::dlr::{MANIFEST, Manifest};

/// How reports call what an image has built.
const IMAGE: &str = "image ";

/// The image that has built an artifact with this report, if one has.
pub(crate) fn image_of(report: &Report) -> Option<&str> {
    report.engine.strip_prefix(IMAGE)
}

/// What was built elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Brought<'a> {
    /// The image that has built it.
    pub image: &'a str,
    /// The framework, as the request names it.
    pub framework: &'a str,
    /// The target, as the artifact's name has it.
    pub target: &'a str,
    /// Seconds that it took.
    pub seconds: f64,
}

impl Brought<'_> {
    /// Whether a file of that name in an artifact is Kiln's own.
    #[must_use]
    pub fn is_taken(name: &Path) -> bool {
        [MANIFEST, REPORT].iter().any(|own| name == Path::new(own))
    }

    /// Packs the files of these names, which `open` opens, into an archive.
    ///
    /// # Errors
    /// When a file cannot be read, or the archive not be written.
    pub fn pack(
        &self,
        names: &[PathBuf],
        open: impl Fn(&Path) -> io::Result<File>,
        archive: &Path,
    ) -> io::Result<()> {
        let mut report = self.report();
        let mut manifest = Manifest::new(&report.engine);
        let mut package = Package::create(archive)?;
        for name in names.iter().filter(|name| !Self::is_taken(name)) {
            let mut file = open(name)?;
            let metadata = file.metadata()?;
            let (bytes, mode) = (metadata.len(), metadata.permissions().mode());
            report.files.insert(name.display().to_string(), bytes);
            manifest.add(name, &file)?;
            file.rewind()?;
            package.add(name, bytes, mode & 0o100 != 0, &file)?;
        }
        let report = serde_json::to_string_pretty(&report)? + "\n";
        manifest.add(Path::new(REPORT), report.as_bytes())?;
        for (name, text) in [(REPORT, report), (MANIFEST, manifest.text())] {
            package.add(Path::new(name), text.len() as u64, false, text.as_bytes())?;
        }
        package.finish()
    }

    fn report(&self) -> Report {
        let Self { image, .. } = self;
        Report {
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            framework: self.framework.to_owned(),
            target: self.target.to_owned(),
            engine: format!("{IMAGE}{image}"),
            stages: vec![StageTime {
                stage: "build".to_owned(),
                seconds: self.seconds,
            }],
            verification: Verification::BuiltNotRun {
                reason: format!("built by {image}, not verified by Kiln"),
            },
            ..Report::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_artifact_has_what_was_left_and_what_kiln_says_of_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("compiled");
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        for (name, text) in [("a.neff", "code"), ("bin/run", "#!"), (REPORT, "a lie")] {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let runs = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder.join("bin/run"), runs).unwrap();
        let names = ["a.neff", "bin/run", REPORT].map(PathBuf::from);
        let archive = place.path().join("artifact.tar.gz");
        let brought = Brought {
            image: "neuron:1",
            framework: "PYTORCH",
            target: "ml_inf1",
            seconds: 1.5,
        };
        let open = |name: &Path| File::open(folder.join(name));
        brought.pack(&names, open, &archive).unwrap();

        let found = super::super::package::tests::files_of(&archive);
        assert_eq!(found["a.neff"], (0o644, "code".to_owned()));
        assert_eq!(found["bin/run"], (0o755, "#!".to_owned()));
        let report: Report = serde_json::from_str(&found[REPORT].1).unwrap();
        let reason = "built by neuron:1, not verified by Kiln".to_owned();
        assert_eq!(report.verification, Verification::BuiltNotRun { reason });
        assert_eq!(report.files["a.neff"], 4);
        let manifest: Value = serde_json::from_str(&found[MANIFEST].1).unwrap();
        let listed = manifest["Files"].as_object().unwrap();
        assert_eq!(
            listed.keys().collect::<Vec<_>>(),
            ["a.neff", "bin/run", REPORT]
        );
        assert_eq!(found.len(), 4);
    }
}
