//! `kiln jobs`: the newest jobs of all kinds.

use anstyle::Style;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::describe::job::{Job, elements};
use super::kind::Kind;
use crate::client::{Client, ClientError, Service};
use crate::connection::{Server, Session};
use crate::terminal::{FAINT, Table, is_watched, say, span, status_style};

/// The most that one call answers.
const PAGE: usize = 100;

/// The options of `kiln jobs`.
#[derive(Debug, Args)]
pub struct Jobs {
    /// Show jobs of this status only.
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Show no more than so many, the newest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Print what the API answers for each job, as one list.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// The statuses of jobs, as training jobs have them.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Status {
    InProgress,
    Completed,
    Failed,
    Stopping,
    Stopped,
}

impl Status {
    /// The same as a kind's API has it. What training jobs have one status for may be two.
    fn names(self, kind: Kind) -> &'static [&'static str] {
        match (self, kind) {
            (Self::InProgress, Kind::Training) => &["InProgress"],
            (Self::Completed, Kind::Training) => &["Completed"],
            (Self::Failed, Kind::Training) => &["Failed"],
            (Self::Stopping, Kind::Training) => &["Stopping"],
            (Self::Stopped, Kind::Training) => &["Stopped"],
            (Self::InProgress, _) => &["STARTING", "INPROGRESS"],
            (Self::Completed, _) => &["COMPLETED"],
            (Self::Failed, _) => &["FAILED"],
            (Self::Stopping, _) => &["STOPPING"],
            (Self::Stopped, _) => &["STOPPED"],
        }
    }
}

impl Jobs {
    /// Asks for the jobs and shows them.
    pub fn run(self) -> Result<(), Failure> {
        self.server.run(async |session: &Session| {
            let jobs = newest(&session.client, self.status, self.limit).await?;
            if self.json {
                let described = described(&session.client, &jobs).await?;
                say(format!("{:#}", json!(described)))?;
            } else if jobs.is_empty() && is_watched() {
                say("There are no such jobs. Begin one with: kiln train SCRIPT --data train=DIR")?;
            } else {
                table(&jobs, super::now()).print()?;
            }
            Ok(())
        })
    }
}

/// The newest jobs of all kinds.
pub async fn newest(
    client: &Client,
    status: Option<Status>,
    limit: usize,
) -> Result<Vec<Job>, Failure> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let statuses = status.map_or(vec![None], |status| {
            status.names(kind).iter().copied().map(Some).collect()
        });
        for status in statuses {
            match newest_of(client, kind, status, limit).await {
                // Who may not list such jobs has asked for training jobs.
                Err(error) if kind != Kind::Training && is_denied(&error) => {}
                jobs => found.extend(jobs?),
            }
        }
    }
    let created = |job: &Job| job.number("CreationTime").unwrap_or_default();
    found.sort_by(|one, other| created(other).total_cmp(&created(one)));
    found.truncate(limit);
    Ok(found)
}

fn is_denied(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { code, .. } if code.starts_with("AccessDenied"))
}

