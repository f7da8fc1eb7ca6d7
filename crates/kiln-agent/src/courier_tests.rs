//! What the courier makes of answers: its own control plane's and others'.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::report::{Cut, Ending, Outcome, Report};
use crate::spool::Spool;

const OURS: &str = "x-kiln-server: ours\r\n";

/// Answers one request after the other, each with a status line's end, headers
/// and a body, and then no more.
async fn answering(answers: Vec<(&'static str, &'static str, &'static str)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for (status, headers, body) in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 16 << 10];
            let _ = stream.read(&mut request).await.unwrap();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

fn courier(address: SocketAddr) -> Courier {
    Courier {
        http: kiln_data::Objects::http_client(kiln_data::Transport::Plain).unwrap(),
        control: ControlAddress::Fixed(address),
        server: "ours".to_owned(),
        token: "the-token".to_owned(),
        instance: "i".to_owned(),
    }
}

/// Delivers one report to a server that answers so.
async fn delivered(
    answers: Vec<(&'static str, &'static str, &'static str)>,
) -> Result<(), AgentError> {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::create(directory.path()).unwrap();
    let ending = Ending {
        outcome: Outcome::Completed,
        stored: true,
    };
    // Somebody may still hold the spool: the ending is the end all the same.
    spool.append([Report::Ended(ending)]).unwrap();
    let last = spool.watch();
    let courier = courier(answering(answers).await);
    let delivery = courier.deliver_all(directory.path(), last);
    tokio::time::timeout(Duration::from_mins(1), delivery)
        .await
        .unwrap()
}

#[tokio::test]
async fn nobody_else_at_the_address_is_believed() {
    let receipt = r#"{"delivered":1}"#;
    let others = vec![
        ("404 Not Found", "", "no such page"),
        ("404 Not Found", "x-kiln-server: theirs\r\n", ""),
        ("200 OK", "", receipt),
        ("400 Bad Request", "x-kiln-server: theirs\r\n", ""),
        ("200 OK", OURS, receipt),
    ];
    delivered(others).await.unwrap();
}

#[tokio::test]
async fn the_control_planes_own_refusals_end_the_delivery() {
    let unknown = delivered(vec![("404 Not Found", OURS, "")]).await;
    assert!(matches!(unknown, Err(AgentError::Disowned)), "{unknown:?}");
    let malformed = delivered(vec![("400 Bad Request", OURS, "")]).await;
    assert!(
        matches!(malformed, Err(AgentError::Refused(400))),
        "{malformed:?}"
    );
}

#[tokio::test]
async fn orders_come_from_the_control_plane_only() {
    let answers = vec![
        ("200 OK", "", r#"{"cut":"Interrupt","proceed":true}"#),
        ("204 No Content", OURS, ""),
        ("503 Service Unavailable", OURS, ""),
        ("200 OK", OURS, r#"{"cut":"Stop","proceed":false}"#),
    ];
    let address = answering(answers).await;
    let courier = courier(address);
    let asked = courier.next_orders(Path::new("/"), Orders::default());
    let orders = asked.await.unwrap();
    assert_eq!(orders.cut, Some(Cut::Stop));
    assert!(!orders.proceed);
    // The last answer was the one that counted: nobody listens any more.
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn who_is_disowned_learns_it_while_asking_for_orders() {
    let answers = vec![
        ("404 Not Found", "x-kiln-server: theirs\r\n", ""),
        ("404 Not Found", OURS, ""),
    ];
    let courier = courier(answering(answers).await);
    let disowned = courier.next_orders(Path::new("/"), Orders::default()).await;
    assert!(
        matches!(disowned, Err(AgentError::Disowned)),
        "{disowned:?}"
    );
    // Nobody answers any more, and the directory has gone.
    let gone = Path::new("/absent/instance");
    let disowned = courier.next_orders(gone, Orders::default()).await;
    assert!(
        matches!(disowned, Err(AgentError::Disowned)),
        "{disowned:?}"
    );
}

#[test]
fn a_status_means_what_the_internal_api_says() {
    let cases = [
        (200, Verdict::Content),
        (204, Verdict::NoContent),
        (400, Verdict::Refused),
        (401, Verdict::Refused),
        (404, Verdict::Unknown),
        (408, Verdict::Away),
        (413, Verdict::Refused),
        (429, Verdict::Away),
        (500, Verdict::Away),
        (503, Verdict::Away),
        (301, Verdict::Away),
    ];
    for (status, expected) in cases {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(verdict(status, true), expected, "{status}");
        assert_eq!(verdict(status, false), Verdict::Away, "{status}");
    }
}

#[test]
fn the_token_is_not_printed() {
    let courier = courier(([127, 0, 0, 1], 1).into());
    assert!(!format!("{courier:?}").contains("the-token"));
}
