//! `kiln jobs`: the newest training jobs.

use anstyle::Style;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::Failure;
use super::describe::job::{Job, elements};
use crate::client::{Client, Service};
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

/// The statuses of training jobs.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Status {
    InProgress,
    Completed,
    Failed,
    Stopping,
    Stopped,
}

impl Status {
    /// As the API spells it.
    fn name(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
        }
    }
}

impl Jobs {
    /// Asks for the jobs and shows them.
    pub fn run(self) -> Result<(), Failure> {
        self.server.run(async |session: &Session| {
            let jobs = newest(&session.client, self.status.map(Status::name), self.limit).await?;
            if self.json {
                let described: Vec<&Value> = jobs.iter().map(Job::described).collect();
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

/// The newest jobs, whole. A search answers what a list leaves out.
pub async fn newest(
    client: &Client,
    status: Option<&str>,
    limit: usize,
) -> Result<Vec<Job>, Failure> {
    let mut found: Vec<Job> = Vec::new();
    let mut token: Option<String> = None;
    while found.len() < limit {
        let input = search(status, (limit - found.len()).min(PAGE), token.as_deref());
        let page = client.call(Service::SageMaker, "Search", &input).await?;
        let jobs = elements(&page["Results"]).iter();
        found.extend(jobs.map(|result| Job::new(result["TrainingJob"].clone())));
        token = page["NextToken"].as_str().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}

fn search(status: Option<&str>, most: usize, token: Option<&str>) -> Value {
    let mut input = json!({
        "Resource": "TrainingJob", "SortBy": "CreationTime", "SortOrder": "Descending",
        "MaxResults": most,
    });
    if let Some(status) = status {
        let filter = json!({"Name": "TrainingJobStatus", "Operator": "Equals", "Value": status});
        input["SearchExpression"] = json!({"Filters": [filter]});
    }
    if let Some(token) = token {
        input["NextToken"] = json!(token);
    }
    input
}

fn table(jobs: &[Job], now: f64) -> Table {
    let mut table = Table::new(&["NAME", "STATUS", "AGE", "DURATION", "INSTANCES"]);
    for job in jobs {
        let time = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), span);
        table.row(vec![
            (job.name().to_owned(), Style::new()),
            (status(job), status_style(job.status())),
            (time(job.age(now)), FAINT),
            (time(job.duration(now)), Style::new()),
            (job.instances(), Style::new()),
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
    fn a_search_asks_for_no_more_than_is_shown() {
        assert_eq!(
            search(Some("Failed"), 5, Some("next")),
            json!({
                "Resource": "TrainingJob", "SortBy": "CreationTime", "SortOrder": "Descending",
                "MaxResults": 5, "NextToken": "next", "SearchExpression": {"Filters": [
                    {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "Failed"}]},
            })
        );
        assert_eq!(search(None, 5, None).get("SearchExpression"), None);
    }

    #[test]
    fn a_job_that_goes_on_says_where_it_is() {
        let job = |status: &str, stage: &str| {
            Job::new(json!({"TrainingJobStatus": status, "SecondaryStatus": stage}))
        };
        assert_eq!(
            status(&job("InProgress", "Training")),
            "InProgress (Training)"
        );
        assert_eq!(status(&job("Stopping", "Stopping")), "Stopping");
        assert_eq!(status(&job("Failed", "Failed")), "Failed");
    }
}
