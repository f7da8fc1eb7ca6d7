//! `kiln train`: a script and its data on this machine, to a model.

mod code;
mod follow;
mod framework;
mod options;
mod request;
mod stage;

use std::path::PathBuf;

use clap::Args;
use kiln_data::{DataError, Objects};
use kiln_model::{JobName, S3Uri};
use serde_json::json;

use self::code::{Code, Source};
use self::framework::Framework;
use self::options::{Channel, Metric, Origin, Pair};
use self::request::Plan;
use self::stage::Staged;
use super::Failure;
use super::describe::job::Job;
use super::describe::page;
use super::exit::JobEnd;
use crate::client::{Client, Service};
use crate::connection::{Server, Session};
use crate::terminal::{Interrupts, is_watched, painted, print, say, span, status_style};
use crate::transfer::{LocalFile, Store};

/// The options of `kiln train`.
#[derive(Debug, Args)]
pub struct Train {
    /// The script to run.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    script: PathBuf,
    /// A channel of data: a file or directory of this machine, or s3://bucket/prefix.
    /// Can be given many times.
    #[arg(long = "data", value_name = "CHANNEL=SOURCE", value_hint = clap::ValueHint::AnyPath)]
    channels: Vec<Channel>,
    /// What the script is written for. Without it, what the script imports.
    #[arg(long, value_enum, conflicts_with = "image")]
    framework: Option<Framework>,
    /// The image to run in, as TrainingImage names it.
    #[arg(long)]
    image: Option<String>,
    /// A hyperparameter. Can be given many times.
    #[arg(long = "hp", value_name = "NAME=VALUE")]
    hyperparameters: Vec<Pair>,
    /// A number to find in the log: as `NAME=0.5` or `NAME: 0.5`, or where this regular
    /// expression has its group. Can be given many times.
    #[arg(long = "metric", value_name = "NAME[=REGEX]")]
    metrics: Vec<Metric>,
    /// The type of the instances.
    #[arg(long, value_name = "TYPE", default_value = "ml.m5.large")]
    instance_type: String,
    /// How many instances.
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// The job's name. Without it, the script's name and the time.
    #[arg(long)]
    name: Option<JobName>,
    /// Where the model goes: below s3://bucket/prefix/JOB/.
    #[arg(long, value_name = "S3-URI")]
    output: Option<S3Uri>,
    /// A directory to bring along, which the script is in.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    source_dir: Option<PathBuf>,
    /// An environment variable of the script. Can be given many times.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<Pair>,
    /// Seconds after which the job is stopped.
    #[arg(long, value_name = "SECONDS", default_value_t = 86400)]
    max_run: u32,
    /// Use spot capacity, which may be taken away; the job goes on from its checkpoint.
    #[arg(long)]
    spot: bool,
    /// Where /opt/ml/checkpoints is kept.
    #[arg(long, value_name = "S3-URI")]
    checkpoint: Option<S3Uri>,
    /// Do not follow the job. In a pipe, only its name is printed.
    #[arg(long)]
    detach: bool,
    /// Print what the API answers in the end, and nothing before it.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

impl Train {
    /// Trains.
    pub fn run(self) -> Result<(), Failure> {
        let source = Source::find(&self.script, self.source_dir.as_deref())?;
        let server = self.server.clone();
        server.run(async |session: &Session| {
            let interrupts = Interrupts::listen()?;
            let store = Store {
                objects: &session.objects,
                interrupts: &interrupts,
            };
            let plan = self.prepare(&session.client, store, &source).await?;
            let request = request::training_job(&self, &plan);
            let created = session
                .client
                .call(Service::SageMaker, "CreateTrainingJob", &request)
                .await?;
            if self.detach {
                return self.report_submission(&plan.name, &created);
            }
            self.narrate(format!("• Submitted  {}\n", plan.name))?;
            let job = follow::to_the_end(&session.client, &interrupts, &plan.name, self.json);
            let job = job.await?;
            self.report(&job)
        })
    }

