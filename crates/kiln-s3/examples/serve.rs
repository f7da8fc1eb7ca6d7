//! A stand-alone S3 server over a directory, for trying clients by hand:
//! `cargo run --example serve -- DIRECTORY ADDRESS`.
//!
//! The root key is `root` with the secret `root-secret`; the temporary key `job`
//! (`job-secret`, session token `job-token`) may only use keys under `jobs/`.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use kiln_s3::{Access, AccessKey, Authority, KeyRefusal, ObjectStore, Site, service};
use tokio::net::TcpListener;

struct TwoKeys;

impl Authority for TwoKeys {
    fn key(&self, access_key: &str) -> Result<AccessKey, KeyRefusal> {
        match access_key {
            "root" => Ok(AccessKey {
                secret: "root-secret".to_owned(),
                session_token: None,
            }),
            "job" => Ok(AccessKey {
                secret: "job-secret".to_owned(),
                session_token: Some("job-token".to_owned()),
            }),
            _ => Err(KeyRefusal::Unknown),
        }
    }

    fn allows(&self, access_key: &str, access: &Access<'_>) -> bool {
        access_key == "root" || access.key.is_some_and(|key| key.starts_with("jobs/"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: serve DIRECTORY ADDRESS";
    let directory = PathBuf::from(arguments.next().ok_or(usage)?);
    let address: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let site = Site {
        region: "us-east-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    let service = service(ObjectStore::open(&directory)?, Arc::new(TwoKeys), site);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let served = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
            if let Err(error) = served.await {
                eprintln!("{error}");
            }
        });
    }
}
