//! Outlasting a restart of the server: calling again until it answers, with a word
//! on standard error to whoever waits.

use std::time::{Duration, Instant};

use super::ClientError;
use crate::terminal::remark;

/// A restart is over in less.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(250);

/// Calls until somebody answers, or for as long as the patience lasts. The call must
/// be one that does no harm when it is made twice.
pub async fn outlast<T>(
    patience: Duration,
    call: impl AsyncFn() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let mut away_since: Option<Instant> = None;
    loop {
        let answer = call().await;
        let Err(ClientError::Unreachable { endpoint, cause }) = &answer else {
            if away_since.is_some() {
                remark("the server answers again");
            }
            return answer;
        };
        match away_since {
            Some(since) if since.elapsed() >= patience => return answer,
            Some(_) => {}
            None => {
                let seconds = patience.as_secs();
                remark(format!(
                    "{endpoint} does not answer ({cause}); waiting {seconds} seconds for it"
                ));
                away_since = Some(Instant::now());
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How many calls are made when so many find nobody, and what comes of them.
    fn outlasted(patience: Duration, away: u32, then: Result<u32, ClientError>) -> (u32, bool) {
        let calls = Cell::new(0);
        let then = Cell::new(Some(then));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let outcome = runtime.block_on(outlast(patience, async || {
            calls.set(calls.get() + 1);
            if calls.get() > away {
                return then.take().unwrap();
            }
            Err(ClientError::Unreachable {
                endpoint: "http://h:1".to_owned(),
                cause: "gone".to_owned(),
            })
        }));
        (calls.get(), outcome.is_ok())
    }

    #[test]
    fn calls_are_made_until_somebody_answers() {
        assert_eq!(outlasted(PATIENCE, 0, Ok(1)), (1, true));
        assert_eq!(outlasted(PATIENCE, 2, Ok(1)), (3, true));
        let refusal = ClientError::Nonsense("Ask".to_owned());
        assert_eq!(outlasted(PATIENCE, 1, Err(refusal)), (2, false));
    }

    #[test]
    fn patience_ends() {
        assert_eq!(outlasted(Duration::ZERO, u32::MAX, Ok(1)), (2, false));
    }
}
