//! One address that is called over HTTP: signed requests, tried again when that
//! may help.

use std::fs;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Identity;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Timeout};

use crate::config::{Connection, Credentials, RetryMode};
use crate::failure::Failure;
use crate::globals::VERSION;

/// No answer is longer than this, in bytes.
const LONGEST_ANSWER: u64 = 256 << 20;
/// The longest rest between two tries.
const LONGEST_REST: Duration = Duration::from_secs(20);
/// The codes of refusals that a service gives to those who ask too often.
const THROTTLED: [&str; 9] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "SlowDown",
];

/// Whom to call, and as whom.
#[derive(Debug)]
pub(crate) struct Address<'a> {
    pub(crate) endpoint: &'a str,
    /// The service and the region to sign for.
    pub(crate) service: &'static str,
    pub(crate) region: &'a str,
    /// None where requests are not signed.
    pub(crate) credentials: Option<&'a Credentials>,
}

/// A request.
pub(crate) struct Call<'a> {
    /// The operation, as failures name it.
    pub(crate) operation: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
    /// Reads the code and the message of a refusal.
    pub(crate) refusal: fn(u16, &[u8]) -> (String, String),
}

/// Calls an address.
pub(crate) struct Transport<'a> {
    agent: Agent,
    address: Address<'a>,
    url: String,
    connection: &'a Connection,
}

/// What came of one try.
enum Tried {
    Answered(Vec<u8>),
    Refused(u16, (String, String)),
    Failed(Failure),
}

impl<'a> Transport<'a> {
    /// Nothing is connected yet.
    pub(crate) fn new(address: Address<'a>, connection: &'a Connection) -> Result<Self, Failure> {
        let uri = address.endpoint.parse::<Uri>().ok();
        let has_host = |uri: &Uri| uri.host().is_some_and(|host| !host.is_empty());
        // A lone word is a host to the parser, and no address.
        if !uri.is_some_and(|uri| uri.scheme().is_some() && has_host(&uri)) {
            let endpoint = address.endpoint;
            return Err(Failure::General(format!("Invalid endpoint: {endpoint}")));
        }
        let seconds = |seconds: Option<u64>| seconds.map(Duration::from_secs);
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(VERSION)
            .timeout_connect(seconds(connection.connect_timeout))
            .timeout_recv_response(seconds(connection.read_timeout))
            .timeout_recv_body(seconds(connection.read_timeout));
        if address.endpoint.starts_with("https:") {
            config = config.tls_config(tls(connection)?);
        }
        Ok(Self {
            agent: config.build().into(),
            url: format!("{}/", address.endpoint.trim_end_matches('/')),
            address,
            connection,
        })
    }

    /// Calls, and answers the body of what the service says if it does not refuse.
    pub(crate) fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let attempts = self.connection.attempts;
        let mut attempt = 1;
        loop {
            let tried = self.attempt(call)?;
            let again = may_help(&tried);
            if again && attempt < attempts {
                self.connection.log.say("trying again");
                thread::sleep(rest(self.connection.retry_mode, attempt, rand::random()));
                attempt += 1;
                continue;
            }
            // In standard mode they are counted before the failure is looked at.
            let counts = again || self.connection.retry_mode == RetryMode::Standard;
            let retries = match counts && attempt >= attempts {
                true => format!(" (reached max retries: {})", attempt - 1),
                false => String::new(),
            };
            return match tried {
                Tried::Answered(body) => Ok(body),
                Tried::Failed(failure) => Err(failure),
                Tried::Refused(_, (code, message)) => Err(Failure::Service {
                    operation: call.operation.to_owned(),
                    code,
                    message,
                    retries,
                }),
            };
        }
    }

    fn attempt(&self, call: &Call<'_>) -> Result<Tried, Failure> {
        let mut request = self.agent.post(&self.url);
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        if let Some(credentials) = self.address.credentials {
            for (name, value) in self.signature(credentials, call)? {
                request = request.header(name, value);
            }
        }
        let log = self.connection.log;
        log.say(&format!("calling {} at {}", call.operation, self.url));
        let answered = request.send(call.body).and_then(|mut response| {
            let status = response.status().as_u16();
            let body = response.body_mut().with_config().limit(LONGEST_ANSWER);
            Ok((status, body.read_to_vec()?))
        });
        // What is answered may be a secret, and is not told here.
        match &answered {
            Ok((status, body)) => log.say(&format!("answer {status}, {} bytes", body.len())),
            Err(error) => log.say(&format!("no answer: {error}")),
        }
        Ok(match answered {
            Ok((status, body)) if status < 300 => Tried::Answered(body),
            Ok((status, body)) => Tried::Refused(status, (call.refusal)(status, &body)),
            Err(error) => Tried::Failed(unreachable(&self.url, &error)),
        })
    }

    /// The headers that sign a request.
    fn signature(
        &self,
        credentials: &Credentials,
        call: &Call<'_>,
    ) -> Result<Vec<(String, String)>, Failure> {
        let refuse = |error: &dyn std::error::Error| {
            Failure::General(format!("The request cannot be signed: {error}"))
        };
        let identity = Identity::new(
            &credentials.access_key,
            &credentials.secret_key,
            credentials.token.clone(),
            None,
            "kiln",
        )
        .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.address.region)
            .name(self.address.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| refuse(&error))?
            .into();
        let body = SignableBody::Bytes(call.body);
        let headers = call.headers.iter().copied();
        let request = SignableRequest::new("POST", &self.url, headers, body)
            .map_err(|error| refuse(&error))?;
        let (instructions, _) = sign(request, &parameters)
            .map_err(|error| refuse(&error))?
            .into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

