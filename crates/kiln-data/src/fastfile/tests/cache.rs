//! The cache over an object whose bytes say where they lie.

use std::sync::atomic::AtomicBool;

use futures::FutureExt;

use super::*;

/// A cache of objects whose bytes say where they lie, and what it fetched.
struct Scene {
    cache: Arc<Cache>,
    fetched: Arc<Mutex<Vec<Range<u64>>>>,
    failing: Arc<AtomicBool>,
    close: watch::Sender<bool>,
}

fn scene(capacity: u64) -> Scene {
    let fetched = Arc::new(Mutex::new(Vec::new()));
    let failing = Arc::new(AtomicBool::new(false));
    let (close, closed) = watch::channel(false);
    let (seen, fails) = (Arc::clone(&fetched), Arc::clone(&failing));
    let fetch: Fetch = Box::new(move |_, range| {
        seen.lock().unwrap().push(range.clone());
        let fails = fails.load(Ordering::Relaxed);
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            match fails {
                true => Err(DataError::Unreachable("gone".to_owned())),
                false => Ok(range.map(|place| place as u8).collect()),
            }
        }
        .boxed()
    });
    Scene {
        cache: Cache::new(capacity, fetch, closed),
        fetched,
        failing,
        close,
    }
}

fn remote() -> Arc<Remote> {
    let object = Object {
        bucket: "bucket".to_owned(),
        key: "key".to_owned(),
        size: Some(1000),
        etag: None,
        path: "key".into(),
    };
    Arc::new(Remote {
        file: 1,
        object,
        size: 1000,
    })
}

fn plan(now: Range<u64>, ahead: Range<u64>) -> Plan {
    Plan {
        now,
        ahead,
        body: 100,
        straight: true,
    }
}

impl Scene {
    fn read(&self, read: Range<u64>, plan: &Plan) -> Parts {
        self.cache.read(&remote(), read, plan)
    }

    fn fetched(&self) -> Vec<Range<u64>> {
        let mut fetched = self.fetched.lock().unwrap().clone();
        fetched.sort_by_key(|range| range.start);
        fetched
    }
}

fn bytes(range: Range<u64>) -> Bytes {
    range.map(|place| place as u8).collect()
}

#[tokio::test]
async fn readers_of_one_part_share_one_fetch() {
    let scene = scene(1000);
    let plan = plan(0..100, 100..250);
    let readers: Vec<Parts> = (0..5).map(|_| scene.read(10..60, &plan)).collect();
    for reader in readers {
        assert_eq!(reader.join().await.unwrap(), bytes(10..60));
    }
    assert_eq!(scene.fetched(), [0..100, 100..200, 200..250]);
}

#[tokio::test]
async fn a_read_is_joined_from_what_is_there_and_what_is_not() {
    let scene = scene(1000);
    let middle = scene.read(100..150, &plan(100..150, 0..0));
    middle.join().await.unwrap();
    let read = scene.read(50..300, &plan(50..320, 0..0));
    assert!(read.peek().is_none());
    assert_eq!(read.join().await.unwrap(), bytes(50..300));
    assert_eq!(scene.fetched(), [50..100, 100..150, 150..320]);
    let again = scene.read(60..310, &plan(60..310, 0..0));
    assert_eq!(again.peek().unwrap().unwrap(), bytes(60..310));
}

#[tokio::test]
async fn what_is_ahead_stays_within_the_bound() {
    let scene = scene(250);
    let read = scene.read(0..100, &plan(0..100, 100..900));
    assert_eq!(read.join().await.unwrap(), bytes(0..100));
    assert_eq!(scene.fetched(), [0..100, 100..200]);
}

#[tokio::test]
async fn what_failed_is_asked_for_anew() {
    let scene = scene(1000);
    scene.failing.store(true, Ordering::Relaxed);
    let failed = scene.read(0..10, &plan(0..10, 0..0)).join().await;
    assert!(matches!(failed, Err(Missing::Failed(_))), "{failed:?}");
    scene.failing.store(false, Ordering::Relaxed);
    let read = scene.read(0..10, &plan(0..10, 0..0)).join().await;
    assert_eq!(read.unwrap(), bytes(0..10));
}

#[tokio::test]
async fn closing_lets_everyone_go() {
    let scene = scene(1000);
    let waiting = scene.read(0..10, &plan(0..10, 0..0));
    scene.close.send_replace(true);
    assert!(matches!(waiting.join().await, Err(Missing::Closed)));
}

#[tokio::test]
async fn readers_of_whole_files_share_half_of_the_cache() {
    let scene = scene(1000);
    assert_eq!(scene.cache.share(), 500);
    let readers = [(); 4].map(|()| scene.cache.long_reader());
    assert_eq!(scene.cache.share(), 125);
    drop(readers);
    assert_eq!(scene.cache.share(), 500);
}
