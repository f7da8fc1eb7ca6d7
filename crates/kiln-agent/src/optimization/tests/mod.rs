//! Optimizations whose store and control plane are doubles, as far as they come without
//! a container.

mod storing;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use kiln_data::channel::Source;
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::plan::{ModelPlan, ObjectPlan, sample};
use crate::report::{Cut, Numbered, Orders};
use crate::spool::{SPOOL_FILE, Spool};
use crate::test_server::{self, Answer, Request, objects};

const PATIENCE: Duration = Duration::from_secs(60);
const BEGUN: &str = "<InitiateMultipartUploadResult \
    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><UploadId>u</UploadId>\
    </InitiateMultipartUploadResult>";

/// The body of an object that is said to be large.
const HUGE: &str = "huge";

/// A store with these objects, which writes down what is asked of it and is slow to
/// take what is called so.
#[derive(Clone, Default)]
struct Store {
    objects: BTreeMap<String, String>,
    slow: Option<&'static str>,
    /// Uploads that it has, by their keys and ids, and how many parts each has.
    uploads: Vec<(&'static str, &'static str, usize)>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What a query says of this.
fn asked(query: &str, name: &str) -> Option<String> {
    let mut said = form_urlencoded::parse(query.as_bytes());
    let found = said.find(|(said, _)| said == name);
    found.map(|(_, value)| value.into_owned())
}

impl Store {
    fn of(objects: &[(&str, &str)]) -> Self {
        let own = |(key, body): &(&str, &str)| ((*key).to_owned(), (*body).to_owned());
        Self {
            objects: objects.iter().map(own).collect(),
            ..Self::default()
        }
    }

    fn answer(&self, request: Request) -> Answer {
        let mut line = format!("{} {}", request.method, request.path);
        let upload = asked(&request.query, "uploadId");
        if request.method == "DELETE" {
            line.extend(upload.iter().map(|id| format!(" upload {id}")));
        }
        self.seen.lock().unwrap().push(line);
        let key = request.path.strip_prefix("/b/").unwrap_or_default();
        let after = match (self.slow, request.method.as_str()) {
            (Some(slow), "PUT" | "GET") if request.path.ends_with(slow) => 10 * PATIENCE,
            _ => Duration::ZERO,
        };
        let body = match request.method.as_str() {
            "GET" if asked(&request.query, "uploads").is_some() => self.unfinished(&request.query),
            "GET" if upload.is_some() => self.parts(upload),
            "GET" if key.is_empty() => self.listing(&request.query),
            "GET" | "HEAD" => self.objects.get(key).cloned().unwrap_or_default(),
            _ => BEGUN.to_owned(),
        };
        Answer {
            headers: "ETag: \"x\"\r\n".to_owned(),
            body,
            after,
            ..Answer::default()
        }
    }

    fn listing(&self, query: &str) -> String {
        let prefix = asked(query, "prefix").unwrap_or_default();
        let listed = self.objects.iter();
        let listed = listed.filter(|(key, _)| key.starts_with(&prefix));
        let entries: String = listed
            .map(|(key, body)| {
                let size = if body == HUGE { 1 << 50 } else { body.len() };
                format!("<Contents><ETag>&quot;x&quot;</ETag><Key>{key}</Key><LastModified>2026-01-01T00:00:00Z</LastModified><Size>{size}</Size></Contents>")
            })
            .collect();
        format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{entries}\
             </ListBucketResult>"
        )
    }

    fn unfinished(&self, query: &str) -> String {
        let prefix = asked(query, "prefix").unwrap_or_default();
        let listed = self.uploads.iter();
        let entries: String = listed
            .filter(|(key, ..)| key.starts_with(&prefix))
            .map(|(key, id, _)| {
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
            })
            .collect();
        format!(
            "<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Bucket>b</Bucket>{entries}</ListMultipartUploadsResult>"
        )
    }

    fn parts(&self, upload: Option<String>) -> String {
        let mut uploads = self.uploads.iter();
        let found = uploads.find(|(_, id, _)| upload.as_deref() == Some(id));
        let parts = found.map_or(0, |(.., parts)| *parts);
        let part = "<Part><PartNumber>1</PartNumber><ETag>x</ETag>\
                    <LastModified>2026-01-01T00:00:00Z</LastModified><Size>1</Size></Part>";
        format!(
            "<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <MaxParts>1</MaxParts><IsTruncated>false</IsTruncated>{}</ListPartsResult>",
            part.repeat(parts)
        )
    }

