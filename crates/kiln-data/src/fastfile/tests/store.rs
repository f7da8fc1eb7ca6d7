//! A store in this process that knows just enough S3, counts what is asked of
//! it, and can stop answering.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{Credentials, Objects, Patience, Transport};

pub const BUCKET: &str = "bucket";

type Answer = Response<Full<Bytes>>;

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Bytes, u64)>,
    versions: u64,
    reads: Vec<(String, Range<u64>)>,
}

#[derive(Clone)]
pub struct Store {
    address: String,
    state: Arc<Mutex<State>>,
    silent: watch::Sender<bool>,
}

impl Store {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let store = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            silent: watch::channel(false).0,
        };
        tokio::spawn(store.clone().accept(listener));
        store
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((connection, _)) = listener.accept().await {
            let store = self.clone();
            let service = hyper::service::service_fn(move |request| store.clone().serve(request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service);
            tokio::spawn(connection);
        }
    }

    pub fn put(&self, key: &str, body: impl Into<Bytes>) {
        let mut state = self.state.lock().unwrap();
        state.versions += 1;
        let version = state.versions;
        state.objects.insert(key.to_owned(), (body.into(), version));
    }

    /// Stops or begins again to answer reads of objects.
    pub fn be_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// The ranges of objects that were asked for so far.
    pub fn reads(&self) -> Vec<(String, Range<u64>)> {
        self.state.lock().unwrap().reads.clone()
    }

    pub fn client(&self) -> Objects {
        let http = Objects::http_client(Transport::Plain).unwrap();
        let address = self.address.clone();
        let keys = Credentials {
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: None,
        };
        let location = Arc::new(move || Ok(address.clone()));
        Objects::new(http, location, "us-east-1", &keys).with_patience(Patience::OWN)
    }

    async fn serve(self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let (_, key) = path.split_once('/').unwrap_or((&path, ""));
        if key.is_empty() {
            return Ok(self.list(request.uri().query().unwrap_or_default()));
        }
        let range = header(&request, "range").and_then(|range| read_range(&range));
        let if_match = header(&request, "if-match");
        let answer = self.get(key, range, if_match);
        let mut silent = self.silent.subscribe();
        let _ = silent.wait_for(|silent| !silent).await;
        Ok(answer)
    }

    fn list(&self, query: &str) -> Answer {
        let query = url::form_urlencoded::parse(query.as_bytes());
        let prefix = query.into_iter().find(|(name, _)| name == "prefix");
        let prefix = prefix
            .map(|(_, prefix)| prefix.into_owned())
            .unwrap_or_default();
        let state = self.state.lock().unwrap();
        let mut contents = String::new();
        for (key, (body, version)) in &state.objects {
            if key.starts_with(&prefix) {
                contents += &format!(
                    "<Contents><Key>{key}</Key><Size>{}</Size><ETag>&quot;v{version}&quot;</ETag>\
                     <LastModified>2026-01-01T00:00:00.000Z</LastModified>\
                     <StorageClass>STANDARD</StorageClass></Contents>",
                    body.len()
                );
            }
        }
        let body = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{BUCKET}</Name>\
             <IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        );
        Response::new(Full::new(body.into()))
    }

    fn get(&self, key: &str, range: Option<Range<u64>>, if_match: Option<String>) -> Answer {
        let mut state = self.state.lock().unwrap();
        let Some((body, version)) = state.objects.get(key).cloned() else {
            return refusal(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let etag = format!("\"v{version}\"");
        if if_match.is_some_and(|wanted| wanted != etag) {
            return refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let size = body.len() as u64;
        let range = range.unwrap_or(0..size);
        let range = range.start.min(size)..range.end.min(size);
        state.reads.push((key.to_owned(), range.clone()));
        Response::builder()
            .status(StatusCode::PARTIAL_CONTENT)
            .header("etag", etag)
            .body(Full::new(
                body.slice(range.start as usize..range.end as usize),
            ))
            .unwrap()
    }
}

fn refusal(status: StatusCode, code: &str) -> Answer {
    let body = format!("<Error><Code>{code}</Code><Message>{code}.</Message></Error>");
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

fn header(request: &Request<Incoming>, name: &str) -> Option<String> {
    let value = request.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

/// Reads `bytes=first-last`.
fn read_range(range: &str) -> Option<Range<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = last.parse::<u64>().map_or(u64::MAX, |last| last + 1);
    Some(first.parse().ok()?..end)
}
