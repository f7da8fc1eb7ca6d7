//! The few AWS calls that the benchmarks make, signed.

use std::net::SocketAddr;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::error::BenchError;
use crate::http::{Answer, Connection};
use crate::sign::Signer;

/// The region that everything is signed for.
pub const REGION: &str = "us-east-1";
/// The log group of every training job.
pub const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";

/// A server's address and the key that it knows.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where it listens.
    pub address: SocketAddr,
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

/// A client of one server, on one connection.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    host: String,
    sagemaker: Signer,
    logs: Signer,
    s3: Signer,
}

impl Client {
    /// A client of the server at the endpoint.
    pub fn new(endpoint: &Endpoint) -> Self {
        let signer =
            |service| Signer::new(&endpoint.access_key, &endpoint.secret_key, REGION, service);
        Self {
            connection: Connection::new(endpoint.address),
            host: endpoint.address.to_string(),
            sagemaker: signer("sagemaker"),
            logs: signer("logs"),
            s3: signer("s3"),
        }
    }

    /// Calls a SageMaker operation.
    pub fn sagemaker(&mut self, operation: &str, input: &Value) -> Result<Value, BenchError> {
        let request = self.prepare(operation, input);
        let answer = self.connection.exchange(&request)?;
        json_of(operation, answer)
    }

    /// A SageMaker request as it goes over the wire, signed now.
    pub fn prepare(&mut self, operation: &str, input: &Value) -> Vec<u8> {
        let target = format!("SageMaker.{operation}");
        json_request(&mut self.sagemaker, &self.host, &target, input)
    }

    /// The lines of a training job's log, up to a page of them.
    pub fn log_lines(&mut self, job: &str) -> Result<Vec<String>, BenchError> {
        let named = json!({"logGroupName": LOG_GROUP, "logStreamNamePrefix": format!("{job}/")});
        let streams = self.logs("DescribeLogStreams", &named)?;
        let stream = &streams["logStreams"][0]["logStreamName"];
        let position = json!({
            "logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": true
        });
        let events = self.logs("GetLogEvents", &position)?;
        let events = events["events"].as_array().cloned().unwrap_or_default();
        let message = |event: &Value| event["message"].as_str().map(str::to_owned);
        Ok(events.iter().filter_map(message).collect())
    }

    /// Calls an operation of CloudWatch Logs.
    pub fn logs(&mut self, operation: &str, input: &Value) -> Result<Value, BenchError> {
        let target = format!("Logs_20140328.{operation}");
        let request = json_request(&mut self.logs, &self.host, &target, input);
        let answer = self.connection.exchange(&request)?;
        json_of(operation, answer)
    }

    /// Puts an object, or makes a bucket where the path names no more.
    pub fn put(&mut self, path: &str, body: &[u8]) -> Result<(), BenchError> {
        let headers = [("host", self.host.as_str())];
        let request = signed_request(&mut self.s3, ("PUT", path), &headers, body);
        let answer = self.connection.exchange(&request)?;
        settled(&format!("PUT {path}"), answer).map(drop)
    }
}

fn json_request(signer: &mut Signer, host: &str, target: &str, input: &Value) -> Vec<u8> {
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("host", host),
        ("x-amz-target", target),
    ];
    let body = input.to_string();
    signed_request(signer, ("POST", "/"), &headers, body.as_bytes())
}

fn signed_request(
    signer: &mut Signer,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let signature = signer.sign((method, path), headers, body, OffsetDateTime::now_utc());
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{lines}x-amz-date: {}\r\nx-amz-content-sha256: {}\r\n\
         authorization: {}\r\ncontent-length: {}\r\n\r\n",
        signature.time,
        signature.payload,
        signature.authorization,
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn settled(operation: &str, answer: Answer) -> Result<Vec<u8>, BenchError> {
    if answer.status == 200 {
        return Ok(answer.body);
    }
    Err(BenchError::Refused {
        operation: operation.to_owned(),
        status: answer.status,
        body: String::from_utf8_lossy(&answer.body).into_owned(),
    })
}

fn json_of(operation: &str, answer: Answer) -> Result<Value, BenchError> {
    let body = settled(operation, answer)?;
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body)
        .map_err(|error| BenchError::Answer(format!("{operation} answered no JSON: {error}")))
}
