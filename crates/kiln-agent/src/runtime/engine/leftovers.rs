//! Finding the containers that a crashed agent left in the engine.
//!
//! Every container carries its id and its scratch directory as labels. The
//! directory tells whose it is: an engine may serve several Kiln servers.

use std::collections::HashMap;
use std::path::Path;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::super::{Container, RuntimeError};
use super::{failure, running};

const ID_LABEL: &str = "kiln.container";
const SCRATCH_LABEL: &str = "kiln.scratch";

pub(super) fn labels(container: &Container) -> HashMap<String, String> {
    let scratch = container.scratch.to_string_lossy().into_owned();
    HashMap::from([
        (ID_LABEL.to_owned(), container.id.clone()),
        (SCRATCH_LABEL.to_owned(), scratch),
    ])
}

pub(super) async fn sweep(
    docker: &Docker,
    data_dir: &Path,
    alive: &[String],
) -> Result<Vec<String>, RuntimeError> {
    let ours = HashMap::from([("label", vec![ID_LABEL])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&ours)
        .build();
    let listed = docker
        .list_containers(Some(options))
        .await
        .map_err(|error| failure::machine("listing the engine's containers", &error))?;
    let mut removed = Vec::new();
    for summary in &listed {
        let Some((engine_id, id)) = leftover(summary, data_dir, alive) else {
            continue;
        };
        running::remove_by_force(docker, engine_id).await?;
        removed.push(id.to_owned());
    }
    Ok(removed)
}

/// The engine's and our id of a container that nobody looks after.
fn leftover<'a>(
    summary: &'a ContainerSummary,
    data_dir: &Path,
    alive: &[String],
) -> Option<(&'a str, &'a str)> {
    let labels = summary.labels.as_ref()?;
    let id = labels.get(ID_LABEL)?;
    let scratch = Path::new(labels.get(SCRATCH_LABEL)?);
    let abandoned = scratch.starts_with(data_dir) && !alive.contains(id);
    abandoned.then_some((summary.id.as_deref()?, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_abandoned_containers_of_this_data_directory_are_leftovers() {
        let alive = ["alive".to_owned()];
        let cases = [
            ("dead", Some("/data/jobs/dead"), true),
            ("alive", Some("/data/jobs/alive"), false),
            ("dead", Some("/database/jobs/dead"), false),
            ("dead", None, false),
        ];
        for (id, scratch, expected) in cases {
            let mut labels = HashMap::from([(ID_LABEL.to_owned(), id.to_owned())]);
            labels.extend(scratch.map(|path| (SCRATCH_LABEL.to_owned(), path.to_owned())));
            let summary = ContainerSummary {
                id: Some("engine-id".to_owned()),
                labels: Some(labels),
                ..Default::default()
            };
            let found = leftover(&summary, Path::new("/data"), &alive);
            assert_eq!(found, expected.then_some(("engine-id", id)), "{scratch:?}");
        }
    }
}
