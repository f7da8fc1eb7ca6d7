//! Routing: which service is a request for, and who signs it?
//!
//! Nothing is kept of what those send who are turned away: their heads are
//! judged before their bodies are read.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use kiln_agent::report::SERVER_HEADER;
use kiln_jobs::{Identity, Jobs};
use kiln_store::Store;
use time::OffsetDateTime;

use crate::authorization::{Language, authorize};
use crate::body::{discard, read};
use crate::keyring::{Keyring, Principal};
use crate::objects::ObjectService;
use crate::peer::{Peer, on_behalf_of};
use crate::reply::{Fault, Protocol, Reply, fault, unread};
use crate::services::{Call, Services, iam, logs, monitoring, sagemaker, sts, time_series};
use crate::sigv4::{Refusal, Verifier, scope};
use crate::{internal, operator, s3};

/// SageMaker's constraints allow a request of about a megabyte, before characters
/// are escaped.
const LARGEST_REQUEST: usize = 4 << 20;
/// Agents send about a megabyte at once, and one line more.
const LARGEST_DELIVERY: usize = 16 << 20;

/// Everything behind one port.
pub struct FrontDoor {
    keyring: Arc<Keyring>,
    verifier: Verifier,
    services: Services,
    s3: s3s::service::S3Service,
    objects: ObjectService,
    /// The value of [`SERVER_HEADER`].
    name: HeaderValue,
}

impl std::fmt::Debug for FrontDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontDoor")
            .field("identity", &self.services.identity)
            .finish_non_exhaustive()
    }
}

impl FrontDoor {
    /// A front door to these jobs, this store and these objects.
    #[must_use]
    pub fn new(
        identity: Identity,
        keyring: Keyring,
        jobs: Jobs,
        store: Store,
        objects: ObjectService,
    ) -> Self {
        let keyring = Arc::new(keyring);
        let name = HeaderValue::from_str(&jobs.server_id());
        Self {
            verifier: Verifier::new(identity.region.to_string()),
            s3: objects.clone().behind(&keyring, &identity),
            objects,
            services: Services {
                identity,
                jobs,
                store,
                keyring: keyring.clone(),
            },
            keyring,
            // Hexadecimal digits are a header's value always.
            name: name.unwrap_or_else(|_| HeaderValue::from_static("")),
        }
    }

    /// Answers a request. There is an answer to every one, and each says by whom
    /// it is given, so that agents do not take another server for this one.
    pub async fn answer(&self, request: Request<Incoming>) -> Reply {
        let peer = request.extensions().get::<Peer>().copied();
        let mut reply = on_behalf_of(peer, self.route(request)).await;
        reply.headers_mut().insert(SERVER_HEADER, self.name.clone());
        reply
    }

    async fn route(&self, request: Request<Incoming>) -> Reply {
        let (parts, body) = request.into_parts();
        if operator::serves(parts.uri.path()) {
            return self.reply(Served::Operator, &parts, body).await;
        }
        if parts.uri.path().starts_with(internal::PREFIX) {
            return self.hear_agent(&parts, body).await;
        }
        match service_of(&parts) {
            Service::S3 => s3::answer(&self.s3, Request::from_parts(parts, body)).await,
            Service::Unserved(name) => {
                let json = parts.headers.contains_key("x-amz-target");
                let protocol = if json {
                    Protocol::Json
                } else {
                    Protocol::Query
                };
                discard(body).await;
                fault(protocol, &unserved(&name))
            }
            Service::Served(service) => self.reply(service, &parts, body).await,
        }
    }

    /// Only deliveries have a body. A delivery of nothing, which changes nothing,
    /// tells whether the sender is an agent.
    async fn hear_agent(&self, parts: &Parts, body: Incoming) -> Reply {
        let (jobs, objects) = (&self.services.jobs, &self.objects);
        if parts.method != Method::POST {
            return internal::answer(jobs, objects, parts, b"").await;
        }
        let known = internal::answer(jobs, objects, parts, b"[]").await;
        if !known.status().is_success() {
            discard(body).await;
            return known;
        }
        match read(body, LARGEST_DELIVERY).await {
            Ok(body) => internal::answer(jobs, objects, parts, &body).await,
            Err(error) => unread(Protocol::Json, error),
        }
    }

    async fn reply(&self, service: Served, parts: &Parts, body: Incoming) -> Reply {
        self.serve(service, parts, body)
            .await
            .unwrap_or_else(|error| service.refuse(parts, &error))
    }

    async fn serve(&self, service: Served, parts: &Parts, body: Incoming) -> Result<Reply, Fault> {
        let protocol = service.protocol(parts);
        let now = OffsetDateTime::now_utc();
        let admitted = match self.verifier.admit(parts, &self.keyring, now) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                discard(body).await;
                return Err(refused(protocol, &refusal));
            }
        };
        let body = match read(body, LARGEST_REQUEST).await {
            Ok(body) => body,
            Err(error) => return Ok(unread(protocol, error)),
        };
        let caller = admitted.confirm(parts, &body);
        let call = Call {
            caller: caller.map_err(|refusal| refused(protocol, &refusal))?,
            parts,
            body: &body,
        };
        if let Some((language, operation)) = service.demanded(&call)? {
            authorize(&self.services, &call, language, &operation, protocol)?;
        }
        self.call(service, &call).await
    }

    async fn call(&self, service: Served, call: &Call<'_>) -> Result<Reply, Fault> {
        match service {
            Served::SageMaker => sagemaker::answer(&self.services, call).await,
            Served::TimeSeries => time_series::answer(&self.services, call).await,
            Served::Logs => logs::answer(&self.services, call).await,
            Served::Monitoring => monitoring::answer(&self.services, call).await,
            Served::Sts => sts::answer(&self.services, call).await,
            Served::Iam => iam::answer(&self.services, call).await,
            Served::Operator => operator::answer(&self.services, call).await,
        }
    }
}

