//! Compilation as the work of one instance.

use std::collections::BTreeMap;

use kiln_agent::plan::{Plan, VendorPlan};
use kiln_agent::report::{Compiled, Report};
use kiln_compile::target::needs_vendor;
use kiln_engine::Size;
use kiln_model::api::{CreateCompilationJobRequest, OutputConfig, Tag};
use kiln_model::{Arn, JobKind};

use super::request::DEFAULT_MAX_RUNTIME;
use super::{LOG_GROUP, describe, place, plan, scope};
use crate::solo::{Seat, SoloState, Terms, Work};
use crate::{JobError, Party, Scope, Settings};

/// What compilation jobs are about.
#[derive(Debug)]
pub struct Compilation {
    /// The images that compile in place of Kiln, by their targets' names.
    images: BTreeMap<String, String>,
}

impl Compilation {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            images: settings.compiler_images.clone(),
        }
    }

    /// What compiles for a request's target in place of Kiln.
    pub(super) fn vendor(&self, output: &OutputConfig) -> Option<VendorPlan> {
        let target = place::target(output);
        let image = self.images.get(&target)?.clone();
        Some(VendorPlan { image, target })
    }
}

/// A compiler has little use for more, and shall not keep training from its room.
const OWN: Size = Size {
    cpus: 2,
    memory: 8 << 30,
    gpus: 0,
};
/// Of what others bring, nobody knows.
const BROUGHT: Size = Size {
    cpus: 16,
    memory: 64 << 30,
    gpus: 0,
};

impl Work for Compilation {
    type Request = CreateCompilationJobRequest;
    type Outcome = Compiled;

    const KIND: JobKind = JobKind::Compilation;
    const WORD: &'static str = "compilation";
    const A_WORD: &'static str = "a compilation";
    const LOG_GROUP: &'static str = LOG_GROUP;
    const HOST: &'static str = "compiler";
    /// No compiler has a network to use keys on.
    const PARTIES: &'static [Party] = &[Party::Agent];
    /// A compilation is over soon, and keeps nothing that another could go on with.
    const PATIENCE: u32 = 0;

    fn name(request: &Self::Request) -> &str {
        &request.compilation_job_name
    }

    fn role(request: &Self::Request) -> &str {
        &request.role_arn
    }

    fn tags(request: &Self::Request) -> Option<&[Tag]> {
        request.tags.as_deref()
    }

    fn terms(request: &Self::Request) -> Terms {
        Terms::of::<Self>(&request.stopping_condition, DEFAULT_MAX_RUNTIME)
    }

    fn most(request: &Self::Request) -> Size {
        match needs_vendor(&place::target(&request.output_config)) {
            true => BROUGHT,
            false => OWN,
        }
    }

    fn scope(request: &Self::Request, _: Party) -> Option<Scope> {
        scope::of(request)
    }

    fn plan(&self, request: &Self::Request, seat: Seat) -> Result<Plan, JobError> {
        plan::build(request, seat, self.vendor(&request.output_config))
    }

    fn describe(
        &self,
        arn: &Arn,
        request: &Self::Request,
        state: &SoloState<Compiled>,
    ) -> Result<String, JobError> {
        let description = describe::describe(arn, request, state)?;
        Ok(serde_json::to_string(&description)?)
    }

    fn outcome(report: Report) -> Option<Compiled> {
        match report {
            Report::Compiled(compiled) => Some(compiled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn output(target: Value) -> OutputConfig {
        let mut output = target;
        output["S3OutputLocation"] = json!("s3://out/x");
        serde_json::from_value(output).unwrap()
    }

    #[test]
    fn an_image_compiles_for_the_target_that_it_is_given_for() {
        let images = [("ml_inf1", "neuron:1"), ("LINUX_ARM64_NNA", "nna:2")];
        let images = images.map(|(target, image)| (target.to_owned(), image.to_owned()));
        let work = Compilation {
            images: images.into(),
        };
        let nna = json!({"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NNA"});
        let cases = [
            (json!({"TargetDevice": "ml_inf1"}), Some("neuron:1")),
            (json!({"TargetPlatform": nna}), Some("nna:2")),
            (json!({"TargetDevice": "ml_inf2"}), None),
            (json!({"TargetDevice": "ml_c5"}), None),
        ];
        for (target, expected) in cases {
            let found = work.vendor(&output(target)).map(|vendor| vendor.image);
            assert_eq!(found.as_deref(), expected);
        }
    }
}