    /// Brings to the server what the job needs.
    async fn prepare(
        &self,
        client: &Client,
        store: Store<'_>,
        source: &Source,
    ) -> Result<Plan, Failure> {
        let account = client.account().await?;
        let region = client.region();
        let image = self.image(source, region)?;
        // Where the SageMaker SDK keeps what nobody says a place for.
        let bucket = format!("sagemaker-{region}-{account}");
        make_bucket(store.objects, &bucket).await?;
        let mut channels = Vec::new();
        for Channel { name, origin } in &self.channels {
            let uri = match origin {
                Origin::Objects(uri) => uri.to_string(),
                Origin::Files(path) => {
                    let files = stage::files_of(path)?;
                    self.stage(store, &bucket, name, files).await?.uri
                }
            };
            channels.push((name.clone(), uri));
        }
        let code = self.stage_code(store, &bucket, source, &image, &mut channels);
        let code = code.await?;
        let output = self.output.as_ref().map(ToString::to_string);
        Ok(Plan {
            name: match &self.name {
                Some(name) => name.to_string(),
                None => options::fresh_name(&source.program, time::OffsetDateTime::now_utc()),
            },
            role: format!("arn:aws:iam::{account}:role/KilnExecutionRole"),
            region: region.to_owned(),
            output: output.unwrap_or_else(|| format!("s3://{bucket}/")),
            image,
            channels,
            code,
        })
    }

    /// The image that was asked for, or the one of the framework.
    fn image(&self, source: &Source, region: &str) -> Result<String, Failure> {
        if let Some(image) = &self.image {
            return Ok(image.clone());
        }
        let framework = match self.framework {
            Some(framework) => framework,
            None => Framework::of_script(&source.text()?).ok_or(
                "the script imports neither torch, xgboost nor sklearn; say what it runs in with \
                 --framework or --image",
            )?,
        };
        Ok(framework.image(region))
    }

    /// Brings the script to where the image will look for it.
    async fn stage_code(
        &self,
        store: Store<'_>,
        bucket: &str,
        source: &Source,
        image: &str,
        channels: &mut Vec<(String, String)>,
    ) -> Result<Code, Failure> {
        if !framework::has_toolkit(image) {
            let code = source.command()?;
            let staged = self.stage(store, bucket, code::CHANNEL, source.files()?);
            channels.push((code::CHANNEL.to_owned(), staged.await?.uri));
            return Ok(code);
        }
        let (_directory, archive) = source.archive()?;
        let staged = self.stage(store, bucket, "code", vec![archive]);
        Ok(Code::Toolkit {
            program: source.program.clone(),
            archive: staged.await?.uri + code::ARCHIVE,
        })
    }

    async fn stage(
        &self,
        store: Store<'_>,
        bucket: &str,
        name: &str,
        files: Vec<LocalFile>,
    ) -> Result<Staged, Failure> {
        let staged = stage::stage(store, bucket, name, files, !self.json).await?;
        self.narrate(format!("• {name:<10} {staged}"))?;
        Ok(staged)
    }

    /// Says what happens, unless a program reads the output.
    fn narrate(&self, line: String) -> Result<(), Failure> {
        if !self.json && (!self.detach || is_watched()) {
            say(line)?;
        }
        Ok(())
    }

    fn report_submission(&self, name: &str, created: &serde_json::Value) -> Result<(), Failure> {
        if self.json {
            let arn = &created["TrainingJobArn"];
            say(json!({"TrainingJobName": name, "TrainingJobArn": arn}))?;
        } else if is_watched() {
            say(format!(
                "• Submitted  {name}; follow it with: kiln logs -f {name}"
            ))?;
        } else {
            say(name)?;
        }
        Ok(())
    }

    fn report(&self, job: &Job) -> Result<(), Failure> {
        if self.json {
            say(format!("{:#}", job.described()))?;
        } else {
            let status = painted(status_style(job.status()), job.status());
            let after = job.duration(super::now());
            let after =
                after.map_or_else(String::new, |seconds| format!(" after {}", span(seconds)));
            say(format!("\n{status}{after}"))?;
            print(&page::results(job))?;
        }
        match job.status() {
            "Completed" => Ok(()),
            "Stopped" => Err(JobEnd::Stopped(job.name().to_owned()).into()),
            _ => Err(JobEnd::failed(job).into()),
        }
    }
}

/// Makes a bucket if it is not there. Who may not make one may use one all the same.
async fn make_bucket(objects: &Objects, bucket: &str) -> Result<(), DataError> {
    match objects.create_bucket(bucket).await {
        Err(DataError::Refused { status: 403, .. }) => Ok(()),
        made => made,
    }
}
