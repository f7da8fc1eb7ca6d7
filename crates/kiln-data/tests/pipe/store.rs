//! A store that knows how to list and to read, over HTTP on a free port.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kiln_data::{Credentials, Objects, Transport};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Every object, in one bucket, by key.
pub type Bodies = BTreeMap<String, Vec<u8>>;

/// A key of which no byte ever comes.
pub const STALLED: &str = "stalled";

/// Serves the objects of the bucket `b`, and answers a client for them.
pub async fn serve(bodies: Bodies) -> Objects {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::new(bodies);
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(answer_all(connection, bodies.clone()));
        }
    });
    let keys = Credentials {
        access_key: "id".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
    };
    let http = Objects::http_client(Transport::Plain).unwrap();
    Objects::new(
        http,
        Arc::new(move || Ok(address.clone())),
        "us-east-1",
        &keys,
    )
}

async fn answer_all(connection: TcpStream, bodies: Arc<Bodies>) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut connection = BufReader::new(connection);
    loop {
        let mut target = None;
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).await.ok()?;
            match line.trim_end() {
                "" => break,
                line => target = target.or(line.split(' ').nth(1).map(str::to_owned)),
            }
        }
        let url = url::Url::parse(&format!("http://store{}", target?)).ok()?;
        let (status, body) = answer(&url, &bodies);
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.ok()?;
        if url.path() == format!("/b/{STALLED}") {
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        connection.write_all(&body).await.ok()?;
    }
}

fn answer<'a>(url: &url::Url, bodies: &'a Bodies) -> (&'static str, std::borrow::Cow<'a, [u8]>) {
    let key = url.path().trim_start_matches("/b").trim_start_matches('/');
    if key.is_empty() {
        let prefix = url.query_pairs().find(|(name, _)| name == "prefix");
        let prefix = prefix.map(|(_, prefix)| prefix.into_owned());
        return ("200 OK", list(bodies, &prefix.unwrap_or_default()).into());
    }
    match bodies.get(key) {
        Some(body) => ("200 OK", body.into()),
        None => {
            let error = "<Error><Code>NoSuchKey</Code><Message>It is not there.</Message></Error>";
            ("404 Not Found", error.as_bytes().into())
        }
    }
}

fn list(bodies: &Bodies, prefix: &str) -> Vec<u8> {
    let mut page = String::from(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Name>b</Name><MaxKeys>1000</MaxKeys>",
    );
    for (key, body) in bodies.iter().filter(|(key, _)| key.starts_with(prefix)) {
        page += &format!(
            "<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified>\
             <ETag>\"x\"</ETag><Size>{}</Size></Contents>",
            body.len()
        );
    }
    (page + "</ListBucketResult>").into_bytes()
}
