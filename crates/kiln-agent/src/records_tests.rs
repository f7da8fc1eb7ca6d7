//! Records as they come in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use kiln_data::{Credentials, Transport};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A store that holds these keys of one bucket; each object's body is its tag.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Vec<(String, &'static str)>>>);

impl Store {
    async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(store.clone().answer(BufReader::new(stream)));
            }
        });
        address
    }

    async fn answer(self, mut stream: BufReader<TcpStream>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let body = if target.contains("list-type") {
            self.listing()
        } else {
            let path = target.split('?').next().unwrap();
            let all = self.0.lock().unwrap();
            let found = all.iter().find(|(key, _)| path == format!("/b/{key}"));
            found.map_or("", |(_, tag)| tag).to_owned()
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.get_mut().write_all(answer.as_bytes()).await;
    }

    fn listing(&self) -> String {
        let all = self.0.lock().unwrap();
        let entries = all.iter().map(|(key, tag)| {
            format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>{tag}</ETag>\
                 <LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>",
                tag.len()
            )
        });
        let entries: String = entries.collect();
        format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{entries}\
             </ListBucketResult>"
        )
    }

    fn holds(&self, all: &[(&str, &'static str)]) {
        let keyed = all
            .iter()
            .map(|(name, tag)| (format!("job/out/{name}"), *tag));
        *self.0.lock().unwrap() = keyed.collect();
    }
}

fn objects(address: SocketAddr) -> Objects {
    let http = Objects::http_client(Transport::Plain).unwrap();
    let credentials = Credentials {
        access_key: "AKIA".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: None,
    };
    let location = Arc::new(move || Ok(format!("http://{address}")));
    Objects::new(http, location, "us-east-1", &credentials)
}

#[tokio::test]
async fn the_mark_comes_last_and_what_changes_comes_again() {
    let store = Store::default();
    let objects = objects(store.listen().await);
    let instance = tempfile::tempdir().unwrap();
    let plan = RecordsPlan {
        path: "/in".into(),
        bucket: "b".to_owned(),
        prefix: "job/out".to_owned(),
    };
    let mut records = Records::prepare(&[plan], &objects, instance.path()).unwrap();
    let [mount] = <[Mount; 1]>::try_from(records.mounts()).unwrap();
    assert!(mount.read_only);
    let read = |name: &str| std::fs::read_to_string(mount.source.join(name)).ok();
    let one = &mut records.all[0];

    store.holds(&[("a/0", "first"), ("../x", "odd")]);
    one.catch_up(&objects).await.unwrap();
    assert_eq!(read("a/0").as_deref(), Some("first"));
    assert!(!instance.path().join(ROOT).join("x").exists());

    store.holds(&[("a/0", "second"), ("a/1", "new"), (END_OF_JOB, "end")]);
    one.catch_up(&objects).await.unwrap();
    assert_eq!(read("a/0").as_deref(), Some("second"));
    assert_eq!(read("a/1").as_deref(), Some("new"));
    // It was listed together with others that it may have come after.
    assert_eq!(read(END_OF_JOB), None);

    one.catch_up(&objects).await.unwrap();
    assert_eq!(read(END_OF_JOB).as_deref(), Some("end"));
}
