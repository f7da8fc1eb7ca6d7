//! The container in which a model is compiled: a pure description.

use std::path::Path;

use super::HOST;
use super::tools::Tools;
use super::workplace::Workplace;
use crate::plan::{CompilationPlan, SCRATCH};
use crate::runtime::{Container, ImageConfig, Network, ResolvedImage, Root, Start};

/// The host's own programs, and the tools, all read-only.
pub(super) fn image(tools: &Tools) -> ResolvedImage {
    let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
    ];
    let env = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ResolvedImage {
        root: Root::System {
            visible: tools.visible().into_iter().collect(),
        },
        config: ImageConfig {
            env: env.to_vec(),
            ..ImageConfig::default()
        },
    }
}

/// The container that does the plan's work.
pub(super) fn container(
    plan: &CompilationPlan,
    workplace: &Workplace,
    image: ResolvedImage,
    network: &Network,
    directory: &Path,
) -> std::io::Result<Container> {
    let scratch = directory.join(SCRATCH);
    std::fs::create_dir_all(&scratch)?;
    Ok(Container {
        id: plan.assignment.instance.clone(),
        image,
        start: Start {
            entrypoint: Some(Workplace::command()),
            arguments: None,
        },
        env: Vec::new(),
        mounts: workplace.mounts(),
        shared: Vec::new(),
        hostname: HOST.to_owned(),
        hosts: network.hosts.clone(),
        limits: plan.limits,
        gpus: Vec::new(),
        scratch,
    })
}
