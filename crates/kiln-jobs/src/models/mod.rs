//! SageMaker models: which requests make sense, and what is answered about them. A model
//! is what its request said, under a name; nothing of it runs here.

mod request;

use std::sync::Arc;

use kiln_model::Timestamp;
use kiln_model::api::{
    ContainerDefinition, CreateModelInput, ListModelsInput, ListModelsOutput, ModelSortKey,
    ModelSummary, OrderKey,
};
use kiln_store::{ModelEntry, ModelQuery, NewModel, StoreError};
use serde_json::Value;

use crate::plane::{Plane, instant, now, pages, pairs};
use crate::{BucketsError, JobError};

/// The answer to a list request.
pub type ModelList = ListModelsOutput;

/// The models of a control plane. Clones are handles to the same.
#[derive(Clone)]
pub struct Models {
    plane: Arc<Plane>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Models").finish_non_exhaustive()
    }
}

impl Models {
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        Self { plane }
    }

    /// `CreateModel`: keeps a model whose shapes are right, and answers its ARN.
    ///
    /// # Errors
    /// When a rule or the world speaks against it, or the name is taken.
    pub async fn create(&self, request: CreateModelInput) -> Result<String, JobError> {
        request::check(&request).map_err(JobError::Validation)?;
        self.check_data(&request).await?;
        let (arn, created) = (self.arn(&request.model_name), now());
        let model = NewModel {
            name: request.model_name.clone(),
            arn: arn.clone(),
            created: created.millis(),
            tags: pairs(request.tags.as_deref()),
            description: description(request, &arn, created)?,
        };
        match self.plane.store.models.create(model).await {
            Err(StoreError::NameTaken) => Err(JobError::Validation(format!(
                "Cannot create already existing model \"{arn}\"."
            ))),
            created => {
                created?;
                Ok(arn)
            }
        }
    }

    /// Looks for the data of its containers, on behalf of its role. For a model without one
    /// nobody may look.
    async fn check_data(&self, request: &CreateModelInput) -> Result<(), JobError> {
        if request.execution_role_arn.is_none() {
            return Ok(());
        }
        for data in request::data(request).map_err(JobError::Validation)? {
            let uri = data.uri();
            match data.is_in(self.plane.buckets.as_ref()).await {
                Ok(true) => {}
                Ok(false) => {
                    let message = format!("Could not find model data at {uri}.");
                    return Err(JobError::Validation(message));
                }
                Err(error @ BucketsError::Denied) => {
                    let message = format!("Could not access model data at {uri}: {error}.");
                    return Err(JobError::Validation(message));
                }
                Err(error) => return Err(JobError::Internal(error.to_string())),
            }
        }
        Ok(())
    }

    /// `DescribeModel`: the answer, as JSON.
    ///
    /// # Errors
    /// When there is no such model.
    pub fn describe(&self, name: &str) -> Result<String, JobError> {
        let arn = self.arn(name);
        let found = self.plane.store.models.description(&arn)?;
        found.ok_or_else(|| missing(&arn))
    }

    /// `DeleteModel`: forgets a model; its data stays.
    ///
    /// # Errors
    /// When there is no such model.
    pub async fn delete(&self, name: &str) -> Result<(), JobError> {
        let arn = self.arn(name);
        match self.plane.store.models.delete(&arn).await? {
            true => Ok(()),
            false => Err(missing(&arn)),
        }
    }

    /// `ListModels`.
    ///
    /// # Errors
    /// When the page token is not one of ours.
    pub fn list(&self, request: &ListModelsInput) -> Result<ModelList, JobError> {
        let alike = ListModelsInput {
            next_token: None,
            max_results: None,
            ..request.clone()
        };
        let wanted = pages::Wanted {
            operation: "ListModels",
            token: request.next_token.as_deref(),
            size: request.max_results,
        };
        let page = self.plane.page(&wanted, &alike, |after, limit| {
            self.plane.store.models.list(&ModelQuery {
                after,
                limit,
                ..query(request)
            })
        })?;
        let mut answer = ListModelsOutput::new(page.items.into_iter().map(summary).collect());
        answer.next_token = page.next;
        Ok(answer)
    }

    /// The container of a model that has only one.
    pub(crate) fn container(&self, name: &str) -> Result<ContainerDefinition, JobError> {
        let description: CreateModelInput = serde_json::from_str(&self.describe(name)?)?;
        let first = description.primary_container.into_iter();
        let mut all: Vec<_> = first
            .chain(description.containers.into_iter().flatten())
            .collect();
        match all.len() {
            1 => Ok(all.remove(0)),
            many => Err(JobError::Validation(format!(
                "The model {name} has {many} containers. A model to optimize has one."
            ))),
        }
    }

    /// The ARN of a model, which spells its name in small letters.
    fn arn(&self, name: &str) -> String {
        let identity = &self.plane.settings.identity;
        format!(
            "arn:{}:sagemaker:{}:{}:model/{}",
            identity.region.partition(),
            identity.region,
            identity.account,
            name.to_lowercase()
        )
    }
}

/// What a describe call answers: the request, apart from its tags, and what it became.
fn description(
    request: CreateModelInput,
    arn: &str,
    created: Timestamp,
) -> Result<String, JobError> {
    let request = CreateModelInput {
        tags: None,
        ..request
    };
    let mut description = serde_json::to_value(&request)?;
    if let Value::Object(members) = &mut description {
        members.insert("ModelArn".to_owned(), arn.into());
        let created = serde_json::to_value(created)?;
        members.insert("CreationTime".to_owned(), created);
        let isolated = members.entry("EnableNetworkIsolation");
        isolated.or_insert(Value::Bool(false));
    }
    Ok(description.to_string())
}

fn summary(model: ModelEntry) -> ModelSummary {
    ModelSummary {
        model_name: model.name,
        model_arn: model.arn,
        creation_time: instant(model.created),
    }
}

fn query(request: &ListModelsInput) -> ModelQuery {
    let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
    ModelQuery {
        name_contains: request.name_contains.clone(),
        created_after: millis(request.creation_time_after),
        created_before: millis(request.creation_time_before),
        by_name: request.sort_by == Some(ModelSortKey::Name),
        descending: request.sort_order != Some(OrderKey::Ascending),
        ..ModelQuery::default()
    }
}

fn missing(arn: &str) -> JobError {
    JobError::Validation(format!("Could not find model \"{arn}\"."))
}
