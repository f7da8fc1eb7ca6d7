//! The steps that Kiln does itself: this very program in a container without network
//! and keys, on a model that it cannot change.

use std::io;
use std::path::Path;

use kiln_optimize::{Order, Task};

use super::workplace::Workplace;
use crate::plan::OptimizationPlan;
use crate::runtime::Mount;
use crate::solo::{Outfit, Program};

/// Where the container finds this program and what it is told.
const TASK: &str = "/opt/ml/task";
const MODEL: &str = "/opt/ml/input/model";
const CALIBRATION: &str = "/opt/ml/input/calibration";
const SCRATCH: &str = "/opt/ml/scratch";
/// Where it leaves `model`, or `failure` beside it.
const RESULT: &str = "/opt/ml/output";
const OPTIMIZER: Program = Program {
    command: "optimize",
    inside: TASK,
};

/// Writes down what a step is told, and by whom it is done.
pub(super) fn furnish(
    workplace: &Workplace,
    step: usize,
    plan: &OptimizationPlan,
) -> io::Result<()> {
    let asked = &plan.steps[step];
    let task = Task {
        order: Order {
            technique: asked.technique,
            environment: asked.environment.clone(),
            deployment: plan.deployment.clone(),
        },
        model: MODEL.into(),
        calibration: asked.calibration.as_ref().map(|_| CALIBRATION.into()),
        scratch: SCRATCH.into(),
        output: Path::new(RESULT).join("model"),
    };
    Program::furnish(&workplace.task(step), &task)
}

/// What the container is started with.
pub(super) fn outfit(workplace: &Workplace, step: usize, plan: &OptimizationPlan) -> Outfit {
    let mount = |source, target: &str, read_only| Mount {
        source,
        target: target.into(),
        read_only,
    };
    let mut all = vec![
        mount(workplace.task(step), TASK, true),
        mount(workplace.given(step), MODEL, true),
        mount(workplace.result(step), RESULT, false),
        mount(workplace.scratch(step), SCRATCH, false),
    ];
    if plan.steps[step].calibration.is_some() {
        all.push(mount(workplace.calibration(step), CALIBRATION, true));
    }
    OPTIMIZER.outfit(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    #[test]
    fn a_task_names_what_the_container_sees_and_holds_no_secrets() {
        let place = tempfile::tempdir().unwrap();
        let workplace = Workplace::create(place.path()).unwrap();
        let plan = sample::optimization();
        workplace.begin(0).unwrap();
        furnish(&workplace, 0, &plan).unwrap();
        let text = std::fs::read_to_string(workplace.task(0).join("task.json")).unwrap();
        let task: Task = serde_json::from_str(&text).unwrap();
        assert_eq!(task.order.environment, plan.steps[0].environment);
        let mounts = outfit(&workplace, 0, &plan).mounts;
        for (path, read_only) in [
            (&task.model, true),
            (&task.output, false),
            (&task.scratch, false),
        ] {
            let mut shown = mounts.iter().filter(|one| path.starts_with(&one.target));
            assert_eq!(
                shown.next().map(|one| one.read_only),
                Some(read_only),
                "{path:?}"
            );
        }
        assert_eq!(task.calibration, None);
        for secret in ["AKIA", "secret", "token"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}
