//! How long one invocation of the command line takes, from the start of the
//! program to the end of its output: `aws sagemaker` beside `kiln sagemaker`.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::error::BenchError;
use crate::latency::{BUCKET, request};
use crate::options::Options;
use crate::samples::Samples;
use crate::server::Kiln;

/// The job that is asked about.
const JOB: &str = "asked-about";
/// What is asked for.
const ARGUMENTS: [&str; 4] = [
    "sagemaker",
    "describe-training-job",
    "--training-job-name",
    JOB,
];
/// How often the job is looked at until it has ended.
const POLL: Duration = Duration::from_millis(10);

/// Invocations of both programs against one server.
#[derive(Debug, Clone)]
pub struct Invocations {
    aws: Samples,
    kiln: Samples,
}

/// Runs both programs in turn, so that what else the machine does falls on both.
pub fn measure(options: &Options) -> Result<Invocations, BenchError> {
    let server = Kiln::start(options)?;
    run_job(&mut Client::new(server.endpoint()))?;
    let (mut aws, mut kiln) = (Vec::new(), Vec::new());
    for _ in 0..if options.tiny { 1 } else { 20 } {
        aws.push(invoke(&options.aws, &server)?);
        kiln.push(invoke(&options.kiln, &server)?);
    }
    Ok(Invocations {
        aws: aws.into_iter().collect(),
        kiln: kiln.into_iter().collect(),
    })
}

/// Runs the job to its end, so that nothing else goes on afterwards.
fn run_job(client: &mut Client) -> Result<(), BenchError> {
    client.put(&format!("/{BUCKET}"), b"")?;
    client.sagemaker("CreateTrainingJob", &request(JOB, "true"))?;
    loop {
        let job = client.sagemaker("DescribeTrainingJob", &json!({"TrainingJobName": JOB}))?;
        match job["TrainingJobStatus"].as_str() {
            Some("InProgress") => thread::sleep(POLL),
            Some("Completed") => return Ok(()),
            _ => return Err(BenchError::job(JOB, format!("failed: {job}"))),
        }
    }
}

fn invoke(program: &Path, server: &Kiln) -> Result<Duration, BenchError> {
    let endpoint = server.endpoint();
    let started = Instant::now();
    let status = Command::new(program)
        .args(ARGUMENTS)
        .env("AWS_ENDPOINT_URL", format!("http://{}", endpoint.address))
        .env("AWS_ACCESS_KEY_ID", &endpoint.access_key)
        .env("AWS_SECRET_ACCESS_KEY", &endpoint.secret_key)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env_remove("AWS_REGION")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|source| BenchError::Io {
            doing: format!("running {}", program.display()),
            source,
        })?;
    let took = started.elapsed();
    if status.success() {
        return Ok(took);
    }
    Err(BenchError::Program {
        program: program.display().to_string(),
        complaint: format!("ended with {status}"),
    })
}

impl fmt::Display for Invocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |samples: &Samples| samples.percentile(50).as_secs_f64() * 1000.0;
        let (aws, kiln) = (millis(&self.aws), millis(&self.kiln));
        writeln!(f, "## One invocation of the command line\n")?;
        writeln!(f, "| median of {} | ms |\n|---|---:|", self.kiln.count())?;
        writeln!(f, "| `aws {}` | {aws:.1} |", ARGUMENTS.join(" "))?;
        writeln!(f, "| `kiln {}` | {kiln:.1} |", ARGUMENTS.join(" "))?;
        writeln!(f, "| ratio, to be 50 at least | {:.0} |", aws / kiln)
    }
}
