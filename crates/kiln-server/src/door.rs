//! Routing: which service is a request for, and who signs it?

use std::sync::Arc;

use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use kiln_jobs::Identity;
use kiln_jobs::training::TrainingJobs;
use kiln_s3::{ObjectStore, Site};
use kiln_store::Store;
use time::OffsetDateTime;

use crate::internal;
use crate::keyring::{Keyring, Principal};
use crate::objects::KeyringAuthority;
use crate::reply::{Fault, Protocol, Reply, fault, identified};
use crate::services::{Call, Services, iam, logs, sagemaker, sts};
use crate::sigv4::{Refusal, Verifier, scope};

/// No request of the APIs served here is larger; reports of agents are about a
/// megabyte.
const LARGEST_BODY: usize = 16 << 20;

/// Everything behind one port.
pub struct FrontDoor {
    keyring: Arc<Keyring>,
    verifier: Verifier,
    services: Services,
    s3: s3s::service::S3Service,
}

impl std::fmt::Debug for FrontDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrontDoor")
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl FrontDoor {
    /// A front door to these jobs, this store and these objects.
    #[must_use]
    pub fn new(
        identity: Identity,
        keyring: Keyring,
        jobs: TrainingJobs,
        store: Store,
        objects: ObjectStore,
    ) -> Self {
        let keyring = Arc::new(keyring);
        let site = Site {
            region: identity.region.to_string(),
            account: identity.account.to_string(),
        };
        let authority = Arc::new(KeyringAuthority(keyring.clone()));
        Self {
            keyring,
            verifier: Verifier::new(identity.region.to_string()),
            s3: kiln_s3::service(objects, authority, site),
            services: Services {
                identity,
                jobs,
                store,
            },
        }
    }

    /// Answers a request. There is an answer to every one.
    pub async fn answer(&self, request: Request<Incoming>) -> Reply {
        if request.uri().path().starts_with(internal::PREFIX) {
            let (parts, body) = request.into_parts();
            return match read(body).await {
                Ok(body) => internal::answer(&self.services.jobs, &parts, &body).await,
                Err(too_large) => fault(Protocol::Json, &too_large),
            };
        }
        let (parts, body) = request.into_parts();
        match service_of(&parts) {
            Service::S3 => self.s3(Request::from_parts(parts, body)).await,
            Service::Unserved(name) => {
                let json = parts.headers.contains_key("x-amz-target");
                let protocol = if json {
                    Protocol::Json
                } else {
                    Protocol::Query
                };
                fault(protocol, &unserved(&name))
            }
            Service::Served(service) => match read(body).await {
                Ok(body) => self.serve(service, &parts, &body).await,
                Err(too_large) => fault(service.protocol(), &too_large),
            },
        }
    }

    async fn s3(&self, request: Request<Incoming>) -> Reply {
        match self.s3.call(request.map(s3s::Body::from)).await {
            Ok(answer) => {
                let answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
                identified(answer, "x-amz-request-id")
            }
            Err(error) => fault(Protocol::Query, &Fault::internal(&format!("{error:?}"))),
        }
    }

    async fn serve(&self, service: Served, parts: &Parts, body: &[u8]) -> Reply {
        let now = OffsetDateTime::now_utc();
        let outcome = match self.verifier.verify(parts, body, &self.keyring, now) {
            Ok(caller) => {
                self.call(
                    service,
                    &Call {
                        caller,
                        parts,
                        body,
                    },
                )
                .await
            }
            Err(refusal) => Err(refused(service.protocol(), &refusal)),
        };
        outcome.unwrap_or_else(|error| fault(service.protocol(), &error))
    }

    async fn call(&self, service: Served, call: &Call<'_>) -> Result<Reply, Fault> {
        match service {
            Served::SageMaker => sagemaker::answer(&self.services, call).await,
            Served::Logs => logs::answer(&self.services, call),
            Served::Sts => sts::answer(&self.services, call),
            Served::Iam => iam::answer(&self.services, call),
        }
    }
}

/// The services whose requests are read whole and verified here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    SageMaker,
    Logs,
    Sts,
    Iam,
}

impl Served {
    fn protocol(self) -> Protocol {
        match self {
            Self::SageMaker | Self::Logs => Protocol::Json,
            Self::Sts | Self::Iam => Protocol::Query,
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
    let name = signed.unwrap_or_else(|| match target {
        Some(target) if target.starts_with("SageMaker.") => "sagemaker".to_owned(),
        Some(target) if target.starts_with("Logs_") => "logs".to_owned(),
        Some(_) => "sagemaker".to_owned(),
        None => "s3".to_owned(),
    });
    match name.as_str() {
        "s3" => Service::S3,
        "sagemaker" => Service::Served(Served::SageMaker),
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

async fn read(body: Incoming) -> Result<bytes::Bytes, Fault> {
    let collected = Limited::new(body, LARGEST_BODY).collect().await;
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|_| {
            Fault::new(
                "RequestEntityTooLargeException",
                "The request body could not be read whole.",
            )
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
        })
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
        Protocol::Query => {
            Fault::new(query, refusal.to_string()).with_status(StatusCode::FORBIDDEN)
        }
    }
}

/// Only the owner may call an API; jobs have their scope in S3 and no more.
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
