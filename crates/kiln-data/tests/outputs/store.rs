//! The embedded S3 on a free port, which can be told to refuse.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use kiln_data::{Credentials, Objects, Transport};
use kiln_s3::{Access, AccessKey, Authority, KeyRefusal, ObjectStore, Site};
use tokio::net::TcpListener;

pub const BUCKET: &str = "bucket";
/// How long a busy machine may take to clear up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Answers whether a request may go on, from its action and key.
type Gate = Box<dyn FnMut(&str, &str) -> bool + Send>;

struct Gated(Arc<Mutex<Gate>>);

impl Authority for Gated {
    fn key(&self, _: &str) -> Result<AccessKey, KeyRefusal> {
        Ok(AccessKey {
            secret: "secret".to_owned(),
            session_token: None,
        })
    }

    fn allows(&self, _: &str, access: &Access<'_>) -> bool {
        (self.0.lock().unwrap())(access.action, access.key.unwrap_or_default())
    }
}

pub struct Store {
    gate: Arc<Mutex<Gate>>,
    pub client: Objects,
    directory: tempfile::TempDir,
}

impl Store {
    /// Serves one empty bucket.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = ObjectStore::open(directory.path()).unwrap();
        store.create_bucket(BUCKET).await.unwrap();
        let gate: Gate = Box::new(|_, _| true);
        let gate = Arc::new(Mutex::new(gate));
        let site = Site {
            region: "us-east-1".to_owned(),
            account: "123456789012".to_owned(),
        };
        let service = kiln_s3::service(store, Arc::new(Gated(gate.clone())), site);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let service = service.clone();
                let server = hyper::server::conn::http1::Builder::new();
                tokio::spawn(server.serve_connection(TokioIo::new(connection), service));
            }
        });
        let keys = Credentials {
            access_key: "id".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: None,
        };
        let http = Objects::http_client(Transport::Plain).unwrap();
        let location = Arc::new(move || Ok(address.clone()));
        Self {
            gate,
            client: Objects::new(http, location, "us-east-1", &keys),
            directory,
        }
    }

    /// From now on only what this allows goes on.
    pub fn only(&self, gate: impl FnMut(&str, &str) -> bool + Send + 'static) {
        *self.gate.lock().unwrap() = Box::new(gate);
    }

    /// Every object, by key.
    pub async fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        for key in self.keys().await {
            let body = self.client.get(BUCKET, &key).await.unwrap();
            objects.insert(key, body.bytes().await.unwrap().to_vec());
        }
        objects
    }

    /// The keys alone, which may be asked for while objects come and go.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let listed = self.client.list_page(BUCKET, "", token.as_deref()).await;
            let (page, next) = listed.unwrap();
            keys.extend(page.into_iter().map(|object| object.key));
            token = next;
            if token.is_none() {
                return keys;
            }
        }
    }

    /// How many bodies lie on disk, of objects and of parts.
    pub fn bodies(&self) -> usize {
        let fans = std::fs::read_dir(self.directory.path().join("objects")).unwrap();
        fans.map(|fan| std::fs::read_dir(fan.unwrap().path()).unwrap().count())
            .sum()
    }
    /// Waits until so many bodies lie on disk. Parts that were on
    /// their way when their upload was forgotten go when the server sees that
    /// nobody sends them.
    pub async fn keeps(&self, bodies: usize) {
        let begun = Instant::now();
        while self.bodies() != bodies {
            assert!(begun.elapsed() < PATIENCE, "{} bodies stay", self.bodies());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}
