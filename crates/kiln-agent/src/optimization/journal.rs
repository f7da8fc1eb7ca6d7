//! What an optimization has stored or begun to store, on disk, so that an agent that is begun
//! again goes on from there, and a job that does not end well leaves nothing.
//!
//! Every turn of an upload is a line. It is written before the store is asked for what it
//! speaks of, but for the last one, so that nothing can be in the store of which no line
//! tells. The first one names the key alone, for which the store is asked what uploads it
//! has: the answer with an upload's id may have found nobody.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kiln_data::upload::{self, Turn};
use kiln_data::{DataError, Objects};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

/// The file, in the instance's directory.
const FILE: &str = "uploads.journal";
/// How many objects and uploads are taken back at a time.
const AT_A_TIME: usize = 8;
/// How long it is tried to take everything back.
const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(300);
/// And one object or upload.
const ONE_WITHIN: Duration = Duration::from_secs(60);

/// A line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    /// A turn of an upload.
    Turn {
        turn: Turn,
        key: String,
        upload: String,
    },
    /// The store is about to be asked for an upload of this key.
    Intention { intended: String },
}

/// The uploads of each key: how far they have come, by their ids.
type Uploads = BTreeMap<String, Known>;
type Known = BTreeMap<String, Turn>;

/// The uploads of an instance.
#[derive(Debug)]
pub(super) struct Journal {
    file: Mutex<File>,
    /// Those of agents before.
    before: Uploads,
}

impl upload::Journal for Journal {
    fn intend(&self, key: &str) -> io::Result<()> {
        let intended = key.to_owned();
        self.write(&Line::Intention { intended })
    }

    fn note(&self, turn: Turn, key: &str, upload: &str) -> io::Result<()> {
        self.write(&Line::Turn {
            turn,
            key: key.to_owned(),
            upload: upload.to_owned(),
        })
    }
}

impl Journal {
    /// Opens it in an instance's directory.
    pub(super) fn open(instance: &Path) -> io::Result<Self> {
        let before = read(instance)?;
        let mut options = File::options();
        let mut file = options
            .create(true)
            .append(true)
            .open(instance.join(FILE))?;
        // What was cut off in its middle is a line of its own.
        file.write_all(b"\n")?;
        Ok(Self {
            file: Mutex::new(file),
            before,
        })
    }

    fn write(&self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text)
    }

    /// Whether an agent before has stored this.
    pub(super) fn has_stored(&self, key: &str) -> bool {
        self.before.get(key).is_some_and(is_stored)
    }

    /// Has the store forget what agents before have begun and not completed.
    pub(super) async fn forget_unfinished(&self, objects: &Objects, bucket: &str) {
        let unfinished = self.before.iter().filter(|(_, known)| !is_stored(known));
        all(unfinished.map(|(key, known)| forget_of(objects, (bucket, key), known))).await;
    }
}

fn is_stored(known: &Known) -> bool {
    known.values().any(|reached| *reached == Turn::Completed)
}

/// Takes back from the store what was stored and what was begun, as far as it can be reached.
pub(super) async fn take_back(objects: &Objects, bucket: &str, instance: &Path) {
    let uploads = match read(instance) {
        Ok(uploads) => uploads,
        Err(error) => {
            tracing::warn!(%error, "what was stored is left");
            return;
        }
    };
    all(uploads.iter().map(|(key, known)| async move {
        forget_of(objects, (bucket, key), known).await;
        // The store may or may not have come to complete what it was asked to.
        if known.values().any(|reached| *reached != Turn::Begun) {
            remove(objects, (bucket, key)).await;
        }
    }))
    .await;
}

/// Has the store forget the uploads of a key that are not completed.
async fn forget_of(objects: &Objects, target: (&str, &str), known: &Known) {
    for (upload, reached) in known {
        if *reached != Turn::Completed {
            forget(objects, target, upload).await;
        }
    }
    match timeout(ONE_WITHIN, forget_unknown(objects, target, known)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(key = target.1, %error, "an upload may be left"),
        Err(_) => tracing::warn!(
            key = target.1,
            "an upload may be left: the store does not answer"
        ),
    }
}

