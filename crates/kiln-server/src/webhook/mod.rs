//! Announcements, told to a webhook: at least once, and in order for each job.
//!
//! What is to be told lies in the store and is removed when the webhook has
//! taken it, so a server that comes back goes on where the last one stopped.
//! One job's announcements are told one after another; many jobs' at once.

mod lanes;
mod patience;
mod receiver;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kiln_store::{Announcement, AnnouncementStore, StoreError};
use time::OffsetDateTime;
use tokio::time::Instant;

use self::lanes::{Lane, Lanes, Turn};
use self::patience::{Answer, Next, Tries};
use self::receiver::Receiver;

pub use self::receiver::{Webhook, WebhookError};

/// Tells a webhook what the store announces.
pub struct Messenger {
    work: Work,
    lanes: Lanes,
    /// The last announcement that has a place in the lanes.
    seen: i64,
    under_way: FuturesUnordered<BoxFuture<'static, (String, Turn)>>,
}

/// What it takes to tell one announcement.
#[derive(Clone)]
struct Work {
    store: AnnouncementStore,
    receiver: Receiver,
}

impl std::fmt::Debug for Messenger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messenger")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Messenger {
    /// A messenger between this store and this webhook. Nothing is told before
    /// [`Messenger::run`].
    ///
    /// # Errors
    /// When this machine cannot speak to the webhook at all.
    pub fn new(store: AnnouncementStore, webhook: &Webhook) -> Result<Self, WebhookError> {
        Ok(Self {
            work: Work {
                store,
                receiver: Receiver::new(webhook)?,
            },
            lanes: Lanes::default(),
            seen: 0,
            under_way: FuturesUnordered::new(),
        })
    }

    /// Tells everything there is to tell, for as long as it is polled.
    pub async fn run(mut self) {
        let mut commits = self.work.store.commits();
        loop {
            commits.borrow_and_update();
            self.look_for_more();
            self.begin();
            let rested = self.lanes.rested_at();
            tokio::select! {
                Some((subject, turn)) = self.under_way.next() => {
                    self.lanes.settle(&subject, turn);
                }
                committed = commits.changed() => {
                    if committed.is_err() {
                        return;
                    }
                }
                () = sleep_until(rested) => {}
            }
        }
    }

    fn look_for_more(&mut self) {
        loop {
            let found = match self.work.store.subjects_after(self.seen) {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "what is to be told cannot be looked up; later again");
                    return;
                }
            };
            if found.is_empty() {
                return;
            }
            for (number, subject) in found {
                self.seen = number;
                self.lanes.note(subject);
            }
        }
    }

    fn begin(&mut self) {
        while let Some(lane) = self.lanes.next(Instant::now()) {
            let work = self.work.clone();
            self.under_way.push(Box::pin(async move {
                let turn = work.turn(&lane).await;
                (lane.subject, turn)
            }));
        }
    }
}

impl Work {
    /// One job's turn: its first announcement is told, or not yet.
    async fn turn(&self, lane: &Lane) -> Turn {
        match self.tell_first(lane).await {
            Ok(turn) => turn,
            Err(error) => {
                tracing::warn!(%error, "what is to be told cannot be read; later again");
                Turn::Rest(patience::LONGEST, lane.tries)
            }
        }
    }

    async fn tell_first(&self, lane: &Lane) -> Result<Turn, StoreError> {
        let Some(announcement) = self.store.first(&lane.subject)? else {
            return Ok(Turn::Empty);
        };
        let answer = self.receiver.tell(&announcement).await;
        let tries = lane.tries.and(&answer);
        let next = patience::next(&answer, tries, age(&announcement), chance());
        if let Next::Retry(rest) = next {
            say_once(tries, &lane.subject, &answer);
            return Ok(Turn::Rest(rest, tries));
        }
        if next == Next::GiveUp {
            tracing::warn!(
                job = lane.subject, event = announcement.id, tries = tries.failed, %answer,
                "the webhook did not take an event; it is dropped"
            );
        }
        self.store.remove(announcement.number).await?;
        Ok(Turn::Done)
    }
}

/// A webhook that is away for a day need not fill the log.
fn say_once(tries: Tries, job: &str, answer: &Answer) {
    if tries.failed == 1 {
        tracing::warn!(job, %answer, "the webhook did not take an event; it is told again");
    } else {
        tracing::debug!(job, tries = tries.failed, %answer, "the webhook did not take an event yet");
    }
}

fn age(announcement: &Announcement) -> std::time::Duration {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    let age = now - i128::from(announcement.created);
    std::time::Duration::from_millis(u64::try_from(age).unwrap_or(0))
}

/// A number between 0 and 1.
fn chance() -> f64 {
    let byte = crate::random::random(1).ok();
    let byte = byte.and_then(|bytes| bytes.first().copied());
    f64::from(byte.unwrap_or_default()) / 255.0
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
