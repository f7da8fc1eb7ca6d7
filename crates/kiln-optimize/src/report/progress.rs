//! Lines of progress, one in a second at most.

use std::time::{Duration, Instant};

/// How long no line follows another.
const PAUSE: Duration = Duration::from_secs(1);

/// How far a work has come.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    told: Instant,
    total: u64,
    done: u64,
}

impl Progress {
    /// Of a work with so many bytes to do, which begins now.
    #[must_use]
    pub fn new(total: u64) -> Self {
        let now = Instant::now();
        Self {
            begun: now,
            told: now,
            total,
            done: 0,
        }
    }

    /// Counts bytes of a tensor, and answers the line that is due.
    pub fn advance(&mut self, bytes: u64, tensor: &str) -> Option<String> {
        self.done += bytes;
        let now = Instant::now();
        if now - self.told < PAUSE {
            return None;
        }
        self.told = now;
        Some(line(self.done, self.total, now - self.begun, tensor))
    }

    /// Takes note of how much is done, from 0 to 1, and answers the line that is due.
    pub fn reach(&mut self, share: f64, now_at: &str) -> Option<String> {
        let now = Instant::now();
        if now - self.told < PAUSE {
            return None;
        }
        self.told = now;
        let left = (now - self.begun).as_secs_f64() * (1.0 - share) / share.max(1e-3);
        Some(format!(
            "Kiln: {:.0} % of the calibration, {} left, at {now_at}",
            share * 100.0,
            duration(left)
        ))
    }

    /// The line of a work that is done.
    #[must_use]
    pub fn end(&self) -> String {
        let elapsed = self.begun.elapsed();
        format!(
            "Kiln: {} in {:.1} s, {}",
            size(self.done),
            elapsed.as_secs_f64(),
            speed(self.done, elapsed)
        )
    }
}

fn line(done: u64, total: u64, elapsed: Duration, tensor: &str) -> String {
    let percent = done.saturating_mul(100) / total.max(1);
    let left = total.saturating_sub(done) as f64 / done.max(1) as f64 * elapsed.as_secs_f64();
    format!(
        "Kiln: {percent} % of {}, {}, {} left, at {tensor}",
        size(total),
        speed(done, elapsed),
        duration(left)
    )
}

fn speed(bytes: u64, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-3);
    format!("{}/s", size((bytes as f64 / seconds) as u64))
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Bytes as a person reads them.
pub fn size(bytes: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let found = units.iter().find(|(_, unit)| bytes as f64 >= *unit);
    match found {
        Some((name, unit)) => format!("{:.2} {name}", bytes as f64 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_and_how_fast_and_how_long() {
        for (done, total, seconds, expected) in [
            (0, 0, 0, "Kiln: 0 % of 0 B, 0 B/s, 0 s left, at w"),
            (
                500_000_000,
                2_000_000_000,
                1,
                "Kiln: 25 % of 2.00 GB, 500.00 MB/s, 3 s left, at w",
            ),
            (
                1_000,
                9_001_000,
                1,
                "Kiln: 0 % of 9.00 MB, 1.00 kB/s, 2 h 30 min left, at w",
            ),
            (
                10_000,
                1_000_000,
                1,
                "Kiln: 1 % of 1.00 MB, 10.00 kB/s, 1 min 39 s left, at w",
            ),
        ] {
            let elapsed = Duration::from_secs(seconds);
            assert_eq!(line(done, total, elapsed, "w"), expected);
        }
    }

    #[test]
    fn lines_come_with_pauses() {
        let mut progress = Progress::new(10);
        assert_eq!(progress.advance(5, "a"), None);
        progress.told -= PAUSE;
        let line = progress.advance(5, "b").unwrap();
        assert!(line.starts_with("Kiln: 100 % of 10 B"), "{line}");
        assert_eq!(progress.reach(0.5, "c"), None);
        progress.told -= PAUSE;
        let line = progress.reach(0.5, "c").unwrap();
        assert!(
            line.starts_with("Kiln: 50 % of the calibration, 1 s left"),
            "{line}"
        );
        assert!(progress.end().starts_with("Kiln: 10 B in 0."));
    }
}
