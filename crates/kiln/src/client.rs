//! A small client of Kiln's own HTTP API, for commands that use it as anyone
//! else would: signed requests over the wire.

use kiln_server::AccessKey;
use kiln_server::sigv4::sign;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use crate::commands::Failure;

/// Calls one endpoint with one key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// `host:port`
    authority: String,
    key: AccessKey,
    region: String,
}

/// The JSON services that commands call.
#[derive(Debug, Clone, Copy)]
pub enum Service {
    /// The job API.
    SageMaker,
    /// CloudWatch Logs.
    Logs,
}

impl Service {
    /// The name to sign for, and what operations are prefixed with.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SageMaker => ("sagemaker", "SageMaker"),
            Self::Logs => ("logs", "Logs_20140328"),
        }
    }
}

impl Client {
    /// A client of the server at `host:port`.
    pub fn new(http: reqwest::Client, authority: String, key: AccessKey, region: String) -> Self {
        Self {
            http,
            authority,
            key,
            region,
        }
    }

    /// Calls an operation, and answers its output.
    pub async fn call(
        &self,
        service: Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<Value, Failure> {
        let body = serde_json::to_vec(input)?;
        let (name, prefix) = service.names();
        let request = http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("{prefix}.{operation}"))
            .body(body)?;
        self.send(request, name, operation).await
    }

    /// Calls an operation that has a path of its own and nothing to be told.
    pub async fn post(&self, path: &str, operation: &str) -> Result<Value, Failure> {
        let (name, _) = Service::SageMaker.names();
        let request = http::Request::post(path).body(Vec::new())?;
        self.send(request, name, operation).await
    }

    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        service: &str,
        operation: &str,
    ) -> Result<Value, Failure> {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert("host", self.authority.parse()?);
        let now = OffsetDateTime::now_utc();
        sign(&mut parts, &body, &self.key, (&self.region, service), now)?;
        let url = format!("http://{}{}", self.authority, parts.uri.path());
        let sent = self
            .http
            .post(url)
            .headers(parts.headers)
            .body(body)
            .send()
            .await?;
        let (status, body) = (sent.status(), sent.bytes().await?);
        let answer = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)?
        };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(refusal(operation, &answer).into())
        }
    }
}

fn refusal(operation: &str, answer: &Value) -> String {
    let text = |name: &str| answer[name].as_str();
    let message = text("message")
        .or(text("Message"))
        .unwrap_or("no reason given");
    format!(
        "{operation} was refused: {}: {message}",
        text("__type").unwrap_or("unknown error")
    )
}
