//! Another server at the store's address is not taken for the store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kiln_data::{Credentials, DataError, Objects, Patience, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OTHERS: [&str; 3] = [
    "HTTP/1.1 403 Forbidden\r\n",
    "HTTP/1.1 404 Not Found\r\nx-name: another\r\n",
    "HTTP/1.1 200 OK\r\nx-name: another\r\n",
];

/// A client of a store called `ours`, in whose place others answer first.
async fn replaced(last: &'static str) -> Objects {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for head in OTHERS.into_iter().chain([last]) {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 8 << 10]).await.unwrap();
            let rest = "content-length: 0\r\nconnection: close\r\n\r\n";
            let answer = format!("{head}{rest}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    client(address).with_mark("x-name", "ours")
}

fn client(address: SocketAddr) -> Objects {
    let keys = Credentials {
        access_key: "id".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
    };
    let http = Objects::http_client(Transport::Plain).unwrap();
    let location = Arc::new(move || Ok(format!("http://{address}")));
    Objects::new(http, location, "us-east-1", &keys)
}

#[tokio::test]
async fn an_error_that_is_never_said_to_its_end_is_one_all_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let objects = client(listener.local_addr().unwrap()).with_patience(Patience {
        stalled: Duration::from_millis(300),
        ..Patience::OWN
    });
    let half = b"HTTP/1.1 404 Not Found\r\ncontent-length: 99\r\n\r\n<Error><Code>NoSuchKey</Code>";
    let silent = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 8 << 10]).await.unwrap();
        stream.write_all(half).await.unwrap();
        std::future::pending::<()>().await;
    };
    let refused = tokio::select! {
        refused = objects.put("b", "key", "body".into()) => refused,
        () = silent => unreachable!(),
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it hangs"),
    };
    let code = |error| matches!(error, DataError::Refused { code, .. } if code == "NoSuchKey");
    assert!(refused.is_err_and(code));
}

#[tokio::test]
async fn only_the_stores_own_answers_count() {
    let objects = replaced("HTTP/1.1 200 OK\r\nx-name: ours\r\n").await;
    objects.put("b", "key", "body".into()).await.unwrap();
    let objects = replaced("HTTP/1.1 403 Forbidden\r\nx-name: ours\r\n").await;
    let refused = objects.put("b", "key", "body".into()).await;
    assert!(matches!(
        refused,
        Err(DataError::Refused { status: 403, .. })
    ));
}
