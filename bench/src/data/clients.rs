//! Programs that move the same bytes, timed: S3 clients, and a line of shell.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Endpoint, REGION};
use crate::error::BenchError;
use crate::options::Options;

/// The S3 clients, at one server.
pub struct Clients<'o> {
    options: &'o Options,
    endpoint: &'o Endpoint,
}

impl<'o> Clients<'o> {
    pub fn new(options: &'o Options, endpoint: &'o Endpoint) -> Self {
        Self { options, endpoint }
    }

    /// Copies with the AWS CLI, whatever is below `from`.
    pub fn aws(&self, from: &str, to: &str) -> Result<Duration, BenchError> {
        let mut copy = self.command(&self.options.aws, "--endpoint-url");
        timed(copy.args(["s3", "cp", "--recursive", "--quiet", from, to]))
    }

    /// Copies with s5cmd, whatever matches `from`.
    pub fn s5cmd(&self, from: &str, to: &str) -> Result<Duration, BenchError> {
        let mut copy = self.command(&self.options.s5cmd, "--endpoint-url");
        timed(copy.args(["--log", "error", "cp", from, to]))
    }

    /// What one of the AWS CLI's S3 calls answers, as text of what the query
    /// names.
    pub fn api(&self, call: &str, query: &str, rest: &[&str]) -> Result<String, BenchError> {
        let mut command = self.command(&self.options.aws, "--endpoint-url");
        command.args(["s3api", call, "--query", query, "--output", "text"]);
        let answered = command.args(rest).stderr(Stdio::inherit()).output();
        let program = &self.options.aws;
        let answered =
            answered.map_err(BenchError::io(format!("running {}", program.display())))?;
        if !answered.status.success() {
            return Err(BenchError::program(program, format!("{call} failed")));
        }
        let text = String::from_utf8_lossy(&answered.stdout);
        Ok(text.trim().to_owned())
    }

    fn command(&self, program: &Path, endpoint_option: &str) -> Command {
        let mut command = Command::new(program);
        command
            .arg(endpoint_option)
            .arg(format!("http://{}", self.endpoint.address))
            .env("AWS_ACCESS_KEY_ID", &self.endpoint.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &self.endpoint.secret_key)
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE");
        command
    }
}

/// Runs a line of shell in a directory.
pub fn shell(directory: &Path, line: &str) -> Result<Duration, BenchError> {
    let mut shell = Command::new("sh");
    timed(shell.args(["-ec", line]).current_dir(directory))
}

fn timed(command: &mut Command) -> Result<Duration, BenchError> {
    let program = PathBuf::from(command.get_program());
    let begun = Instant::now();
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = ended.map_err(BenchError::io(format!("running {}", program.display())))?;
    match status.success() {
        true => Ok(begun.elapsed()),
        false => Err(BenchError::program(&program, format!("failed: {status}"))),
    }
}
