//! How long a webhook is asked to take an announcement.
//!
//! EventBridge's own terms, about: for a day, at ever longer intervals. What is
//! refused as such, and not for the moment, is tried a few times only.

use std::fmt;
use std::time::Duration;

use http::StatusCode;

/// The interval after the first failure; it doubles with each.
const FIRST: Duration = Duration::from_millis(500);
/// The longest interval.
pub(super) const LONGEST: Duration = Duration::from_secs(60);
/// Nothing is told again that happened longer ago.
const OLDEST: Duration = Duration::from_secs(24 * 3600);
/// How often what is refused as such is tried.
const REFUSALS: u32 = 5;

/// What became of telling an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was taken.
    Taken,
    /// There was no answer, or one that speaks of the moment only.
    Failed(String),
    /// It was refused, and would most likely be again.
    Refused(StatusCode),
}

impl Answer {
    /// What a status says. A redirection is a refusal: it is not followed.
    pub(super) fn of(status: StatusCode) -> Self {
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_success() {
            Self::Taken
        } else if status.is_server_error() || passing.contains(&status) {
            Self::Failed(format!("HTTP {status}"))
        } else {
            Self::Refused(status)
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("taken"),
            Self::Failed(why) => f.write_str(why),
            Self::Refused(status) => write!(f, "HTTP {status}"),
        }
    }
}

/// What follows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// The next announcement.
    Proceed,
    /// The same again, after so long.
    Retry(Duration),
    /// It is dropped.
    GiveUp,
}

/// How often an announcement was told in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// In all.
    pub(super) failed: u32,
    /// Those that were refused as such.
    pub(super) refused: u32,
}

impl Tries {
    /// And once more, if this was the answer.
    pub(super) fn and(self, answer: &Answer) -> Self {
        Self {
            failed: self.failed.saturating_add(1),
            refused: match answer {
                Answer::Refused(_) => self.refused.saturating_add(1),
                Answer::Taken | Answer::Failed(_) => self.refused,
            },
        }
    }
}

/// What follows from an answer to an announcement of this age, the tries that
/// were in vain counted with this one; `chance`, between 0 and 1, spreads those
/// that failed together.
pub(super) fn next(answer: &Answer, tries: Tries, age: Duration, chance: f64) -> Next {
    let enough = match answer {
        Answer::Taken => return Next::Proceed,
        Answer::Failed(_) => false,
        Answer::Refused(_) => tries.refused >= REFUSALS,
    };
    if enough || age >= OLDEST {
        return Next::GiveUp;
    }
    let doublings = tries.failed.saturating_sub(1).min(16);
    let interval = (FIRST * 2u32.pow(doublings)).min(LONGEST);
    Next::Retry(interval.mul_f64(0.5 + chance / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Answer {
        Answer::Failed("no route".to_owned())
    }

    fn refused() -> Answer {
        Answer::Refused(StatusCode::NOT_FOUND)
    }

    /// So many answers, the last of which came now.
    fn after(answers: &[Answer]) -> Next {
        let tries = answers.iter().fold(Tries::default(), Tries::and);
        next(&answers[answers.len() - 1], tries, Duration::ZERO, 0.5)
    }

    #[test]
    fn statuses_are_read_as_the_web_means_them() {
        let cases = [
            (200, "taken"),
            (202, "taken"),
            (204, "taken"),
            (301, "refused"),
            (307, "refused"),
            (400, "refused"),
            (401, "refused"),
            (404, "refused"),
            (408, "failed"),
            (410, "refused"),
            (429, "failed"),
            (500, "failed"),
            (503, "failed"),
        ];
        for (status, expected) in cases {
            let read = match Answer::of(StatusCode::from_u16(status).unwrap()) {
                Answer::Taken => "taken",
                Answer::Failed(_) => "failed",
                Answer::Refused(_) => "refused",
            };
            assert_eq!(read, expected, "{status}");
        }
    }

    #[test]
    fn intervals_double_up_to_a_minute_and_are_spread() {
        let interval = |failed, chance| {
            let tries = Tries { failed, refused: 0 };
            match next(&self::failed(), tries, Duration::ZERO, chance) {
                Next::Retry(interval) => interval.as_millis(),
                other => panic!("{other:?}"),
            }
        };
        let longest: Vec<u128> = (1..=9).map(|tries| interval(tries, 1.0)).collect();
        let expected = [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000];
        assert_eq!(longest, expected);
        assert_eq!(interval(1, 0.0), 250);
        assert_eq!(interval(u32::MAX, 0.0), 30_000);
    }

    #[test]
    fn only_age_ends_what_fails_and_number_what_is_refused() {
        let day = Duration::from_secs(24 * 3600);
        let tries = Tries {
            failed: 10_000,
            refused: 0,
        };
        let nearly = day - Duration::from_secs(1);
        assert_ne!(next(&failed(), tries, nearly, 0.5), Next::GiveUp);
        assert_eq!(next(&failed(), tries, day, 0.5), Next::GiveUp);
        assert_eq!(next(&Answer::Taken, tries, day * 2, 0.5), Next::Proceed);
        assert_ne!(after(&vec![refused(); 4]), Next::GiveUp);
        assert_eq!(after(&vec![refused(); 5]), Next::GiveUp);
    }

    #[test]
    fn a_refusal_after_many_failures_is_the_first_one() {
        let mut answers = vec![failed(); 20];
        answers.push(refused());
        assert_ne!(after(&answers), Next::GiveUp);
        answers.extend(vec![refused(); 4]);
        assert_eq!(after(&answers), Next::GiveUp);
    }
}
