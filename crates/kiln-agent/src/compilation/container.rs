//! The container in which a model is compiled: a pure description.

use std::path::Path;

use super::tools::Tools;
use super::workplace::Workplace;
use super::{HOST, vendor};
use crate::contract;
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

/// The container that does the plan's work. An image that works in place of Kiln has no
/// keys either.
pub(super) fn container(
    plan: &CompilationPlan,
    workplace: &Workplace,
    image: ResolvedImage,
    network: &Network,
    directory: &Path,
) -> std::io::Result<Container> {
    let scratch = directory.join(SCRATCH);
    std::fs::create_dir_all(&scratch)?;
    let (start, env, mounts) = match &plan.vendor {
        Some(vendor) => (
            Start::of_image(&image.config),
            contract::environment(
                &vendor::environment(&plan.order, vendor),
                &plan.assignment.site.region,
                None,
            ),
            contract::mounts(workplace.places()),
        ),
        None => (
            Start {
                entrypoint: Some(Workplace::command()),
                arguments: None,
            },
            Vec::new(),
            workplace.mounts(),
        ),
    };
    Ok(Container {
        id: plan.assignment.instance.clone(),
        image,
        start,
        env,
        mounts,
        shared: Vec::new(),
        hostname: HOST.to_owned(),
        hosts: network.hosts.clone(),
        limits: plan.limits,
        gpus: Vec::new(),
        scratch,
    })
}
