//! Compilations whose store and control plane are doubles, as far as they come
//! without a container.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::timeout;

use super::*;
use crate::plan::sample;
use crate::report::{Cut, Numbered, Orders};
use crate::spool::{SPOOL_FILE, Spool};
use crate::test_server::{self, Answer, Request, objects};

const PATIENCE: Duration = Duration::from_secs(60);
const MISSING: &str = "<Error><Code>NoSuchKey</Code><Message>None such.</Message></Error>";

const BEGUN: &str = "<InitiateMultipartUploadResult \
    xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><UploadId>u</UploadId>\
    </InitiateMultipartUploadResult>";

/// A compilation in a directory of its own, with a store that answers as it is told.
struct Rig {
    place: tempfile::TempDir,
    compilation: Compilation,
    give: watch::Sender<Orders>,
}

impl Rig {
    async fn new(answer: impl Fn(Request) -> Answer + Clone + Send + 'static) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (give, orders) = watch::channel(Orders::default());
        let surroundings = Surroundings {
            directory: place.path().to_owned(),
            spool: Arc::new(Spool::create(place.path()).unwrap()),
            objects: objects(test_server::serve(answer).await),
            orders,
            unsettled: Arc::new(AtomicBool::new(false)),
        };
        let plan = CompilationPlan {
            max_runtime_seconds: 3600,
            ..sample::compilation()
        };
        Self {
            compilation: Compilation::new(plan, surroundings),
            place,
            give,
        }
    }

    fn stop(&self) {
        self.give.send_modify(|orders| orders.cut = Some(Cut::Stop));
    }

    fn reports(&self) -> Vec<Report> {
        let text = std::fs::read_to_string(self.place.path().join(SPOOL_FILE)).unwrap();
        let numbered = text.lines().map(serde_json::from_str::<Numbered>);
        numbered.map(|report| report.unwrap().report).collect()
    }

    fn leave_artifact(&self, bytes: &[u8]) -> Workplace {
        let workplace = Workplace::create(self.place.path()).unwrap();
        std::fs::write(workplace.output().join(ARTIFACT), bytes).unwrap();
        let findings = Findings {
            derived_data_input_config: Some("{\"x\": [1, 3]}".to_owned()),
        };
        let findings = serde_json::to_vec(&findings).unwrap();
        std::fs::write(workplace.output().join(COMPILED), findings).unwrap();
        workplace
    }
}

