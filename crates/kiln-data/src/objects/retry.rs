//! What is tried again, for how long, and how soon.

use std::time::{Duration, Instant};

use rand::Rng;

use crate::DataError;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How long a store is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// With one that does not answer at all; `None` is for ever.
    pub unanswered: Option<Duration>,
    /// With one that answers that it is in trouble, or that there is too much
    /// to do.
    pub troubled: Duration,
    /// With an answer of which not one more byte arrives.
    pub stalled: Duration,
}

impl Patience {
    /// For the store of one's own control plane: it may be away for hours while
    /// a job trains, and who has no such patience drops the future.
    pub const OWN: Self = Self {
        unanswered: None,
        troubled: Duration::from_secs(120),
        stalled: Duration::from_secs(60),
    };
    /// For any other store.
    pub const EXTERNAL: Self = Self {
        unanswered: Some(Duration::from_secs(300)),
        troubled: Duration::from_secs(300),
        stalled: Duration::from_secs(60),
    };

    fn covers(&self, error: &DataError, spent: Duration) -> bool {
        match error {
            DataError::Unreachable(_) => self.unanswered.is_none_or(|limit| spent < limit),
            DataError::Refused { status, code, .. } => {
                is_passing(*status, code) && spent < self.troubled
            }
            _ => false,
        }
    }
}

/// Whether a refusal says nothing about the request itself.
fn is_passing(status: u16, code: &str) -> bool {
    let transient = [
        "InternalError",
        "SlowDown",
        "RequestTimeout",
        "ServiceUnavailable",
    ];
    // 501 is the answer to what a store does not know, and stays so.
    (status >= 500 && status != 501) || status == 429 || transient.contains(&code)
}

/// The pauses between the tries of one thing: each up to twice the last, and
/// never the same for two who failed together.
#[derive(Debug)]
pub(super) struct Backoff {
    patience: Patience,
    /// When the first try had failed.
    failing_since: Option<Instant>,
    pause: Duration,
}

impl Backoff {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            failing_since: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Begins anew, since there was progress.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.patience);
    }

    /// Waits for the next try.
    ///
    /// # Errors
    /// Gives the error back when it is final.
    pub(super) async fn wait(&mut self, error: DataError) -> Result<(), DataError> {
        let since = self.failing_since.get_or_insert_with(Instant::now);
        if !self.patience.covers(&error, since.elapsed()) {
            return Err(error);
        }
        tracing::debug!(%error, "the object store is tried again");
        let jittered = self.pause.mul_f64(rand::rng().random_range(0.5..1.5));
        tokio::time::sleep(jittered).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_trouble_is_tried_again_and_only_so_long() {
        let refused = |status, code: &str| DataError::Refused {
            status,
            code: code.to_owned(),
            message: String::new(),
        };
        let away = || DataError::Unreachable(String::new());
        let cases = [
            (refused(503, "SlowDown"), 0, true, true),
            (refused(500, "InternalError"), 0, true, true),
            (refused(200, "InternalError"), 0, true, true),
            (refused(400, "RequestTimeout"), 0, true, true),
            (refused(429, "TooManyRequests"), 0, true, true),
            (refused(501, "NotImplemented"), 0, false, false),
            (refused(404, "NoSuchKey"), 0, false, false),
            (refused(403, "AccessDenied"), 0, false, false),
            (refused(503, "SlowDown"), 10_000, false, false),
            (away(), 0, true, true),
            (away(), 10_000, true, false),
            (DataError::Protocol(String::new()), 0, false, false),
        ];
        for (error, seconds, own, external) in cases {
            let spent = Duration::from_secs(seconds);
            assert_eq!(Patience::OWN.covers(&error, spent), own, "{error}");
            assert_eq!(
                Patience::EXTERNAL.covers(&error, spent),
                external,
                "{error}"
            );
        }
    }
}
