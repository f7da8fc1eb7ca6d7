//! What the container of a compilation is started with: a pure description.

use super::vendor;
use super::workplace::Workplace;
use crate::contract;
use crate::plan::CompilationPlan;
use crate::runtime::{ImageConfig, Start};
use crate::solo::Outfit;

/// What the container that does the plan's work is started with. An image that works in
/// place of Kiln has no keys either.
pub(super) fn outfit(plan: &CompilationPlan, workplace: &Workplace, image: &ImageConfig) -> Outfit {
    match &plan.vendor {
        None => workplace.own(),
        Some(vendor) => Outfit {
            start: Start::of_image(image),
            env: contract::environment(
                &vendor::environment(&plan.order, vendor),
                &plan.assignment.site.region,
                None,
            ),
            mounts: contract::mounts(workplace.places()),
            gpus: Vec::new(),
        },
    }
}
