//! An HTTP server on a free port for tests: one request a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kiln_data::{Credentials, Objects, Transport};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request, as far as tests look at it.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path, without what is asked of it.
    pub(crate) path: String,
    /// What follows the question mark.
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Each with its line's end.
    pub(crate) headers: String,
    pub(crate) body: String,
    /// How long the client waits for it.
    pub(crate) after: Duration,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            status: 200,
            headers: String::new(),
            body: String::new(),
            after: Duration::ZERO,
        }
    }
}

/// Answers every request as the function says, for as long as the test runs.
pub(crate) async fn serve(
    answer: impl Fn(Request) -> Answer + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                if let Some(request) = read(&mut stream).await {
                    write(&mut stream, answer(request)).await;
                }
            });
        }
    });
    address
}

/// A client of a server that stands for S3.
pub(crate) fn objects(address: SocketAddr) -> Objects {
    let http = Objects::http_client(Transport::Plain).unwrap();
    let credentials = Credentials {
        access_key: "AKIA".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
    };
    let location = Arc::new(move || Ok(format!("http://{address}")));
    Objects::new(http, location, "us-east-1", &credentials)
}

/// Nothing where the client goes away before the end of the head.
async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let lines = head.lines().map(str::to_ascii_lowercase);
    let length = lines
        .filter_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok())
        .next();
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body,
    })
}

async fn write(stream: &mut BufReader<TcpStream>, answer: Answer) {
    let Answer {
        status,
        headers,
        body,
        after,
    } = answer;
    tokio::time::sleep(after).await;
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // The client may be gone by now.
    let _ = stream.get_mut().write_all(text.as_bytes()).await;
}
