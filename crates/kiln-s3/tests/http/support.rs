//! A server on a free port and a client that sends exactly what a test says.

pub mod signer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use kiln_s3::{Access, AccessKey, Authority, KeyRefusal, ObjectStore, Site};
use tokio::net::{TcpListener, TcpStream};

pub const ROOT: signer::Key = signer::Key {
    id: "root",
    secret: "root-secret",
};
/// A temporary key that may only use keys under `jobs/`.
pub const JOB: signer::Key = signer::Key {
    id: "job",
    secret: "job-secret",
};
pub const JOB_TOKEN: &str = "job-token";
pub const BUCKET: &str = "bucket";

struct TwoKeys;

impl Authority for TwoKeys {
    fn key(&self, access_key: &str) -> Result<AccessKey, KeyRefusal> {
        let (secret, session_token) = match access_key {
            "root" => (ROOT.secret, None),
            "job" => (JOB.secret, Some(JOB_TOKEN.to_owned())),
            "old" => return Err(KeyRefusal::Expired),
            _ => return Err(KeyRefusal::Unknown),
        };
        Ok(AccessKey {
            secret: secret.to_owned(),
            session_token,
        })
    }

    fn allows(&self, access_key: &str, access: &Access<'_>) -> bool {
        access_key == "root" || access.key.is_some_and(|key| key.starts_with("jobs/"))
    }
}

pub struct Server {
    pub address: String,
    pub directory: PathBuf,
    /// Deleted with the server, when it was made for it.
    _temporary: Option<tempfile::TempDir>,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// The status, and the code of an error.
    pub fn outcome(&self) -> String {
        let text = self.text();
        let code = text
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once("</Code>"))
            .map_or("", |(code, _)| code);
        format!("{} {code}", self.status.as_u16()).trim().to_owned()
    }
}

impl Server {
    /// Serves a fresh store that holds one empty bucket.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self::start_in(directory.path()).await;
        server._temporary = Some(directory);
        server
    }

    /// Serves the store in this directory.
    pub async fn start_in(directory: &Path) -> Self {
        let store = ObjectStore::open(directory).unwrap();
        store.create_bucket(BUCKET).await.unwrap();
        let site = Site {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        };
        let service = kiln_s3::service(store, Arc::new(TwoKeys), site);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = hyper::server::conn::http1::Builder::new();
                    let _ = builder
                        .serve_connection(TokioIo::new(connection), service)
                        .await;
                });
            }
        });
        Self {
            address,
            directory: directory.to_owned(),
            _temporary: None,
        }
    }

    /// A request, signed by root in its headers.
    pub fn signed(&self, method: &str, target: &str, body: &[u8]) -> signer::Draft {
        signer::Draft::new(&self.address, method, target).payload(&signer::sha256(body))
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, draft: signer::Draft, body: impl Into<Bytes>) -> Answer {
        let mut request = Request::builder()
            .method(draft.method.as_str())
            .uri(draft.target());
        for (name, value) in &draft.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Sends a request signed by root with these headers, which are signed too.
    pub async fn ask_with(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let draft = self.signed(method, target, body);
        let draft = headers
            .iter()
            .fold(draft, |draft, (name, value)| draft.header(name, value));
        self.send(draft.sign(&ROOT), body.to_vec()).await
    }

    /// The paths of all body files.
    pub fn bodies(&self) -> Vec<PathBuf> {
        let fans = std::fs::read_dir(self.directory.join("objects")).unwrap();
        let files = fans.flat_map(|fan| std::fs::read_dir(fan.unwrap().path()).unwrap());
        files.map(|file| file.unwrap().path()).collect()
    }

    /// Waits for the deletions that answers do not wait for.
    pub async fn settled(&self, expected: usize) -> usize {
        for _ in 0..6000 {
            if self.bodies().len() == expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        self.bodies().len()
    }

    /// Begins an upload; returns its identity.
    pub async fn begin(&self, key: &str, headers: &[(&str, &str)]) -> (Answer, String) {
        let target = format!("/bucket/{key}?uploads");
        let answer = self.ask_with("POST", &target, headers, b"").await;
        let id = between(&answer.text(), "<UploadId>", "</UploadId>").to_owned();
        (answer, id)
    }

    /// Sends parts from number 1 on; returns the body that completes the upload.
    pub async fn send_parts(&self, key: &str, id: &str, parts: &[&[u8]]) -> String {
        let mut listed = String::new();
        for (number, content) in (1..).zip(parts) {
            let target = format!("/bucket/{key}?partNumber={number}&uploadId={id}");
            let answer = self.ask("PUT", &target, content).await;
            assert_eq!(answer.outcome(), "200");
            let etag = answer.header("etag");
            listed.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            ));
        }
        format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>")
    }

    /// Sends a request signed by root in its headers.
    pub async fn ask(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        let draft = self.signed(method, target, body).sign(&ROOT);
        self.send(draft, body.to_vec()).await
    }
}

/// What is between the first `start` and the `end` behind it.
pub fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let from = text.find(start).unwrap() + start.len();
    &text[from..from + text[from..].find(end).unwrap()]
}
