//! Records as they come in.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::*;
use crate::test_server::{self, Answer, Request, objects};

/// A store that holds these keys of one bucket; each object's body is its tag.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Vec<(String, &'static str)>>>);

impl Store {
    async fn listen(&self) -> SocketAddr {
        let store = self.clone();
        test_server::serve(move |request| store.answer(&request)).await
    }

    fn answer(&self, request: &Request) -> Answer {
        let body = if request.query.contains("list-type") {
            self.listing()
        } else {
            let all = self.0.lock().unwrap();
            let path = &request.path;
            let found = all.iter().find(|(key, _)| *path == format!("/b/{key}"));
            found.map_or("", |(_, tag)| tag).to_owned()
        };
        Answer {
            body,
            ..Answer::default()
        }
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
