//! What a model may be made of, beyond what the shapes say.

use std::collections::HashSet;

use kiln_model::S3Uri;
use kiln_model::api::{
    ContainerDefinition, CreateModelInput, ModelCompressionType, S3ModelDataSource, S3ModelDataType,
};

use crate::check_tag_keys;
use crate::plane::S3Input;

/// Checks a request whose shapes are right.
///
/// # Errors
/// The message of the first check that fails.
pub(super) fn check(request: &CreateModelInput) -> Result<(), String> {
    match (&request.primary_container, &request.containers) {
        (Some(_), Some(_)) => {
            return Err("You can specify PrimaryContainer or Containers, but not both.".to_owned());
        }
        (None, None) => {
            return Err("You must specify either PrimaryContainer or Containers.".to_owned());
        }
        (None, Some(all)) if all.is_empty() => {
            return Err("Containers must have at least one container.".to_owned());
        }
        _ => {}
    }
    containers(request).try_for_each(container)?;
    the_hostnames(request)?;
    data(request)?;
    let tags = request.tags.iter().flatten();
    let keys: Vec<&str> = tags.map(|tag| tag.key.as_str()).collect();
    check_tag_keys(&keys)
}

fn containers(request: &CreateModelInput) -> impl Iterator<Item = &ContainerDefinition> {
    let primary = request.primary_container.iter();
    primary.chain(request.containers.iter().flatten())
}

fn container(container: &ContainerDefinition) -> Result<(), String> {
    if container.model_package_name.is_some() {
        return Err(
            "ModelPackageName is not available in this version of Kiln, which has no model \
             registry: give the image and the model data of the container."
                .to_owned(),
        );
    }
    if container.image.as_deref().is_none_or(str::is_empty) {
        return Err("Image is required in a container without a ModelPackageName.".to_owned());
    }
    match (&container.model_data_url, &container.model_data_source) {
        (Some(_), Some(_)) => Err(
            "You can specify ModelDataUrl or ModelDataSource in a container, but not both."
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Containers that are called one by one have names of their own.
fn the_hostnames(request: &CreateModelInput) -> Result<(), String> {
    let names = containers(request).filter_map(|one| one.container_hostname.as_ref());
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!(
                "ContainerHostname {name} is given more than once. Each container of a model has \
                 its own."
            ));
        }
    }
    Ok(())
}

/// Where its data is: single objects by their keys, and files by a prefix with a slash at
/// its end.
///
/// # Errors
/// When a place is none in S3.
pub(super) fn data(request: &CreateModelInput) -> Result<Vec<S3Input>, String> {
    let mut all = Vec::new();
    for container in containers(request) {
        if let Some(url) = container
            .model_data_url
            .as_deref()
            .filter(|url| !url.is_empty())
        {
            all.push(S3Input::Object(parse("ModelDataUrl", url)?));
        }
        let own = container.model_data_source.iter();
        let own = own.filter_map(|source| source.s3_data_source.as_ref());
        let more = container.additional_model_data_sources.iter().flatten();
        for source in own.chain(more.map(|source| &source.s3_data_source)) {
            all.push(of_source(source)?);
        }
    }
    Ok(all)
}

fn of_source(source: &S3ModelDataSource) -> Result<S3Input, String> {
    if let Some(access) = source.model_access_config.as_ref()
        && !access.accept_eula
    {
        return Err(
            "The end-user license agreement (EULA) of the model must be accepted to use it: set \
             AcceptEula to true in ModelAccessConfig once you have read it."
                .to_owned(),
        );
    }
    let uri = parse("S3Uri of S3DataSource", &source.s3_uri)?;
    Ok(match (source.s3_data_type, source.compression_type) {
        (S3ModelDataType::S3Prefix, ModelCompressionType::None) => S3Input::Prefix(uri.child("")),
        _ => S3Input::Object(uri),
    })
}

fn parse(what: &str, uri: &str) -> Result<S3Uri, String> {
    uri.parse()
        .map_err(|_| format!("The {what} \"{uri}\" is not valid. Give s3://bucket/key."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(containers: Value) -> CreateModelInput {
        let mut request = json!({"ModelName": "m"});
        for (member, value) in containers.as_object().unwrap() {
            request[member] = value.clone();
        }
        serde_json::from_value(request).unwrap()
    }

    fn source(eula: bool) -> Value {
        json!({"Image": "i", "ModelDataSource": {"S3DataSource": {
            "S3Uri": "s3://data/m", "S3DataType": "S3Prefix", "CompressionType": "None",
            "ModelAccessConfig": {"AcceptEula": eula}}}})
    }

    #[test]
    fn a_model_has_one_container_or_several() {
        let ok = [
            json!({"PrimaryContainer": {"Image": "i"}}),
            json!({"Containers": [{"Image": "i"}, {"Image": "j"}]}),
            json!({"PrimaryContainer": source(true)}),
        ];
        for containers in ok {
            assert_eq!(check(&request(containers.clone())), Ok(()), "{containers}");
        }
        let both =
            json!({"Image": "i", "ModelDataUrl": "s3://data/m.tar.gz", "ModelDataSource": {}});
        let named = json!({"Image": "i", "ContainerHostname": "h"});
        let cases = [
            (
                json!({}),
                "You must specify either PrimaryContainer or Containers.",
            ),
            (
                json!({"PrimaryContainer": {"Image": "i"}, "Containers": []}),
                "You can specify PrimaryContainer or Containers, but not both.",
            ),
            (
                json!({"Containers": []}),
                "Containers must have at least one container.",
            ),
            (
                json!({"PrimaryContainer": {}}),
                "Image is required in a container without a ModelPackageName.",
            ),
            (
                json!({"PrimaryContainer": both}),
                "You can specify ModelDataUrl or ModelDataSource in a container, but not both.",
            ),
            (
                json!({"Containers": [named, named]}),
                "ContainerHostname h is given more than once. Each container of a model has its own.",
            ),
            (
                json!({"PrimaryContainer": {"Image": "i", "ModelDataUrl": "https://x/m"}}),
                "The ModelDataUrl \"https://x/m\" is not valid. Give s3://bucket/key.",
            ),
            (
                json!({"PrimaryContainer": source(false)}),
                "The end-user license agreement (EULA) of the model must be accepted to use it: \
                 set AcceptEula to true in ModelAccessConfig once you have read it.",
            ),
        ];
        for (containers, message) in cases {
            let refusal = check(&request(containers)).unwrap_err();
            assert_eq!(refusal, message);
        }
        let package = request(json!({"PrimaryContainer": {"ModelPackageName": "p"}}));
        assert!(check(&package).unwrap_err().contains("no model registry"));
    }

    #[test]
    fn the_data_is_objects_and_prefixes() {
        let more = json!({"Image": "i", "ModelDataUrl": "s3://data/m.tar.gz",
            "AdditionalModelDataSources": [{"ChannelName": "draft", "S3DataSource": {
                "S3Uri": "s3://data/draft/", "S3DataType": "S3Prefix", "CompressionType": "None"}}]});
        let found = data(&request(json!({"Containers": [more, source(true)]}))).unwrap();
        let uri = |text: &str| text.parse().unwrap();
        let expected = [
            S3Input::Object(uri("s3://data/m.tar.gz")),
            S3Input::Prefix(uri("s3://data/draft/")),
            S3Input::Prefix(uri("s3://data/m/")),
        ];
        assert_eq!(found, expected);
    }
}