    /// What was asked with one of these methods, in order.
    fn asked(&self, methods: &[&str]) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let meant = |line: &&String| methods.iter().any(|method| line.starts_with(method));
        seen.iter().filter(meant).cloned().collect()
    }
}

/// An instance's directory, and a life in it.
struct Rig {
    place: tempfile::TempDir,
    store: Store,
    plan: OptimizationPlan,
}

struct Living {
    optimization: Optimization,
    give: watch::Sender<Orders>,
}

impl Rig {
    fn new(store: Store) -> Self {
        Self {
            place: tempfile::tempdir().unwrap(),
            store,
            plan: sample::optimization(),
        }
    }

    async fn begin(&self) -> Living {
        let (give, orders) = watch::channel(Orders::default());
        let store = self.store.clone();
        let address = test_server::serve(move |request| store.answer(request)).await;
        let (spool, _) = Spool::resume(self.place.path(), 0).unwrap();
        let surroundings = Surroundings {
            directory: self.place.path().to_owned(),
            spool: Arc::new(spool),
            objects: objects(address),
            orders,
            unsettled: Arc::new(AtomicBool::new(false)),
        };
        Living {
            optimization: Optimization::new(self.plan.clone(), surroundings),
            give,
        }
    }

    /// Leaves the directory as it is when all steps are done.
    fn done(&self, files: &[(&str, &str)]) {
        let workplace = Workplace::create(self.place.path()).unwrap();
        let mut progress = Progress::open(self.place.path()).unwrap();
        progress.fetched().unwrap();
        for step in 0..self.plan.steps.len() {
            workplace.begin(step).unwrap();
            progress.step_done().unwrap();
        }
        let made = workplace.given(self.plan.steps.len());
        for (name, text) in files {
            let path = made.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    fn workplace(&self) -> Workplace {
        Workplace::create(self.place.path()).unwrap()
    }

    fn reports(&self) -> Vec<Report> {
        let text = std::fs::read_to_string(self.place.path().join(SPOOL_FILE)).unwrap();
        let numbered = text.lines().map(serde_json::from_str::<Numbered>);
        numbered.map(|report| report.unwrap().report).collect()
    }
}

impl Living {
    async fn to_its_end(&self) -> Ending {
        timeout(PATIENCE, self.optimization.live()).await.unwrap()
    }

    fn stop(&self) {
        self.give.send_modify(|orders| orders.cut = Some(Cut::Stop));
    }

    /// Lives, and is stopped once the store has seen this.
    async fn stopped_at(&self, store: &Store, request: &str) -> Ending {
        let stopping = async {
            while !store
                .asked(&[request])
                .iter()
                .any(|line| line.starts_with(request))
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            self.stop();
        };
        tokio::join!(self.to_its_end(), stopping).0
    }
}

const MADE: [(&str, &str); 3] = [
    ("config.json", "{}"),
    ("model.safetensors", "weights"),
    ("deep/merges.txt", "m"),
];

fn failed(ending: &Ending) -> &str {
    match &ending.outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_prefix_without_objects_is_the_requests_fault() {
    let rig = Rig::new(Store::of(&[("other/config.json", "{}")]));
    let ending = rig.begin().await.to_its_end().await;
    let reason = "ClientError: No object of the model was found at s3://b/model/";
    assert_eq!(failed(&ending), reason);
    assert!(!ending.stored);
    let stages = [Stage::Preparing, Stage::Downloading].map(Report::Stage);
    assert_eq!(rig.reports(), stages);
}

#[tokio::test]
async fn what_the_disk_cannot_hold_is_not_begun_with() {
    let rig = Rig::new(Store::of(&[("model/model.safetensors", HUGE)]));
    let ending = rig.begin().await.to_its_end().await;
    let reason = failed(&ending);
    let expected = "ClientError: The job's inputs are 1048576 GB, and the disk of this machine has";
    assert!(reason.starts_with(expected), "{reason}");
    assert!(!rig.workplace().fetched().exists());
}

#[tokio::test]
async fn inputs_arrive_as_they_are_stored_and_are_fetched_once() {
    let store = Store::of(&[
        ("model/config.json", "{}"),
        ("model/deep/tokenizer.json", "[]"),
        ("model.old/config.json", "old"),
        ("texts/a.txt", "a b c"),
    ]);
    let mut rig = Rig::new(store);
    rig.plan.steps[0].calibration = Some(Source::Prefix {
        bucket: "b".to_owned(),
        prefix: "texts/".to_owned(),
    });
    // What an agent that was killed had begun to fetch.
    std::fs::create_dir_all(rig.workplace().fetched()).unwrap();
    std::fs::write(rig.workplace().fetched().join("config.json"), "half").unwrap();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
    // The image is nowhere, so that it goes no further than that.
    rig.plan.steps[0].image = Some("nowhere:1".to_owned());
    let ending = rig.begin().await.to_its_end().await;
    assert!(
        failed(&ending).contains("Cannot pull algorithm container"),
        "{ending:?}"
    );
    let workplace = rig.workplace();
    assert_eq!(read(workplace.fetched().join("config.json")), "{}");
    assert_eq!(read(workplace.fetched().join("deep/tokenizer.json")), "[]");
    assert_eq!(read(workplace.calibration(0).join("a.txt")), "a b c");
    let fetched = rig.store.asked(&["GET"]).len();
    assert_eq!(fetched, 5);
    rig.begin().await.to_its_end().await;
    assert_eq!(rig.store.asked(&["GET"]).len(), fetched);
}

#[tokio::test]
async fn an_archive_that_is_none_is_the_requests_fault() {
    let mut rig = Rig::new(Store::of(&[("m.tar.gz", "no archive")]));
    rig.plan.model = ModelPlan::Archive(ObjectPlan {
        bucket: "b".to_owned(),
        key: "m.tar.gz".to_owned(),
    });
    let ending = rig.begin().await.to_its_end().await;
    let reason = failed(&ending);
    assert!(reason.contains("Unable to untar input model"), "{reason}");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_store_that_is_silent() {
    let store = Store {
        slow: Some("config.json"),
        ..Store::of(&[("model/config.json", "{}")])
    };
    let rig = Rig::new(store);
    let living = rig.begin().await;
    let ending = living
        .stopped_at(&rig.store, "GET /b/model/config.json")
        .await;
    assert_eq!(ending.outcome, Outcome::Stopped);
}

#[tokio::test]
async fn what_a_manifest_lists_is_fetched_from_wherever_it_is() {
    let store = Store::of(&[
        ("model/config.json", "{}"),
        (
            "lists/all",
            r#"[{"prefix": "s3://b/"}, "chats/a.jsonl", "more/b.jsonl"]"#,
        ),
        ("chats/a.jsonl", "a"),
        ("chats/other.jsonl", "other"),
        ("more/b.jsonl", "b"),
    ]);
    let mut rig = Rig::new(store);
    rig.plan.steps[0].calibration = Some(Source::Manifest {
        bucket: "b".to_owned(),
        key: "lists/all".to_owned(),
    });
    rig.plan.steps[0].image = Some("nowhere:1".to_owned());
    rig.begin().await.to_its_end().await;
    let directory = rig.workplace().calibration(0);
    let read = |name| std::fs::read_to_string(directory.join(name)).ok();
    assert_eq!(read("chats/a.jsonl").as_deref(), Some("a"));
    assert_eq!(read("more/b.jsonl").as_deref(), Some("b"));
    assert_eq!(read("chats/other.jsonl"), None);
}

#[tokio::test]
async fn the_time_limit_counts_from_the_first_beginning() {
    let rig = Rig::new(Store {
        slow: Some("config.json"),
        ..Store::default()
    });
    rig.done(&MADE);
    let mut progress = Progress::open(rig.place.path()).unwrap();
    progress.since_beginning().unwrap();
    let path = rig.place.path().join("progress.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    let began = record["began"].as_i64().unwrap();
    record["began"] = (began - 3_700_000).into();
    std::fs::write(&path, record.to_string()).unwrap();
    let ending = rig.begin().await.to_its_end().await;
    assert_eq!(ending.outcome, Outcome::MaxRuntimeExceeded);
}
