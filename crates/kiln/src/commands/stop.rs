//! `kiln stop`: ends a job early.

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use kiln_model::JobName;

use super::Failure;
use super::completions::job_names;
use super::describe::job::{self, Job};
use super::exit::JobEnd;
use crate::connection::{Server, Session};
use crate::terminal::{painted, say, status_style};

const POLL: Duration = Duration::from_millis(250);

/// The options of `kiln stop`.
#[derive(Debug, Args)]
pub struct Stop {
    /// The job's name: of a training job, or else of an optimization or a compilation job.
    #[arg(add = ArgValueCompleter::new(job_names))]
    job: JobName,
    /// Come back when the job has ended.
    #[arg(long)]
    wait: bool,
    /// Print what the API answers about the job.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Stop {
    /// Asks that the job be stopped.
    pub fn run(self) -> Result<(), Failure> {
        self.server.run(async |session: &Session| {
            let (client, name) = (&session.client, self.job.as_ref());
            let kind = Job::find(client, name).await?.kind();
            job::stop(client, kind, name).await?;
            let mut job = Job::fetch(client, kind, name).await?;
            let client = &client.patient();
            while self.wait && !job.has_ended() {
                tokio::time::sleep(POLL).await;
                job = Job::fetch(client, kind, name).await?;
            }
            if self.json {
                say(format!("{:#}", job.described()))?;
            } else {
                let status = job.status();
                say(format!(
                    "{name} is {}",
                    painted(status_style(status), status)
                ))?;
            }
            match job.has_failed() {
                true => Err(JobEnd::failed(&job).into()),
                false => Ok(()),
            }
        })
    }
}
