//! The steps that Kiln does itself: this very program in a container without network
//! and keys, on a model that it cannot change.

use std::io;
use std::path::Path;

use kiln_optimize::{Order, Task};

use super::workplace::Workplace;
use crate::agent;
use crate::plan::OptimizationPlan;
use crate::runtime::{ImageConfig, Mount, ResolvedImage, Root};

/// Where the container finds this program and what it is told.
const TASK: &str = "/opt/ml/task";
const TASK_FILE: &str = "task.json";
const PROGRAM: &str = "kiln";
const MODEL: &str = "/opt/ml/input/model";
const CALIBRATION: &str = "/opt/ml/input/calibration";
const SCRATCH: &str = "/opt/ml/scratch";
/// Where it leaves `model`, or `failure` beside it.
const RESULT: &str = "/opt/ml/output";

/// The host's own programs, read-only.
pub(super) fn image() -> ResolvedImage {
    let fixed = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
    ];
    let env = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ResolvedImage {
        root: Root::System {
            visible: Vec::new(),
        },
        config: ImageConfig {
            env: env.to_vec(),
            ..ImageConfig::default()
        },
    }
}

/// Writes down what a step is told, and copies this very program, since the file that
/// the server was started from may be another by now.
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
    let place = workplace.task(step);
    std::fs::write(place.join(TASK_FILE), serde_json::to_vec(&task)?)?;
    std::fs::copy(agent::PROGRAM, place.join(PROGRAM)).map(drop)
}

/// The command that does it.
pub(super) fn command() -> Vec<String> {
    let inside = |name: &str| format!("{TASK}/{name}");
    vec![inside(PROGRAM), "optimize".to_owned(), inside(TASK_FILE)]
}

/// The directories that the container sees.
pub(super) fn mounts(workplace: &Workplace, step: usize, plan: &OptimizationPlan) -> Vec<Mount> {
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
    all
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
        let text = std::fs::read_to_string(workplace.task(0).join(TASK_FILE)).unwrap();
        let task: Task = serde_json::from_str(&text).unwrap();
        assert_eq!(task.order.environment, plan.steps[0].environment);
        let mounts = mounts(&workplace, 0, &plan);
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
