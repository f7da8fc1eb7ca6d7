//! Searches: `SEARCH('{/aws/sagemaker/TrainingJobs,Host} job-1', 'Average', 60)`.

mod expression;
mod terms;
mod tokens;

use kiln_store::{Metric, MetricFilter};

use self::terms::{Condition, Term};
use self::tokens::are_among;

#[cfg(test)]
use self::expression::ExpressionError;
pub(super) use self::expression::Search;

impl Search {
    /// What the store can narrow the search to.
    pub(super) fn filter(&self, since: i64) -> MetricFilter {
        let schema = self.schema.as_ref();
        MetricFilter {
            namespace: schema.map(|schema| schema.namespace.clone()),
            dimension_names: schema.map(|schema| schema.dimensions.clone()),
            since,
            ..MetricFilter::default()
        }
    }

    /// Whether it finds a metric that the filter lets through.
    pub(super) fn finds(&self, metric: &Metric) -> bool {
        self.condition.holds(metric)
    }
}

impl Condition {
    fn holds(&self, metric: &Metric) -> bool {
        match self {
            Self::All(all) => all.iter().all(|one| one.holds(metric)),
            Self::Any(any) => any.iter().any(|one| one.holds(metric)),
            Self::Not(one) => !one.holds(metric),
            Self::Term { property, term } => match property.as_deref() {
                None => texts(metric).any(|text| term.matches(text)),
                Some("MetricName") => term.matches(&metric.name),
                Some("Namespace") => term.matches(&metric.namespace),
                Some(dimension) => {
                    let value = metric.dimensions.get(dimension);
                    value.is_some_and(|value| term.matches(value))
                }
            },
        }
    }
}

/// All that a term without a property is looked for in.
fn texts(metric: &Metric) -> impl Iterator<Item = &str> {
    let names = [metric.namespace.as_str(), metric.name.as_str()];
    let dimensions = metric.dimensions.iter();
    let dimensions = dimensions.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    names.into_iter().chain(dimensions)
}

impl Term {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(wanted) => wanted == text,
            Self::Partial(wanted) => are_among(wanted, text),
        }
    }
}

#[cfg(test)]
mod tests;