async fn newest_of(
    client: &Client,
    kind: Kind,
    status: Option<&str>,
    limit: usize,
) -> Result<Vec<Job>, ClientError> {
    let mut found: Vec<Job> = Vec::new();
    let mut token: Option<String> = None;
    while found.len() < limit {
        let (operation, mut input) = question(kind, status);
        input["MaxResults"] = json!((limit - found.len()).min(PAGE));
        if let Some(token) = token {
            input["NextToken"] = json!(token);
        }
        let page = client.call(Service::SageMaker, &operation, &input).await?;
        found.extend(jobs_on(kind, &page));
        token = page["NextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}

/// What is asked for a page of jobs. Of training jobs a search answers what a list leaves out.
fn question(kind: Kind, status: Option<&str>) -> (String, Value) {
    let mut input = json!({"SortBy": "CreationTime", "SortOrder": "Descending"});
    if kind != Kind::Training {
        if let Some(status) = status {
            input["StatusEquals"] = json!(status);
        }
        return (format!("List{}Jobs", kind.title()), input);
    }
    input["Resource"] = json!("TrainingJob");
    if let Some(status) = status {
        let filter = json!({"Name": "TrainingJobStatus", "Operator": "Equals", "Value": status});
        input["SearchExpression"] = json!({"Filters": [filter]});
    }
    ("Search".to_owned(), input)
}

fn jobs_on(kind: Kind, page: &Value) -> impl Iterator<Item = Job> {
    let summaries = match kind {
        Kind::Training => &page["Results"],
        _ => &page[format!("{}JobSummaries", kind.title())],
    };
    elements(summaries).iter().map(move |one| {
        let described = match kind {
            Kind::Training => &one["TrainingJob"],
            _ => one,
        };
        Job::new(kind, described.clone())
    })
}

/// What the API answers for each of these jobs.
async fn described(client: &Client, jobs: &[Job]) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for job in jobs {
        all.push(match job.kind() {
            Kind::Training => job.described().clone(),
            kind => Job::fetch(client, kind, job.name())
                .await?
                .described()
                .clone(),
        });
    }
    Ok(all)
}

fn table(jobs: &[Job], now: f64) -> Table {
    let mut table = Table::new(&["NAME", "STATUS", "AGE", "DURATION", "INSTANCES", "KIND"]);
    for job in jobs {
        let time = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), span);
        table.row(vec![
            (job.name().to_owned(), Style::new()),
            (status(job), status_style(job.status())),
            (time(job.age(now)), FAINT),
            (time(job.duration(now)), Style::new()),
            (job.instances(), Style::new()),
            (job.kind().word().to_owned(), FAINT),
        ]);
    }
    table
}

/// The status, and where a job is that goes on.
fn status(job: &Job) -> String {
    if job.has_ended() || job.stage() == job.status() {
        job.status().to_owned()
    } else {
        format!("{} ({})", job.status(), job.stage())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_asked_for_in_its_own_words() {
        let newest = json!({"SortBy": "CreationTime", "SortOrder": "Descending"});
        let with = |more: Value| {
            let mut all = newest.clone();
            let more = more.as_object().cloned().unwrap();
            all.as_object_mut().unwrap().extend(more);
            all
        };
        let filter = json!({"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"});
        let cases = [
            (
                question(Kind::Training, Some("Failed")),
                "Search",
                with(json!({
                    "Resource": "TrainingJob", "SearchExpression": {"Filters": [filter]},
                })),
            ),
            (
                question(Kind::Training, None),
                "Search",
                with(json!({"Resource": "TrainingJob"})),
            ),
            (
                question(Kind::Compilation, Some("FAILED")),
                "ListCompilationJobs",
                with(json!({"StatusEquals": "FAILED"})),
            ),
            (
                question(Kind::Optimization, None),
                "ListOptimizationJobs",
                newest.clone(),
            ),
        ];
        for ((operation, input), expected, asked) in cases {
            assert_eq!((operation.as_str(), input), (expected, asked));
        }
    }

    #[test]
    fn jobs_are_found_on_pages_of_each_kind() {
        let cases = [
            (
                Kind::Training,
                json!({"Results": [{"TrainingJob": {"TrainingJobName": "j"}}]}),
            ),
            (
                Kind::Optimization,
                json!({"OptimizationJobSummaries": [{"OptimizationJobName": "j"}]}),
            ),
        ];
        for (kind, page) in cases {
            let names: Vec<String> = jobs_on(kind, &page)
                .map(|job| job.name().to_owned())
                .collect();
            assert_eq!(names, ["j"]);
        }
    }

    #[test]
    fn a_job_that_goes_on_says_where_it_is() {
        let job = |status: &str, stage: &str| {
            let described = json!({"TrainingJobStatus": status, "SecondaryStatus": stage});
            Job::new(Kind::Training, described)
        };
        assert_eq!(
            status(&job("InProgress", "Training")),
            "InProgress (Training)"
        );
        assert_eq!(status(&job("Stopping", "Stopping")), "Stopping");
        assert_eq!(status(&job("Failed", "Failed")), "Failed");
    }
}
