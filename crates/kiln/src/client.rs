//! A small client of Kiln's own HTTP API, for commands that use it as anyone
//! else would: signed requests over the wire.

mod outage;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use kiln_server::AccessKey;
use kiln_server::sigv4::sign;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/x-amz-json-1.1";
const WHO_AM_I: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";

/// Where a server is at the moment, as `host:port`.
pub type Location = Arc<dyn Fn() -> String + Send + Sync>;

/// Calls one server with one key.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// `http` or `https`
    scheme: String,
    location: Location,
    key: AccessKey,
    session_token: Option<String>,
    region: String,
    /// Whether a server that does not answer is waited for.
    patient: bool,
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

/// Why a call has no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server said no.
    #[error("{operation} was refused: {code}: {message}")]
    Refused {
        /// What was asked for.
        operation: String,
        /// The error's code, such as `ResourceNotFound`.
        code: String,
        /// The server's sentence.
        message: String,
    },
    /// Nobody answered.
    #[error("{endpoint} does not answer: {cause}")]
    Unreachable {
        /// The URL that was tried.
        endpoint: String,
        /// What happened.
        cause: String,
    },
    /// What answered does not speak the protocol.
    #[error("the answer to {0} makes no sense")]
    Nonsense(String),
    /// There is no such request.
    #[error("a request cannot be made: {0}")]
    Unsendable(String),
}

impl ClientError {
    /// Whether the server knows no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code, message, .. }
            if code.starts_with("ResourceNotFound")
                || message.starts_with("Requested resource not found"))
    }
}

impl Client {
    /// A client of the server at `host:port`.
    pub fn new(http: reqwest::Client, authority: String, key: AccessKey, region: String) -> Self {
        Self {
            http,
            scheme: "http".to_owned(),
            location: Arc::new(move || authority.clone()),
            key,
            session_token: None,
            region,
            patient: false,
        }
    }

    /// The same client, which speaks over this scheme.
    pub fn with_scheme(self, scheme: &str) -> Self {
        let scheme = scheme.to_owned();
        Self { scheme, ..self }
    }

    /// The same client, of a server that may be somewhere else each time.
    pub fn with_location(self, location: Location) -> Self {
        Self { location, ..self }
    }

    /// The same client, which waits for a minute for a server that does not answer,
    /// as one does that is restarted. For calls only that may be made twice.
    pub fn patient(&self) -> Self {
        Self {
            patient: true,
            ..self.clone()
        }
    }

    /// The same client, whose key is one of a session.
    pub fn with_session_token(self, session_token: Option<String>) -> Self {
        Self {
            session_token,
            ..self
        }
    }

    /// Where the server is.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Calls an operation, and answers its output.
    pub async fn call(
        &self,
        service: Service,
        operation: &str,
        input: &impl Serialize,
    ) -> Result<Value, ClientError> {
        let body = serde_json::to_vec(input).map_err(unsendable)?;
        let (name, prefix) = service.names();
        let request = http::Request::post("/")
            .header("content-type", JSON)
            .header("x-amz-target", format!("{prefix}.{operation}"))
            .body(body)
            .map_err(unsendable)?;
        self.send(request, name, operation).await
    }

    /// Calls an operation that has a path of its own and nothing to be told.
    pub async fn post(&self, path: &str, operation: &str) -> Result<Value, ClientError> {
        let (name, _) = Service::SageMaker.names();
        let request = http::Request::post(path)
            .body(Vec::new())
            .map_err(unsendable)?;
        self.send(request, name, operation).await
    }

    /// The account whose key this is.
    pub async fn account(&self) -> Result<String, ClientError> {
        let operation = "GetCallerIdentity";
        let request = http::Request::post("/")
            .header("content-type", FORM)
            .body(WHO_AM_I.to_vec())
            .map_err(unsendable)?;
        let (status, body) = self.exchange(request, "sts").await?;
        let text = String::from_utf8_lossy(&body);
        let element = |name| element(&text, name).map(str::to_owned);
        if status.is_success() {
            return element("Account").ok_or_else(|| nonsense(operation));
        }
        Err(ClientError::Refused {
            operation: operation.to_owned(),
            code: element("Code").ok_or_else(|| nonsense(operation))?,
            message: element("Message").unwrap_or_default(),
        })
    }

    async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        service: &str,
        operation: &str,
    ) -> Result<Value, ClientError> {
        let (status, body) = self.exchange(request, service).await?;
        let answer = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).map_err(|_| nonsense(operation))?
        };
        if status.is_success() {
            Ok(answer)
        } else {
            Err(refusal(operation, &answer))
        }
    }

    /// Sends a request and reads the whole answer.
    async fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
        service: &str,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        if !self.patient {
            return self.exchange_once(request, service).await;
        }
        let once_more = async || self.exchange_once(request.clone(), service).await;
        outage::outlast(outage::PATIENCE, once_more).await
    }

    async fn exchange_once(
        &self,
        request: http::Request<Vec<u8>>,
        service: &str,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let (mut parts, body) = request.into_parts();
        let authority = (self.location)();
        let host = authority.parse().map_err(unsendable)?;
        parts.headers.insert("host", host);
        if let Some(token) = &self.session_token {
            let token = token.parse().map_err(unsendable)?;
            parts.headers.insert("x-amz-security-token", token);
        }
        let now = OffsetDateTime::now_utc();
        let place = (self.region.as_str(), service);
        sign(&mut parts, &body, &self.key, place, now).map_err(unsendable)?;
        let endpoint = format!("{}://{authority}", self.scheme);
        let request = self
            .http
            .post(format!("{endpoint}{}", parts.uri.path()))
            .headers(parts.headers)
            .body(body);
        let read = async {
            let sent = request.send().await?;
            Ok((sent.status(), sent.bytes().await?))
        };
        read.await.map_err(|error| unreachable(endpoint, error))
    }
}

fn refusal(operation: &str, answer: &Value) -> ClientError {
    let text = |name: &str| answer[name].as_str();
    let code = text("__type").unwrap_or("unknown error");
    let message = text("message").or(text("Message"));
    ClientError::Refused {
        operation: operation.to_owned(),
        // The shape's name may stand before it.
        code: code.rsplit('#').next().unwrap_or(code).to_owned(),
        message: message.unwrap_or("no reason given").to_owned(),
    }
}

fn unreachable(endpoint: String, error: reqwest::Error) -> ClientError {
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = cause.to_string();
    ClientError::Unreachable { endpoint, cause }
}

fn unsendable(error: impl std::fmt::Display) -> ClientError {
    ClientError::Unsendable(error.to_string())
}

fn nonsense(operation: &str) -> ClientError {
    ClientError::Nonsense(operation.to_owned())
}

/// The text of the first element of this name.
fn element<'t>(document: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let cases = [
            (
                json!({"__type": "ValidationException", "message": "Too long"}),
                "StopIt was refused: ValidationException: Too long",
            ),
            (
                json!({"__type": "com.amazonaws#ResourceNotFound", "Message": "None"}),
                "StopIt was refused: ResourceNotFound: None",
            ),
            (
                Value::Null,
                "StopIt was refused: unknown error: no reason given",
            ),
        ];
        for (answer, text) in cases {
            assert_eq!(refusal("StopIt", &answer).to_string(), text);
        }
    }

    #[test]
    fn the_account_is_an_element() {
        let text = "<R><Arn>a</Arn><Account>123456789012</Account></R>";
        assert_eq!(element(text, "Account"), Some("123456789012"));
        assert_eq!(element(text, "UserId"), None);
    }
}
