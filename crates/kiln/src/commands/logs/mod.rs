//! `kiln logs`: what all instances of a job print.

mod lines;
mod source;
mod tail;

use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use kiln_model::JobName;

pub use self::lines::{Form, Lines};
pub use self::tail::Tail;

use super::Failure;
use super::completions::job_names;
use super::describe::job::Job;
use crate::connection::{Server, Session};
use crate::terminal::print;

/// Often enough to look live.
const POLL: Duration = Duration::from_millis(250);

/// The options of `kiln logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The job's name: of a training job, or else of an optimization or a compilation job.
    #[arg(add = ArgValueCompleter::new(job_names))]
    job: JobName,
    /// Go on with what is printed from now on, until the job ends.
    #[arg(short, long)]
    follow: bool,
    /// Print each line as a JSON object with its time and its stream.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Logs {
    /// Prints the log.
    pub fn run(self) -> Result<(), Failure> {
        self.server.run(async |session: &Session| {
            let name = self.job.as_ref();
            let mut job = Job::find(&session.client, name).await?;
            let client = if self.follow {
                session.client.patient()
            } else {
                session.client.clone()
            };
            let form = if self.json {
                Form::Json
            } else {
                Form::Text(Lines::of(&job))
            };
            let mut tail = Tail::new(job.kind(), name, form);
            loop {
                // The log is complete before the end is visible, so it is read after.
                while let Some(text) = tail.next(&client).await? {
                    print(&text)?;
                }
                if !self.follow || job.has_ended() {
                    return Ok(());
                }
                tokio::time::sleep(POLL).await;
                job = Job::fetch(&client, job.kind(), name).await?;
            }
        })
    }
}
