//! The engine's images: whether one is present, and pulling it when it is not.

use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::TryStreamExt as _;

use super::{RuntimeError, failure};

pub(super) async fn is_present(docker: &Docker, name: &str) -> Result<bool, RuntimeError> {
    match docker.inspect_image(name).await {
        Ok(_) => Ok(true),
        Err(error) if failure::status(&error) == Some(404) => Ok(false),
        // What is no image name at all. Docker answers 400, Podman 500.
        Err(error) if failure::words(&error).contains("invalid reference format") => {
            Err(unusable(name, &error))
        }
        Err(error) => Err(failure::machine("looking for the image", &error)),
    }
}

pub(super) async fn pull(docker: &Docker, name: &str) -> Result<(), RuntimeError> {
    let (repository, version) = repository_and_version(name);
    let options = CreateImageOptionsBuilder::default()
        .from_image(repository)
        .tag(version)
        .build();
    docker
        .create_image(Some(options), None, None)
        .try_for_each(|_progress| std::future::ready(Ok(())))
        .await
        .map_err(|error| unusable(name, &error))
}

fn unusable(name: &str, error: &bollard::errors::Error) -> RuntimeError {
    RuntimeError::Image(format!("{name}: {}", failure::words(error)))
}

/// Splits an image name for the engine's API, which pulls every tag of a
/// repository when it is given none.
fn repository_and_version(name: &str) -> (&str, &str) {
    if let Some(parts) = name.split_once('@') {
        return parts;
    }
    match name.rsplit_once(':') {
        // A colon before a slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (name, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_split_where_the_version_begins() {
        let cases = [
            ("busybox", ("busybox", "latest")),
            ("busybox:1.36", ("busybox", "1.36")),
            ("host:5000/team/image", ("host:5000/team/image", "latest")),
            ("host:5000/team/image:v1", ("host:5000/team/image", "v1")),
            ("a/b@sha256:00ff", ("a/b", "sha256:00ff")),
            ("a/b:tag@sha256:00ff", ("a/b:tag", "sha256:00ff")),
        ];
        for (name, expected) in cases {
            assert_eq!(repository_and_version(name), expected);
        }
    }

    proptest! {
        #[test]
        fn a_version_is_always_named(name in "([a-z.]{1,9}(:[0-9]{2,4})?/)?[a-z/]{1,9}(:[a-z0-9.]{1,9})?") {
            let (repository, version) = repository_and_version(&name);
            prop_assert!(!version.is_empty() && !version.contains('/'));
            prop_assert!(name.starts_with(repository));
        }
    }
}
