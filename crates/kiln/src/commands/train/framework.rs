//! The frameworks that a script can be written for, and their images.

use clap::ValueEnum;
use kiln_agent::image::table;

/// The accounts that publish the images in the cloud's first region. Here any
/// account means the same.
const PYTORCH_REGISTRY: &str = "763104351884";
const LEARNING_REGISTRY: &str = "683313688378";

/// A framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Framework {
    #[value(name = "pytorch")]
    PyTorch,
    Xgboost,
    #[value(alias = "scikit-learn")]
    Sklearn,
}

impl Framework {
    /// What a script is written for, by what it imports. PyTorch and XGBoost have
    /// scikit-learn beside them, and not the other way round.
    pub fn of_script(script: &str) -> Option<Self> {
        let modules: Vec<&str> = script.lines().flat_map(imported).collect();
        [
            ("torch", Self::PyTorch),
            ("xgboost", Self::Xgboost),
            ("sklearn", Self::Sklearn),
        ]
        .into_iter()
        .find(|(module, _)| modules.contains(module))
        .map(|(_, framework)| framework)
    }

    /// AWS's own name for the newest image that has it.
    pub fn image(self, region: &str) -> String {
        let (registry, image) = match self {
            Self::PyTorch => (
                PYTORCH_REGISTRY,
                "pytorch-training:2.8.0-cpu-py312-ubuntu22.04-sagemaker",
            ),
            Self::Xgboost => (LEARNING_REGISTRY, "sagemaker-xgboost:3.0-5"),
            Self::Sklearn => (LEARNING_REGISTRY, "sagemaker-scikit-learn:1.4-2-cpu-py3"),
        };
        format!("{registry}.dkr.ecr.{region}.amazonaws.com/{image}")
    }
}

/// Whether an image has the toolkit that fetches and starts scripts.
pub fn has_toolkit(image: &str) -> bool {
    table::framework_image(image).is_some()
}

/// The modules, without those in them, that a line of Python imports.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let several = line.strip_prefix("import ");
    let one = line
        .strip_prefix("from ")
        .and_then(|rest| rest.split_whitespace().next());
    let names = several.or(one).unwrap_or_default().split(',');
    names.filter_map(|name| name.trim_start().split(['.', ' ', ';', '#']).next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_tell_what_a_script_is_written_for() {
        use Framework::{PyTorch, Sklearn, Xgboost};
        for (script, expected) in [
            ("import torch.nn as nn\nimport sklearn", Some(PyTorch)),
            (
                "import os\nfrom sklearn.svm import SVC\nimport xgboost",
                Some(Xgboost),
            ),
            ("    from sklearn.linear_model import X", Some(Sklearn)),
            ("import os, xgboost as xgb, numpy", Some(Xgboost)),
            ("from os import torch", None),
            (
                "# import torch\nimport torchless\nprint('from sklearn')",
                None,
            ),
            ("", None),
        ] {
            assert_eq!(Framework::of_script(script), expected, "{script}");
        }
    }

    #[test]
    fn the_images_are_known_everywhere() {
        for framework in Framework::value_variants() {
            for region in ["us-east-1", "eu-central-1"] {
                assert!(has_toolkit(&framework.image(region)), "{framework:?}");
            }
        }
        assert!(!has_toolkit("busybox"));
    }
}
