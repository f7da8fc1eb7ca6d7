//! Where a job's model comes from, and where what becomes of it goes.

use kiln_agent::plan::{ModelPlan, ObjectPlan, PrefixPlan};
use kiln_model::S3Uri;
use kiln_model::api::{
    ContainerDefinition, ModelCompressionType, OptimizationJobModelSource,
    OptimizationJobOutputConfig, S3ModelDataSource, S3ModelDataType,
};
use serde::{Deserialize, Serialize};

use crate::plane::S3Input;

/// What a model comes as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModelPlace {
    /// Objects below a prefix, which ends in a slash.
    Files(S3Uri),
    /// One `.tar.gz`.
    Archive(S3Uri),
}

impl ModelPlace {
    /// What must be there.
    pub(super) fn uri(&self) -> &S3Uri {
        match self {
            Self::Files(uri) | Self::Archive(uri) => uri,
        }
    }

    /// The same, as what is looked for.
    pub(super) fn input(&self) -> S3Input {
        match self {
            Self::Files(prefix) => S3Input::Prefix(prefix.clone()),
            Self::Archive(object) => S3Input::Object(object.clone()),
        }
    }

    /// The same for the plan.
    pub(super) fn plan(&self) -> ModelPlan {
        match self {
            Self::Files(uri) => ModelPlan::Files(prefix(uri)),
            Self::Archive(uri) => ModelPlan::Archive(ObjectPlan {
                bucket: uri.bucket().to_owned(),
                key: uri.key().to_owned(),
            }),
        }
    }
}

/// A model that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FoundModel {
    /// Where it is.
    pub(super) place: ModelPlace,
    /// The image that serves it already, if it is a SageMaker model with one.
    pub(super) image: Option<String>,
}

/// The model that a request's own URI names.
///
/// # Errors
/// When it names none.
pub(super) fn of_source(source: &OptimizationJobModelSource) -> Result<FoundModel, String> {
    let s3 = source.s3.as_ref();
    let uri = s3.and_then(|s3| s3.s3_uri.as_deref());
    let uri = uri.ok_or_else(|| "S3Uri is required in ModelSource.S3.".to_owned())?;
    let uri = parse(uri)?;
    let place = match uri.key().ends_with(".tar.gz") {
        true => ModelPlace::Archive(uri),
        false => ModelPlace::Files(uri.child("")),
    };
    Ok(FoundModel { place, image: None })
}

/// The model in a container of the SageMaker model of this name.
///
/// # Errors
/// When it has none that could be optimized.
pub(super) fn of_container(
    name: &str,
    container: &ContainerDefinition,
) -> Result<FoundModel, String> {
    let source = container.model_data_source.as_ref();
    let source = source.and_then(|source| source.s3_data_source.as_ref());
    let place = match (source, &container.model_data_url) {
        (Some(source), _) => of_data_source(source)?,
        (None, Some(url)) => ModelPlace::Archive(parse(url)?),
        (None, None) => return Err(format!("The model {name} has no model data to optimize.")),
    };
    Ok(FoundModel {
        place,
        image: container.image.clone(),
    })
}

fn of_data_source(source: &S3ModelDataSource) -> Result<ModelPlace, String> {
    let uri = parse(&source.s3_uri)?;
    Ok(match (source.s3_data_type, source.compression_type) {
        (S3ModelDataType::S3Prefix, ModelCompressionType::None) => ModelPlace::Files(uri.child("")),
        (_, ModelCompressionType::Gzip) => ModelPlace::Archive(uri),
        (S3ModelDataType::S3Object, ModelCompressionType::None) => {
            return Err(format!(
                "The model data {uri} is one object that is not compressed. A model to optimize is \
                 a prefix of its files, or a gzip-compressed tar archive of them."
            ));
        }
    })
}

/// The prefix below which the optimized model goes, with its slash.
///
/// # Errors
/// When the request names no place in S3.
pub(super) fn output(config: &OptimizationJobOutputConfig) -> Result<S3Uri, String> {
    Ok(parse(&config.s3_output_location)?.child(""))
}

/// All objects below a prefix that ends in a slash.
pub(super) fn prefix(uri: &S3Uri) -> PrefixPlan {
    PrefixPlan {
        bucket: uri.bucket().to_owned(),
        prefix: uri.key().to_owned(),
    }
}

pub(super) fn parse(uri: &str) -> Result<S3Uri, String> {
    uri.parse()
        .map_err(|_| format!("The S3 URI \"{uri}\" is not valid. Give s3://bucket/prefix."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_a_prefix_or_an_archive() {
        let found = |uri: &str| {
            let source = serde_json::from_value(json!({"S3": {"S3Uri": uri}})).unwrap();
            of_source(&source).map(|found| found.place)
        };
        let files = |uri: &str| Ok(ModelPlace::Files(uri.parse().unwrap()));
        assert_eq!(found("s3://data/llama"), files("s3://data/llama/"));
        assert_eq!(found("s3://data/llama/"), files("s3://data/llama/"));
        assert_eq!(found("s3://data"), files("s3://data/"));
        let archive = ModelPlace::Archive("s3://data/m.tar.gz".parse().unwrap());
        assert_eq!(found("s3://data/m.tar.gz"), Ok(archive));
        assert!(found("https://data/m").unwrap_err().contains("not valid"));
    }

    #[test]
    fn a_sagemaker_models_data_is_where_its_container_says() {
        let found = |container| {
            let container = serde_json::from_value(container).unwrap();
            of_container("m", &container).map(|found| found.place.uri().to_string())
        };
        let source = |kind: &str, compression: &str| {
            json!({"Image": "i", "ModelDataSource": {"S3DataSource": {
                "S3Uri": "s3://data/m", "S3DataType": kind, "CompressionType": compression}}})
        };
        let is = |uri: &str| Ok(uri.to_owned());
        assert_eq!(found(source("S3Prefix", "None")), is("s3://data/m/"));
        assert_eq!(found(source("S3Object", "Gzip")), is("s3://data/m"));
        let url = json!({"ModelDataUrl": "s3://data/m.tar.gz"});
        assert_eq!(found(url), is("s3://data/m.tar.gz"));
        assert!(found(source("S3Object", "None")).is_err());
        let refusal = found(json!({"Image": "i"})).unwrap_err();
        assert_eq!(refusal, "The model m has no model data to optimize.");
    }
}
