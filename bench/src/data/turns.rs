//! Runners that do the same in turns, so that whatever else goes on in the
//! machine, and what its disk still has to write, meets them all alike.

use std::time::Duration;

use crate::error::BenchError;

/// Something that is timed.
pub struct Runner<'r> {
    run: Box<dyn FnMut() -> Result<Duration, BenchError> + 'r>,
    most: usize,
}

impl<'r> Runner<'r> {
    /// Takes a turn in every round.
    pub fn new(run: impl FnMut() -> Result<Duration, BenchError> + 'r) -> Self {
        Self {
            run: Box::new(run),
            most: usize::MAX,
        }
    }

    /// Takes one turn only, for it takes minutes.
    pub fn once(run: impl FnMut() -> Result<Duration, BenchError> + 'r) -> Self {
        Self {
            most: 1,
            ..Self::new(run)
        }
    }
}

/// Lets all run in turns, so many rounds, and answers the median of each one's
/// times. Nobody starts with what another left to be written to the disk.
pub fn in_turns<const N: usize>(
    rounds: usize,
    mut runners: [Runner<'_>; N],
) -> Result<[Duration; N], BenchError> {
    let mut times = [const { Vec::new() }; N];
    for round in 0..rounds {
        for (runner, times) in runners.iter_mut().zip(&mut times) {
            if round < runner.most {
                nix::unistd::sync();
                times.push((runner.run)()?);
            }
        }
    }
    Ok(times.map(median))
}

/// The middle one, and the longer of two.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        for (millis, expected) in [(&[][..], 0), (&[3], 3), (&[9, 1, 5], 5), (&[2, 1], 2)] {
            let times = millis.iter().copied().map(Duration::from_millis).collect();
            assert_eq!(median(times), Duration::from_millis(expected), "{millis:?}");
        }
    }

    #[test]
    fn all_run_in_turns_and_some_only_once() {
        let order = RefCell::new(String::new());
        let say = |name: char| {
            order.borrow_mut().push(name);
            Ok(Duration::from_secs(u64::from(name)))
        };
        let runners = [
            Runner::new(|| say('a')),
            Runner::once(|| say('b')),
            Runner::new(|| say('c')),
        ];
        let times = in_turns(3, runners).unwrap();
        assert_eq!(*order.borrow(), "abcacac");
        assert_eq!(
            times,
            ['a', 'b', 'c'].map(|name| Duration::from_secs(u64::from(name)))
        );
    }
}