fn tls(connection: &Connection) -> Result<TlsConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let bundle = connection.ca_bundle.as_deref();
    let roots = match bundle.filter(|_| connection.verify_ssl) {
        Some(path) => RootCerts::new_with_certs(&certificates(path)?),
        None => RootCerts::WebPki,
    };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .disable_verification(!connection.verify_ssl)
        .build())
}

fn certificates(path: &str) -> Result<Vec<Certificate<'static>>, Failure> {
    let refuse = |reason: &dyn std::fmt::Display| {
        Failure::General(format!(
            "Could not find a suitable TLS CA certificate bundle, invalid path: {path} ({reason})"
        ))
    };
    let bytes = fs::read(path).map_err(|error| refuse(&error))?;
    let mut found = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refuse(&error))? {
            found.push(certificate);
        }
    }
    Ok(found)
}

/// Whether another try may end better.
fn may_help(tried: &Tried) -> bool {
    match tried {
        Tried::Failed(_) => true,
        Tried::Refused(429 | 500 | 502 | 503 | 504 | 509, _) => true,
        Tried::Refused(_, (code, _)) => THROTTLED.contains(&code.as_str()),
        Tried::Answered(_) => false,
    }
}

/// How long to rest after a try, by a number between zero and one.
fn rest(mode: RetryMode, attempt: u32, random: f64) -> Duration {
    let growth = 2f64.powi(attempt.min(16) as i32 - 1);
    let seconds = match mode {
        RetryMode::Legacy => random * growth,
        RetryMode::Standard => (random * growth).min(LONGEST_REST.as_secs_f64()),
    };
    Duration::from_secs_f64(seconds)
}

/// Why nothing answered, in the AWS CLI's words.
fn unreachable(url: &str, error: &ureq::Error) -> Failure {
    use io::ErrorKind::{ConnectionReset, UnexpectedEof};
    let (io_kind, is_tls) = match error {
        ureq::Error::Io(error) => (
            Some(error.kind()),
            error
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>()),
        ),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => (None, true),
        _ => (None, false),
    };
    if is_tls {
        return Failure::General(format!("SSL validation failed for {url} {error}"));
    }
    Failure::General(match (error, io_kind) {
        (ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve), _) => {
            format!("Connect timeout on endpoint URL: \"{url}\"")
        }
        (ureq::Error::Timeout(_), _) => format!("Read timeout on endpoint URL: \"{url}\""),
        (_, Some(ConnectionReset | UnexpectedEof)) => format!(
            "Connection was closed before we received a valid response from endpoint URL: \"{url}\"."
        ),
        _ => format!("Could not connect to the endpoint URL: \"{url}\""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_with_each_try() {
        for (mode, attempt, expected) in [
            (RetryMode::Legacy, 1, 0.5),
            (RetryMode::Legacy, 4, 4.0),
            (RetryMode::Standard, 3, 2.0),
            (RetryMode::Standard, 12, 20.0),
        ] {
            let rested = rest(mode, attempt, 0.5).as_secs_f64();
            assert!((rested - expected).abs() < 1e-9, "{mode:?} {attempt}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let refused = |status, code: &str| Tried::Refused(status, (code.to_owned(), String::new()));
        for (tried, expected) in [
            (Tried::Answered(Vec::new()), false),
            (refused(503, "503"), true),
            (refused(400, "ThrottlingException"), true),
            (refused(400, "ValidationException"), false),
        ] {
            assert_eq!(may_help(&tried), expected);
        }
    }
}