/// The services whose requests are read whole and verified here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    SageMaker,
    TimeSeries,
    Logs,
    Monitoring,
    Sts,
    Iam,
    Operator,
}

impl Served {
    fn protocol(self, parts: &Parts) -> Protocol {
        match self {
            Self::SageMaker | Self::TimeSeries | Self::Logs | Self::Operator => Protocol::Json,
            Self::Sts | Self::Iam => Protocol::Query,
            Self::Monitoring => monitoring::Wire::of(parts).kin(),
        }
    }

    /// What a request wants done, for who is judged by policies. STS judges by
    /// itself: it tells everybody who they are, and roles say who may assume them.
    fn demanded(self, call: &Call<'_>) -> Result<Option<(Language, String)>, Fault> {
        let path = call.parts.uri.path();
        Ok(Some(match self {
            Self::SageMaker => (Language::SageMaker, call.operation()?.to_owned()),
            Self::TimeSeries => {
                let operation = path.trim_start_matches('/').to_owned();
                (Language::Other("sagemaker"), operation)
            }
            Self::Logs => (Language::Logs, call.operation()?.to_owned()),
            Self::Monitoring => (Language::CloudWatch, monitoring::operation(call)?),
            Self::Iam => (Language::Iam, call.parameter("Action").unwrap_or_default()),
            Self::Operator => (Language::Other("kiln"), operator::ACTION.to_owned()),
            Self::Sts => return Ok(None),
        }))
    }

    /// The reply to a request that is refused.
    fn refuse(self, parts: &Parts, error: &Fault) -> Reply {
        match self {
            Self::Monitoring => monitoring::refuse(parts, error),
            _ => fault(self.protocol(parts), error),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Service {
    S3,
    Served(Served),
    Unserved(String),
}

/// The service that a request is signed for; without a signature, the one that
/// its form shows.
fn service_of(parts: &Parts) -> Service {
    let signed = scope(parts).map(|scope| scope.service);
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let path = parts.uri.path();
    let name = signed.unwrap_or_else(|| match target {
        Some(target) if target.starts_with("SageMaker.") => "sagemaker".to_owned(),
        Some(target) if target.starts_with("Logs_") => "logs".to_owned(),
        Some(target) if target.starts_with(monitoring::TARGET) => "monitoring".to_owned(),
        Some(_) => "sagemaker".to_owned(),
        None if path.starts_with(monitoring::CBOR_PREFIX) => "monitoring".to_owned(),
        None => "s3".to_owned(),
    });
    match name.as_str() {
        "s3" => Service::S3,
        "sagemaker" if time_series::serves(path) => Service::Served(Served::TimeSeries),
        "sagemaker" => Service::Served(Served::SageMaker),
        "monitoring" => Service::Served(Served::Monitoring),
        "logs" => Service::Served(Served::Logs),
        "sts" => Service::Served(Served::Sts),
        "iam" => Service::Served(Served::Iam),
        _ => Service::Unserved(name),
    }
}

fn unserved(name: &str) -> Fault {
    Fault::new(
        "UnknownOperationException",
        format!("The service '{name}' is not served by Kiln."),
    )
}

/// A refused signature, by the codes of the protocol.
fn refused(protocol: Protocol, refusal: &Refusal) -> Fault {
    let (json, query) = match refusal {
        Refusal::Missing => (
            "MissingAuthenticationTokenException",
            "MissingAuthenticationToken",
        ),
        Refusal::Incomplete(_) => ("IncompleteSignatureException", "IncompleteSignature"),
        Refusal::UnknownKey => ("UnrecognizedClientException", "InvalidClientTokenId"),
        Refusal::ExpiredKey => ("ExpiredTokenException", "ExpiredToken"),
        Refusal::Clock(_) | Refusal::Region(_) | Refusal::Mismatch => {
            ("InvalidSignatureException", "SignatureDoesNotMatch")
        }
    };
    match protocol {
        Protocol::Json => Fault::new(json, refusal.to_string()),
        Protocol::Query | Protocol::S3 => {
            Fault::new(query, refusal.to_string()).with_status(StatusCode::FORBIDDEN)
        }
    }
}

/// A job whose role is a name only may not call an API: it has its scope in S3 and
/// no more. All others have been judged by their policies.
pub(crate) fn require_owner(
    caller: &Principal,
    identity: &Identity,
    action: &str,
) -> Result<(), Fault> {
    let Principal::Job(session) = caller else {
        return Ok(());
    };
    let account = &identity.account;
    Err(Fault::new(
        "AccessDeniedException",
        format!(
            "User: arn:aws:sts::{account}:assumed-role/KilnExecutionRole/{} is not authorized to \
             perform: {action}",
            session.job
        ),
    ))
}
