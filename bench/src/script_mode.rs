//! How soon the first line of a user's script runs in script mode: through the
//! real training toolkit, in the scikit-learn framework environment.

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::BenchError;
use crate::latency::{BUCKET, Latency, follow, request};
use crate::options::Options;
use crate::server::Kiln;

const IMAGE: &str =
    "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3";
const PROGRAM: &str = "train.py";
const SCRIPT: &[u8] = b"import time; print('kiln-bench began', time.time_ns())\n";
const SOURCES: &str = "sources/sourcedir.tar.gz";

/// Runs the jobs. The first of them creates the environment where there is none.
pub fn measure(options: &Options) -> Result<Latency, BenchError> {
    let kiln = Kiln::start(options)?;
    let mut client = Client::new(kiln.endpoint());
    client.put(&format!("/{BUCKET}"), b"")?;
    let sources = archive().map_err(BenchError::io("packing the script"))?;
    client.put(&format!("/{BUCKET}/{SOURCES}"), &sources)?;
    follow(&mut client, options.script_jobs(), script_request)
}

/// What the SageMaker SDK would ask for.
fn script_request(name: &str) -> Value {
    let mut request = request(name, "");
    request["AlgorithmSpecification"] = json!({
        "TrainingImage": IMAGE,
        "TrainingInputMode": "File",
    });
    // The SDK writes every hyperparameter as JSON.
    request["HyperParameters"] = json!({
        "sagemaker_program": json!(PROGRAM).to_string(),
        "sagemaker_submit_directory": json!(format!("s3://{BUCKET}/{SOURCES}")).to_string(),
    });
    request
}

fn archive() -> std::io::Result<Vec<u8>> {
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    let mut header = tar::Header::new_ustar();
    header.set_size(SCRIPT.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, PROGRAM, SCRIPT)?;
    archive.into_inner()?.finish()
}
