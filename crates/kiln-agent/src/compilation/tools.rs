//! What an order needs besides its model: environments, and its target's parts. They
//! are made ready before the container starts, since it has no network to make them
//! with, and must not change what others will use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kiln_compile::Order;
use kiln_compile::framework::Framework;
use kiln_compile::front::{self, Checked};
use kiln_compile::neural::Device;
use kiln_compile::parts::{Kind, PartsError};
use kiln_compile::target::{Accelerator, Build, Plan, Platform};

use super::{parts, pickle};
use crate::image::environment::{EnvironmentError, Environments, Prepared, Progress};
use crate::shelf::ShelfError;

/// The environment that compiles trees.
const TREES: &str = "compiler-trees";
/// The environment that compiles neural networks.
const NETWORKS: &str = "compiler";
/// Where the package `ziglang` keeps its program.
const ZIG: &str = "ziglang/zig";

/// Why tools are not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ToolsError {
    /// An environment is not.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The target's parts could not be made.
    #[error(transparent)]
    Parts(PartsError),
    /// They could not be put where parts are kept.
    #[error(transparent)]
    Kept(#[from] ShelfError),
}

/// The tools that stand ready.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// The directories of environments, by their names.
    pub(super) environments: BTreeMap<String, PathBuf>,
    /// The directory of the target's parts.
    pub(super) parts: Option<PathBuf>,
    /// The Python installations that the environments stand on.
    installations: BTreeSet<PathBuf>,
}

impl Tools {
    /// Makes ready what the order needs, given the model's archive. This blocks, for
    /// minutes when something has to be made, which is done once only. An order that
    /// makes no sense needs nothing: the container refuses it.
    pub(super) fn prepare(
        cache: &Path,
        order: &Order,
        archive: &Path,
        say: &mut dyn FnMut(String),
    ) -> Result<Self, ToolsError> {
        let mut tools = Self::default();
        let Ok(checked) = front::check(order) else {
            return Ok(tools);
        };
        let environments = Environments::open(cache);
        for name in needed(&checked, || pickle::is_in(archive)) {
            let mut progress = |progress: Progress<'_>| say(progress.to_string());
            let prepared = environments.prepare_named(name, &mut progress)?;
            tools.take(name, &prepared);
            let makes_parts = [TREES, NETWORKS].contains(&name);
            if let (true, Some(wanted)) = (makes_parts, wanted_parts(&checked)) {
                let zig = prepared.packages.join(ZIG);
                tools.parts = Some(parts::prepare(cache, &zig, wanted, say)?);
            }
        }
        Ok(tools)
    }

    fn take(&mut self, name: &str, prepared: &Prepared) {
        self.environments
            .insert(name.to_owned(), prepared.home.clone());
        self.installations.extend(prepared.installation.clone());
    }

    /// The directories of this machine that the container must see.
    pub(super) fn visible(&self) -> BTreeSet<PathBuf> {
        let own = self.environments.values().chain(&self.parts).cloned();
        own.chain(self.installations.iter().cloned()).collect()
    }
}

/// The environments that an order needs. Trees need no more than a linker, if no
/// Python has to read them; everything else needs the compiler of neural networks, and
/// what exports its framework's models.
fn needed(order: &Checked, holds_pickle: impl FnOnce() -> bool) -> Vec<&'static str> {
    if order.target.plan == Plan::CoreMl {
        return match order.framework {
            Framework::Pytorch => vec!["exporter-coreml"],
            _ => vec!["exporter-tensorflow"],
        };
    }
    match order.framework {
        Framework::Xgboost if holds_pickle() => vec![TREES, "xgboost-3.0"],
        Framework::Xgboost => vec![TREES],
        Framework::Sklearn => vec![TREES, "exporter-sklearn"],
        Framework::Pytorch => vec![NETWORKS, "exporter-pytorch"],
        Framework::Tensorflow | Framework::Keras => vec![NETWORKS, "exporter-tensorflow"],
        Framework::Mxnet | Framework::Onnx | Framework::Tflite | Framework::Darknet => {
            vec![NETWORKS]
        }
    }
}

/// The parts that a build for the order's target takes, if there are any for it.
fn wanted_parts(order: &Checked) -> Option<(&Platform, Kind)> {
    let Plan::Build(Build {
        platform,
        accelerator,
    }) = &order.target.plan
    else {
        return None;
    };
    if order.framework.makes_trees() {
        return Some((platform, Kind::Trees));
    }
    let processor = Device::Cpu(platform.clone());
    let has_loader = *accelerator == Accelerator::None && processor.without_loader().is_none();
    has_loader.then_some((platform, Kind::Neural))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(framework: &str, device: &str) -> Checked {
        let order = Order {
            framework: framework.to_owned(),
            target_device: Some(device.to_owned()),
            data_input_config: Some("{'data': [1, 3, 8, 8]}".to_owned()),
            ..Order::default()
        };
        front::check(&order).unwrap()
    }

    #[test]
    fn parts_are_wanted_where_the_processor_runs_what_is_built() {
        let kind = |framework, device| {
            let order = checked(framework, device);
            wanted_parts(&order).map(|(_, kind)| kind)
        };
        assert_eq!(kind("XGBOOST", "ml_c5"), Some(Kind::Trees));
        assert_eq!(kind("XGBOOST", "x86_win64"), Some(Kind::Trees));
        assert_eq!(kind("ONNX", "ml_c5"), Some(Kind::Neural));
        assert_eq!(kind("ONNX", "rasp3b"), Some(Kind::Neural));
        assert_eq!(kind("ONNX", "x86_win64"), None);
        assert_eq!(kind("PYTORCH", "coreml"), None);
    }

    #[test]
    fn an_order_needs_what_its_framework_and_its_target_need() {
        let cases = [
            ("XGBOOST", "ml_c5", false, "compiler-trees"),
            ("XGBOOST", "rasp3b", true, "compiler-trees xgboost-3.0"),
            ("SKLEARN", "ml_c5", false, "compiler-trees exporter-sklearn"),
            ("ONNX", "ml_c5", true, "compiler"),
            ("PYTORCH", "ml_c5", true, "compiler exporter-pytorch"),
            ("PYTORCH", "coreml", true, "exporter-coreml"),
            ("KERAS", "ml_c5", false, "compiler exporter-tensorflow"),
            ("KERAS", "coreml", false, "exporter-tensorflow"),
        ];
        for (framework, device, holds_pickle, expected) in cases {
            let order = checked(framework, device);
            let found = needed(&order, || holds_pickle).join(" ");
            assert_eq!(found, expected, "{framework} {device}");
        }
    }

    #[test]
    fn an_order_that_makes_no_sense_needs_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let prepared = Tools::prepare(
            cache.path(),
            &Order::default(),
            Path::new("/no/archive"),
            &mut |line| panic!("{line}"),
        );
        assert!(prepared.unwrap().visible().is_empty());
    }

    #[test]
    fn a_container_sees_environments_with_what_they_stand_on_and_parts() {
        let tools = Tools {
            environments: [("compiler".to_owned(), "/cache/e/compiler".into())].into(),
            parts: Some("/cache/parts/p".into()),
            installations: ["/opt/python".into()].into(),
        };
        let visible: Vec<_> = tools.visible().into_iter().collect();
        let expected = ["/cache/e/compiler", "/cache/parts/p", "/opt/python"];
        assert_eq!(visible, expected.map(PathBuf::from));
    }
}