/// Has the store forget the uploads of a key whose ids it gave to an agent that did not live
/// to write them down. That one has sent no part of them, which tells them from what somebody
/// else may be storing there.
async fn forget_unknown(
    objects: &Objects,
    target: (&str, &str),
    known: &Known,
) -> Result<(), DataError> {
    for upload in objects.unfinished_uploads(target.0, target.1).await? {
        if !known.contains_key(&upload) && !objects.has_parts(target, &upload).await? {
            forget(objects, target, &upload).await;
        }
    }
    Ok(())
}

/// Does all, several at a time, as far as time allows.
async fn all(work: impl Iterator<Item = impl Future<Output = ()>>) {
    let done = futures::stream::iter(work)
        .buffer_unordered(AT_A_TIME)
        .collect::<()>();
    if timeout(TAKEN_BACK_WITHIN, done).await.is_err() {
        tracing::warn!("objects or uploads are left: the store is too slow");
    }
}

async fn remove(objects: &Objects, (bucket, key): (&str, &str)) {
    match timeout(ONE_WITHIN, objects.delete(bucket, key)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(key, %error, "an object is left"),
        Err(_) => tracing::warn!(key, "an object is left: the store does not answer"),
    }
}

async fn forget(objects: &Objects, target: (&str, &str), upload: &str) {
    let key = target.1;
    match timeout(ONE_WITHIN, objects.abort_upload(target, upload)).await {
        Ok(Ok(()) | Err(DataError::Refused { status: 404, .. })) => {}
        Ok(Err(error)) => tracing::warn!(key, %error, "an upload is left"),
        Err(_) => tracing::warn!(key, "an upload is left: the store does not answer"),
    }
}

/// How far each upload has come that the journal of an instance tells of. What was cut off in
/// its middle had not come to pass.
fn read(instance: &Path) -> io::Result<Uploads> {
    let text = match fs::read_to_string(instance.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Uploads::new()),
        text => text?,
    };
    let lines = text.lines();
    let mut uploads = Uploads::new();
    for line in lines.filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Intention { intended } => drop(uploads.entry(intended).or_default()),
            Line::Turn { turn, key, upload } => {
                uploads.entry(key).or_default().insert(upload, turn);
            }
        }
    }
    Ok(uploads)
}

#[cfg(test)]
mod tests {
    use kiln_data::upload::Journal as _;

    use super::*;

    #[test]
    fn uploads_are_found_again_as_far_as_they_came() {
        let place = tempfile::tempdir().unwrap();
        let journal = Journal::open(place.path()).unwrap();
        for (turn, key) in [
            (Turn::Begun, "a"),
            (Turn::Completing, "a"),
            (Turn::Completed, "a"),
            (Turn::Begun, "b \n\""),
            (Turn::Begun, "c"),
            (Turn::Completing, "c"),
        ] {
            journal.intend(key).unwrap();
            journal.note(turn, key, "u").unwrap();
        }
        journal.intend("e").unwrap();
        journal
            .file
            .lock()
            .unwrap()
            .write_all(b"{\"turn\": \"compl")
            .unwrap();
        let next = Journal::open(place.path()).unwrap();
        next.note(Turn::Begun, "d", "v").unwrap();
        let found: Vec<_> = read(place.path()).unwrap().into_iter().collect();
        let is = |key: &str, known: &[(&str, Turn)]| {
            let known = known.iter().map(|(id, turn)| ((*id).to_owned(), *turn));
            (key.to_owned(), known.collect::<Known>())
        };
        let expected = [
            is("a", &[("u", Turn::Completed)]),
            is("b \n\"", &[("u", Turn::Begun)]),
            is("c", &[("u", Turn::Completing)]),
            is("d", &[("v", Turn::Begun)]),
            is("e", &[]),
        ];
        assert_eq!(found, expected);
        let before = ["a", "c", "d", "e", "f"].map(|key| next.has_stored(key));
        assert_eq!(before, [true, false, false, false, false]);
    }
}
