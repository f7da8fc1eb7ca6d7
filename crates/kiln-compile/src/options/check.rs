//! Which options go with which frameworks and targets.

use super::{Options, OptionsError};
use crate::framework::Framework;
use crate::target::{Os, Place};

/// What an option goes with.
enum Goes {
    Framework(Framework),
    Machines,
    Nvidia,
    Android,
    CoreMl,
}

impl Options {
    /// Sees that each option goes with the framework and the target, and that all
    /// that the target needs are there.
    ///
    /// # Errors
    ///
    /// The first option that does not, or those that are missing.
    pub fn check(&self, framework: Framework, place: &Place) -> Result<(), OptionsError> {
        for option in &self.given {
            goes_with(option).check(option, framework, place)?;
        }
        self.expect_what_is_needed(place)
    }

    /// A platform's name does not tell which GPU it has. That of a device does. Options
    /// that are all of the processor ask for no more than that: the documentation's
    /// example for an instance of m5 has NVIDIA as accelerator and `mcpu` alone.
    fn expect_what_is_needed(&self, place: &Place) -> Result<(), OptionsError> {
        let is_of_processor = |option: &String| matches!(option.as_str(), "mcpu" | "mattr");
        let is_processor_meant = !self.given.is_empty() && self.given.iter().all(is_of_processor);
        let needed = !is_processor_meant
            && place
                .machine()
                .is_some_and(|machine| machine.is_nvidia() && machine.cpu.is_none());
        let options = [
            ("'gpu-code'", self.gpu_code.is_none()),
            ("'trt-ver'", self.tensorrt.is_none()),
            ("'cuda-ver'", self.cuda.is_none()),
        ];
        let missing: Vec<_> = options
            .into_iter()
            .filter_map(|(name, missing)| missing.then_some(name))
            .collect();
        if !needed || missing.is_empty() {
            return Ok(());
        }
        Err(OptionsError::Missing {
            missing: missing.join(", "),
            target: place.name().to_owned(),
        })
    }
}

fn goes_with(option: &str) -> Goes {
    match option {
        "dtype" | "DTYPE" => Goes::Framework(Framework::Pytorch),
        "signature_def_key" | "output_names" => Goes::Framework(Framework::Tensorflow),
        "class_labels" => Goes::CoreMl,
        "ANDROID_PLATFORM" => Goes::Android,
        "mcpu" | "mattr" => Goes::Machines,
        _ => Goes::Nvidia,
    }
}

impl Goes {
    fn check(&self, option: &str, framework: Framework, place: &Place) -> Result<(), OptionsError> {
        let machine = place.machine();
        let (holds, with) = match self {
            Self::Framework(only) if *only == framework => return Ok(()),
            Self::Framework(only) => {
                return Err(OptionsError::Framework {
                    option: option.to_owned(),
                    framework,
                    with: only.name(),
                });
            }
            Self::Machines => (machine.is_some(), "targets that native code is built for"),
            Self::Nvidia => (
                machine.is_some_and(|machine| machine.is_nvidia()),
                "targets that have an NVIDIA GPU",
            ),
            Self::Android => (
                machine.is_some_and(|machine| machine.os == Os::Android),
                "targets that run Android",
            ),
            Self::CoreMl => (machine.is_none(), "the TargetDevice coreml"),
        };
        if holds {
            return Ok(());
        }
        Err(OptionsError::Target {
            option: option.to_owned(),
            target: place.name().to_owned(),
            with,
        })
    }
}
