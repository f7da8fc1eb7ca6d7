//! `GetSearchSuggestions`: names of properties that start with a hint.

use std::collections::BTreeSet;

use kiln_model::api::{
    GetSearchSuggestionsRequest, GetSearchSuggestionsResponse, PropertyNameSuggestion,
};
use kiln_store::{ListQuery, SortKey};
use serde_json::Value;

use super::super::{KIND, TrainingJobs};
use super::{catalogue, record, require_training_jobs};
use crate::JobError;

/// Names of hyperparameters and metrics are taken from the jobs that changed last.
const RECENT_JOBS: u32 = 200;
/// Names of tags that are suggested at once.
const MOST_TAGS: usize = 1000;

impl TrainingJobs {
    /// `GetSearchSuggestions`: the properties of training jobs, with the hyperparameters,
    /// metrics and tags that jobs have.
    ///
    /// # Errors
    /// When another resource than training jobs is asked for, or the store fails.
    pub fn suggest(
        &self,
        request: &GetSearchSuggestionsRequest,
    ) -> Result<GetSearchSuggestionsResponse, JobError> {
        require_training_jobs(request.resource)?;
        let query = request.suggestion_query.as_ref();
        let query = query.and_then(|query| query.property_name_query.as_ref());
        let hint = query.map_or("", |query| query.property_name_hint.as_str());
        let known = catalogue::CATALOGUE.iter().map(|(path, _)| *path);
        let mut names: Vec<String> = known
            .filter(|name| name.starts_with(hint))
            .map(str::to_owned)
            .collect();
        names.extend(self.names_in_jobs(hint)?);
        names.extend(self.names_of_tags(hint)?);
        let suggestion = |name| PropertyNameSuggestion {
            property_name: Some(name),
        };
        Ok(GetSearchSuggestionsResponse {
            property_name_suggestions: Some(names.into_iter().map(suggestion).collect()),
        })
    }

    fn names_in_jobs(&self, hint: &str) -> Result<BTreeSet<String>, JobError> {
        let mut names = BTreeSet::new();
        if !["HyperParameters.", "Metrics."]
            .iter()
            .any(|group| may_name(hint, group))
        {
            return Ok(names);
        }
        let recent = ListQuery {
            sort: SortKey::Modified,
            descending: true,
            limit: RECENT_JOBS,
            ..ListQuery::default()
        };
        let members = ["HyperParameters", "FinalMetricDataList"].map(str::to_owned);
        for document in self
            .shared
            .plane
            .store
            .jobs
            .documents(KIND, &recent, false)?
        {
            let record = record::partial(&document, &members.clone().into())?;
            names.extend(chosen_names(&record).filter(|name| name.starts_with(hint)));
        }
        Ok(names)
    }

    fn names_of_tags(&self, hint: &str) -> Result<Vec<String>, JobError> {
        if !may_name(hint, "Tags.") {
            return Ok(Vec::new());
        }
        let start = hint.strip_prefix("Tags.").unwrap_or_default();
        let keys = self
            .shared
            .plane
            .store
            .jobs
            .tag_keys(KIND, start, MOST_TAGS)?;
        Ok(keys.into_iter().map(|key| format!("Tags.{key}")).collect())
    }
}

/// Whether names of a group may start with the hint.
fn may_name(hint: &str, group: &str) -> bool {
    hint.starts_with(group) || group.starts_with(hint)
}

/// The hyperparameters and metrics of a record, as properties.
fn chosen_names(record: &Value) -> impl Iterator<Item = String> {
    let parameters = record["HyperParameters"].as_object();
    let parameters = parameters.into_iter().flat_map(|all| all.keys());
    let metrics = record["FinalMetricDataList"].as_array();
    let metrics = metrics
        .into_iter()
        .flatten()
        .filter_map(|metric| metric["MetricName"].as_str());
    let parameters = parameters.map(|name| format!("HyperParameters.{name}"));
    parameters.chain(metrics.map(|name| format!("Metrics.{name}")))
}
