//! `kiln describe`: all about one job, on one page.

pub mod job;
pub mod page;

use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use kiln_model::JobName;

use self::job::Job;
use super::Failure;
use super::completions::job_names;
use crate::connection::{Server, Session};
use crate::terminal::{print, say};

/// The options of `kiln describe`.
#[derive(Debug, Args)]
pub struct Describe {
    /// The job's name: of a training job, or else of an optimization or a compilation job.
    #[arg(add = ArgValueCompleter::new(job_names))]
    job: JobName,
    /// Print what the API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Describe {
    /// Asks for the job and shows it.
    pub fn run(self) -> Result<(), Failure> {
        self.server.run(async |session: &Session| {
            let job = Job::find(&session.client, self.job.as_ref()).await?;
            if self.json {
                say(format!("{:#}", job.described()))?;
            } else {
                print(&page::page(&job, super::now()))?;
            }
            Ok(())
        })
    }
}
