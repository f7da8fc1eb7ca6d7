//! How long presets are tried: one that loses must not cost its owner minutes.

use std::time::Duration;

/// What a build has while no preset holds and another is left: a third of what a job has
/// that says nothing of its time.
const FIRST: Duration = Duration::from_secs(300);
/// What all presets together have, once one of them holds.
const TRIED_FOR: Duration = Duration::from_secs(180);
/// What a build has at least.
const LEAST: Duration = Duration::from_secs(20);
/// A first run may take so many times as long as a run of the best; it is the coldest.
const SLOWER: u32 = 4;
/// A first run that is shorter costs nobody anything, and may be no more than cold.
const SHORT: Duration = Duration::from_millis(100);

/// What a further preset may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as its job may.
    Endless,
    /// So long.
    For(Duration),
    /// It is not begun.
    None,
}

impl Patience {
    /// That with a preset while none holds. What another could still replace is given up
    /// where it takes too long; what is not judged cannot be replaced by something worse
    /// that nobody sees.
    pub(super) fn with_one_of(left: usize, is_judged: bool) -> Self {
        match left > 1 && is_judged {
            true => Self::For(FIRST),
            false => Self::Endless,
        }
    }

    /// That with another preset, when one holds whose build took `build`, and `spent` was
    /// spent on all so far: no more than the one that holds has cost.
    pub(super) fn with_another(build: Duration, spent: Duration) -> Self {
        match TRIED_FOR.saturating_sub(spent) {
            Duration::ZERO => Self::None,
            left => Self::For(build.max(LEAST).min(left)),
        }
    }

    /// The time, where it has an end.
    pub(super) fn limit(self) -> Option<Duration> {
        match self {
            Self::Endless => None,
            Self::For(limit) => Some(limit),
            Self::None => Some(Duration::ZERO),
        }
    }
}

/// What a first run may take beside a best that takes `best`.
pub(super) fn first_run(best: Duration) -> Duration {
    (best * SLOWER).max(SHORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_holds_is_waited_for_and_others_cost_no_more_than_it() {
        let seconds = Duration::from_secs;
        assert_eq!(Patience::with_one_of(3, true), Patience::For(seconds(300)));
        assert_eq!(Patience::with_one_of(1, true), Patience::Endless);
        assert_eq!(Patience::with_one_of(3, false), Patience::Endless);
        // The build of the one that holds, what was spent, and what another may take.
        let cases = [
            (1, 1, Some(20)),
            (50, 60, Some(50)),
            (100, 120, Some(60)),
            (100, 180, None),
            (300, 310, None),
        ];
        for (build, spent, expected) in cases {
            let found = Patience::with_another(seconds(build), seconds(spent));
            let expected = expected.map_or(Patience::None, |limit| Patience::For(seconds(limit)));
            assert_eq!(found, expected, "{build} {spent}");
        }
    }

    #[test]
    fn a_first_run_is_too_slow_only_where_its_length_is_felt() {
        let cases = [
            (0.01, 100.0),
            (20.0, 100.0),
            (30.0, 120.0),
            (1000.0, 4000.0),
        ];
        for (best, expected) in cases {
            let limit = first_run(Duration::from_secs_f64(best / 1e3));
            assert_eq!(limit, Duration::from_secs_f64(expected / 1e3), "{best} ms");
        }
    }
}
