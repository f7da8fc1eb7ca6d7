//! The directories of an optimization: what its steps are given, and what they leave.
//!
//! ```text
//! ml/input/model            the model as it was fetched
//! ml/input/calibration-N    what step N calibrates with
//! ml/output/N/task          what a step of Kiln's own is told
//! ml/output/N/result        what step N leaves: model/, or failure
//! ml/output/N/errors        where an image of one's own leaves its reason
//! ml/output/N/scratch       what outlasts a crash of the step
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::contract::Places;
use crate::opt_ml;
use crate::removal::remove_tree;

/// The model's directory in what a step leaves.
const MODEL: &str = "model";

/// The host's side of an optimization's directories.
#[derive(Debug, Clone)]
pub(super) struct Workplace {
    input: PathBuf,
    steps: PathBuf,
}

impl Workplace {
    /// Makes the directories inside the instance's, or finds them.
    pub(super) fn create(instance: &Path) -> io::Result<Self> {
        let root = instance.join(opt_ml::ROOT);
        let made = Self {
            input: root.join("input"),
            steps: root.join("output"),
        };
        fs::create_dir_all(&made.input)?;
        fs::create_dir_all(&made.steps)?;
        Ok(made)
    }

    /// Removes what there is of the inputs.
    pub(super) fn clear_inputs(&self) -> io::Result<()> {
        remove_tree(&self.input)?;
        fs::create_dir(&self.input)
    }

    /// The model as it was fetched.
    pub(super) fn fetched(&self) -> PathBuf {
        self.input.join(MODEL)
    }

    /// The archive that it comes in.
    pub(super) fn archive(&self) -> PathBuf {
        self.input.join("model.tar.gz")
    }

    /// What a step calibrates with.
    pub(super) fn calibration(&self, step: usize) -> PathBuf {
        self.input.join(format!("calibration-{step}"))
    }

    /// The model that a step works on.
    pub(super) fn given(&self, step: usize) -> PathBuf {
        match step.checked_sub(1) {
            None => self.fetched(),
            Some(before) => self.made(before),
        }
    }

    /// The model that a step leaves.
    pub(super) fn made(&self, step: usize) -> PathBuf {
        self.result(step).join(MODEL)
    }

    /// All that a step leaves.
    pub(super) fn result(&self, step: usize) -> PathBuf {
        self.of(step).join("result")
    }

    /// What a step of Kiln's own is told.
    pub(super) fn task(&self, step: usize) -> PathBuf {
        self.of(step).join("task")
    }

    /// Where an image of one's own leaves why it failed.
    pub(super) fn errors(&self, step: usize) -> PathBuf {
        self.of(step).join("errors")
    }

    /// What outlasts a crash of the step.
    pub(super) fn scratch(&self, step: usize) -> PathBuf {
        self.of(step).join("scratch")
    }

    /// What an image of one's own sees of them.
    pub(super) fn places(&self, step: usize) -> Places {
        Places {
            given: self.given(step),
            made: self.made(step),
            errors: self.errors(step),
            cache: self.scratch(step),
        }
    }

    /// Makes a step's directories. What it has left half done is removed, but for
    /// what outlasts a crash.
    pub(super) fn begin(&self, step: usize) -> io::Result<()> {
        for fresh in [self.task(step), self.result(step), self.errors(step)] {
            remove_tree(&fresh)?;
            fs::create_dir_all(&fresh)?;
        }
        fs::create_dir(self.made(step))?;
        fs::create_dir_all(self.scratch(step))
    }

    /// Removes what nobody needs any more when a step is done.
    pub(super) fn end(&self, step: usize) -> io::Result<()> {
        let own = [self.task(step), self.errors(step), self.scratch(step)];
        let given = [self.given(step), self.calibration(step)];
        own.iter()
            .chain(&given)
            .try_for_each(|gone| remove_tree(gone))
    }

    fn of(&self, step: usize) -> PathBuf {
        self.steps.join(step.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_given_what_the_one_before_has_made() {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        assert_eq!(workplace.given(0), workplace.fetched());
        assert_eq!(workplace.given(1), workplace.made(0));
    }

    #[test]
    fn a_step_that_begins_again_keeps_its_scratch_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        workplace.begin(0).unwrap();
        fs::write(workplace.made(0).join("half"), "x").unwrap();
        fs::write(workplace.scratch(0).join("layer-3"), "x").unwrap();
        workplace.begin(0).unwrap();
        assert!(!workplace.made(0).join("half").exists());
        assert!(workplace.scratch(0).join("layer-3").exists());
    }

    #[test]
    fn a_step_that_is_done_leaves_its_model_only() {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        fs::create_dir_all(workplace.fetched()).unwrap();
        workplace.begin(0).unwrap();
        fs::write(workplace.made(0).join("config.json"), "{}").unwrap();
        workplace.end(0).unwrap();
        workplace.end(0).unwrap();
        assert!(!workplace.fetched().exists() && !workplace.scratch(0).exists());
        assert!(workplace.given(1).join("config.json").exists());
    }
}
