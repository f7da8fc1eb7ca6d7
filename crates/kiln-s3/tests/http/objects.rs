//! What the store keeps: any key, whole objects, and readers undisturbed.

use crate::support::{ROOT, Server};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn target(key: &str) -> String {
    format!("/bucket/{}", utf8_percent_encode(key, NON_ALPHANUMERIC))
        .replace("%2F", "/")
        .replace("%2E", ".")
        .replace("%2D", "-")
        .replace("%5F", "_")
        .replace("%7E", "~")
}

#[tokio::test]
async fn any_key_is_a_key_of_its_own() {
    let server = Server::start().await;
    let long = "é".repeat(512);
    let keys = [
        "a//b",
        "a/b",
        "../x",
        "../../../../etc/passwd",
        "..",
        ".",
        "/",
        "//",
        "node",
        "node/child",
        "dir/",
        "dir",
        "ü ñ 漢字",
        "+plus %25?&=#",
        "quote'\"<>",
        &long,
    ];
    for key in keys {
        let answer = server.ask("PUT", &target(key), key.as_bytes()).await;
        assert_eq!(answer.outcome(), "200", "{key}");
    }
    for key in keys {
        let answer = server.ask("GET", &target(key), b"").await;
        assert_eq!(answer.text(), key);
    }
    assert_eq!(server.bodies().len(), keys.len());
    let answer = server.ask("PUT", &target(&"k".repeat(1025)), b"").await;
    assert_eq!(answer.outcome(), "400 KeyTooLongError");
    let listing = server
        .ask("GET", "/bucket?list-type=2&delimiter=/", b"")
        .await;
    let text = listing.text();
    assert!(text.contains("<CommonPrefixes><Prefix>node/</Prefix></CommonPrefixes>"));
    assert!(text.contains("<Key>node</Key>"), "{text}");
    assert!(
        text.contains(&format!("<KeyCount>{}</KeyCount>", 13)),
        "{text}"
    );
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = Server::start().await;
    let draft = crate::support::signer::Draft::new(&server.address, "PUT", "/bucket/k")
        .payload(crate::support::signer::UNSIGNED)
        .sign(&ROOT);
    let mut head = format!(
        "PUT {} HTTP/1.1\r\ncontent-length: 1000\r\n",
        draft.target()
    );
    for (name, value) in &draft.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream
        .write_all(format!("{head}\r\nonly this").as_bytes())
        .await
        .unwrap();
    while server.bodies().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(stream);
    assert_eq!(server.settled(0).await, 0);
    let answer = server.ask("GET", "/bucket/k", b"").await;
    assert_eq!(answer.outcome(), "404 NoSuchKey");
}

#[tokio::test]
async fn a_reader_keeps_what_it_has_begun_to_read() {
    let server = Server::start().await;
    let old = vec![b'o'; 24 << 20];
    server.ask("PUT", "/bucket/k", &old).await;
    let draft = server.signed("GET", "/bucket/k", b"").sign(&ROOT);
    let mut head = format!("GET {} HTTP/1.1\r\nconnection: close\r\n", draft.target());
    for (name, value) in &draft.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 1000];
    stream.read_exact(&mut first).await.unwrap();

    assert_eq!(
        server.ask("PUT", "/bucket/k", b"new").await.outcome(),
        "200"
    );
    assert_eq!(server.settled(1).await, 1);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let all = [first.as_slice(), &rest].concat();
    let body_start = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert!(all[body_start..] == old);
    assert_eq!(server.ask("GET", "/bucket/k", b"").await.text(), "new");
}

#[tokio::test]
async fn readers_see_whole_objects_while_writers_replace_them() {
    let server = std::sync::Arc::new(Server::start().await);
    server.ask("PUT", "/bucket/k", &[b'0'; 4096]).await;
    let mut tasks = Vec::new();
    for writer in b'1'..=b'4' {
        let server = server.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                let answer = server.ask("PUT", "/bucket/k", &[writer; 4096]).await;
                assert_eq!(answer.outcome(), "200");
            }
        }));
    }
    for _ in 0..4 {
        let server = server.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..40 {
                let answer = server.ask("GET", "/bucket/k", b"").await;
                assert_eq!(answer.body.len(), 4096, "{}", answer.outcome());
                assert!(answer.body.iter().all(|byte| *byte == answer.body[0]));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(server.settled(1).await, 1);
}

#[tokio::test]
async fn one_of_many_that_create_wins() {
    let server = std::sync::Arc::new(Server::start().await);
    let mut tasks = Vec::new();
    for writer in 0..8u8 {
        let server = server.clone();
        tasks.push(tokio::spawn(async move {
            let draft = server
                .signed("PUT", "/bucket/k", &[writer])
                .header("if-none-match", "*");
            server.send(draft.sign(&ROOT), vec![writer]).await.outcome()
        }));
    }
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes.sort();
    assert_eq!(outcomes[0], "200");
    assert!(
        outcomes[1..]
            .iter()
            .all(|outcome| outcome == "412 PreconditionFailed")
    );
    assert_eq!(server.settled(1).await, 1);
}

#[tokio::test]
async fn an_answer_in_place_of_continue_closes_the_connection() {
    let server = Server::start().await;
    let draft = server
        .signed("PUT", "/bucket/empty", b"")
        .header("expect", "100-continue")
        .sign(&ROOT);
    let answer = server.send(draft, "").await;
    assert_eq!(answer.outcome(), "200");
    assert_eq!(answer.headers["connection"], "close");
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    // With its runtime, everything that serves ends as abruptly as a process.
    let ask = |method: &'static str, body: &'static [u8]| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = Server::start_in(directory.path()).await;
            server.ask(method, "/bucket/k", body).await
        })
    };
    assert_eq!(ask("PUT", b"kept").outcome(), "200");
    assert_eq!(ask("GET", b"").text(), "kept");
    assert_eq!(ask("DELETE", b"").outcome(), "204");
    assert_eq!(ask("GET", b"").outcome(), "404 NoSuchKey");
}