fn failed(ending: &Ending) -> &str {
    match &ending.outcome {
        Outcome::Failed(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_archive_that_is_not_there_is_the_requests_fault() {
    let rig = Rig::new(|_| Answer {
        status: 404,
        body: MISSING.to_owned(),
        ..Answer::default()
    });
    let rig = rig.await;
    let ending = timeout(PATIENCE, rig.compilation.live()).await.unwrap();
    assert_eq!(
        failed(&ending),
        "ClientError: InputConfiguration: S3 object does not exist. Bucket: b, Key: model.tar.gz"
    );
    assert!(!ending.stored);
    let stages = [Stage::Preparing, Stage::Downloading].map(Report::Stage);
    assert_eq!(rig.reports(), stages);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_store_that_is_silent() {
    let rig = Rig::new(|_| Answer {
        after: 10 * PATIENCE,
        ..Answer::default()
    });
    let rig = rig.await;
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        rig.stop();
    };
    let living = timeout(PATIENCE, rig.compilation.live());
    let (ending, ()) = tokio::join!(living, stopping);
    assert_eq!(ending.unwrap().outcome, Outcome::Stopped);
}

#[tokio::test]
async fn an_archive_arrives_as_it_is_stored() {
    let rig = Rig::new(|_| Answer {
        body: "archive".to_owned(),
        ..Answer::default()
    });
    let rig = rig.await;
    let volume = Volume::claim(rig.place.path(), None, VOLUME_BYTES).unwrap();
    let workplace = Workplace::create(rig.place.path()).unwrap();
    rig.compilation.fetch(&workplace, &volume).await.unwrap();
    let fetched = std::fs::read_to_string(workplace.archive()).unwrap();
    assert_eq!(fetched, "archive");
}

/// Takes everything, and writes down what was asked of it.
fn taking(seen: &Arc<Mutex<Vec<String>>>) -> impl Fn(Request) -> Answer + Clone + Send + 'static {
    let seen = seen.clone();
    move |request| {
        let line = format!("{} {}?{}", request.method, request.path, request.query);
        seen.lock().unwrap().push(line);
        Answer {
            headers: "ETag: \"x\"\r\n".to_owned(),
            body: BEGUN.to_owned(),
            ..Answer::default()
        }
    }
}

#[tokio::test]
async fn what_is_stored_is_reported_with_its_digest() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let rig = Rig::new(taking(&seen)).await;
    let workplace = rig.leave_artifact(b"abc");
    let deadline = Instant::now() + PATIENCE;
    rig.compilation.store(&workplace, deadline).await.unwrap();
    let seen = seen.lock().unwrap();
    let methods: Vec<_> = seen.iter().map(|line| line.split(' ').next()).collect();
    assert_eq!(
        methods,
        [Some("POST"), Some("PUT"), Some("POST")],
        "{seen:?}"
    );
    let to = "/b/out/model-ml_c5.tar.gz?";
    assert!(seen.iter().all(|line| line.contains(to)), "{seen:?}");
    let [Report::Compiled(compiled)] = &rig.reports()[..] else {
        panic!("{:?}", rig.reports());
    };
    assert!(compiled.artifact_digest.starts_with("ba80a53f981c4d0d"));
    let derived = compiled.derived_data_input_config.as_deref();
    assert_eq!(derived, Some("{\"x\": [1, 3]}"));
}

#[tokio::test]
async fn a_stop_before_the_artifact_appears_stores_nothing() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let taking = taking(&seen);
    // Parts never arrive.
    let answer = move |request: Request| Answer {
        after: if request.method == "PUT" {
            10 * PATIENCE
        } else {
            Duration::ZERO
        },
        ..taking(request)
    };
    let rig = Rig::new(answer).await;
    let workplace = rig.leave_artifact(&[0; 20 << 20]);
    let stopping = async {
        while !seen
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with("PUT"))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rig.stop();
    };
    let deadline = Instant::now() + 10 * PATIENCE;
    let storing = rig.compilation.store(&workplace, deadline);
    let both = async { tokio::join!(storing, stopping) };
    let (stored, ()) = timeout(PATIENCE, both).await.unwrap();
    assert_eq!(stored, Err(Outcome::Stopped));
    let seen = seen.lock().unwrap();
    // A part that was under way may be seen only after that.
    let forgets = |line: &String| line.starts_with("DELETE /b/out/model-ml_c5.tar.gz?");
    assert!(seen.iter().any(forgets), "{seen:?}");
    assert!(rig.reports().is_empty());
}

/// What a plan's container is started with, and whether it sees these directories
/// read-only.
fn outfit_of(plan: &CompilationPlan, shown: &[(&str, bool)]) -> crate::solo::Outfit {
    let place = tempfile::tempdir().unwrap();
    let workplace = Workplace::create(place.path()).unwrap();
    let image = Program::image(Tools::default().visible());
    let made = outfit::outfit(plan, &workplace, &image.config);
    let mounts = made.mounts.iter().map(|mount| {
        let target = mount.target.to_str().unwrap();
        (target, mount.read_only)
    });
    assert_eq!(mounts.collect::<Vec<_>>(), shown);
    let text = format!("{made:?}");
    for secret in ["AKIA", "secret", "token"] {
        assert!(!text.contains(secret), "{secret}");
    }
    made
}

#[test]
fn the_container_sees_its_input_read_only_and_has_no_keys() {
    let mut plan = sample::compilation();
    plan.assignment.token = "token".to_owned();
    let made = outfit_of(&plan, &[("/opt/ml/input", true), ("/opt/ml/output", false)]);
    assert!(made.env.is_empty());
}

#[test]
fn an_image_in_place_of_kiln_sees_the_contract_and_has_no_keys_either() {
    let mut plan = sample::compilation();
    plan.assignment.token = "token".to_owned();
    plan.vendor = Some(VendorPlan {
        image: "neuron:1".to_owned(),
        target: "ml_inf1".to_owned(),
    });
    let made = outfit_of(
        &plan,
        &[
            ("/opt/ml/model/input", true),
            ("/opt/ml/model/compiled", false),
            ("/opt/ml/compilation/errors", false),
            ("/opt/ml/compilation/cache", false),
        ],
    );
    assert_eq!(made.start.entrypoint, None);
    let told = |name: &str| made.env.iter().find(|(found, _)| found == name);
    let value = |name| told(name).map(|(_, value)| value.as_str());
    assert_eq!(value("SM_NEO_EXECUTION_CONTEXT"), Some("1"));
    assert_eq!(value("COMPILER_OPTIONS"), Some("{}"));
    assert_eq!(value("KILN_TARGET"), Some("ml_inf1"));
}
