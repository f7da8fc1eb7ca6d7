//! What an order needs besides its model: environments, made ready before the
//! container starts, since it has no network to make them with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kiln_compile::Order;

use super::pickle;
use crate::image::environment::{EnvironmentError, Environments, Progress};

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
    /// minutes when something has to be made, which is done once only.
    pub(super) fn prepare(
        cache: &Path,
        order: &Order,
        archive: &Path,
        say: &mut dyn FnMut(String),
    ) -> Result<Self, EnvironmentError> {
        let environments = Environments::open(cache);
        let mut tools = Self::default();
        for name in needed(order, || pickle::is_in(archive)) {
            let mut progress = |progress: Progress<'_>| say(progress.to_string());
            let prepared = environments.prepare_named(name, &mut progress)?;
            tools.environments.insert(name.to_owned(), prepared.home);
            tools.installations.extend(prepared.installation);
        }
        Ok(tools)
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
fn needed(order: &Order, holds_pickle: impl FnOnce() -> bool) -> Vec<&'static str> {
    if order.target_device.as_deref() == Some("coreml") {
        return vec!["exporter-coreml"];
    }
    match order.framework.as_str() {
        "XGBOOST" if holds_pickle() => vec!["compiler-trees", "xgboost-3.0"],
        "XGBOOST" => vec!["compiler-trees"],
        "SKLEARN" => vec!["compiler-trees", "exporter-sklearn"],
        "PYTORCH" => vec!["compiler", "exporter-pytorch"],
        "TENSORFLOW" | "KERAS" => vec!["compiler", "exporter-tensorflow"],
        _ => vec!["compiler"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_needs_what_its_framework_and_its_target_need() {
        let cases = [
            ("XGBOOST", None, false, "compiler-trees"),
            ("XGBOOST", None, true, "compiler-trees xgboost-3.0"),
            ("SKLEARN", None, false, "compiler-trees exporter-sklearn"),
            ("ONNX", Some("ml_c5"), true, "compiler"),
            ("PYTORCH", Some("ml_c5"), true, "compiler exporter-pytorch"),
            ("PYTORCH", Some("coreml"), true, "exporter-coreml"),
            ("KERAS", None, false, "compiler exporter-tensorflow"),
        ];
        for (framework, device, holds_pickle, expected) in cases {
            let order = Order {
                framework: framework.to_owned(),
                target_device: device.map(str::to_owned),
                ..Order::default()
            };
            let found = needed(&order, || holds_pickle).join(" ");
            assert_eq!(found, expected, "{framework} {device:?}");
        }
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
