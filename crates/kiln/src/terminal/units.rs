//! Spans and times as people write them.

use time::OffsetDateTime;
use time::macros::format_description;

/// A span of time, in two units at the most: `42s`, `3m 12s`, `2h 5m`, `3d 4h`.
pub fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 10.0 {
        return format!("{seconds:.1}s");
    }
    // What is shown is whole seconds of at most centuries.
    let whole = seconds.round() as u64;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{whole}s"),
        (0, 0, _) => format!("{minutes}m {}s", whole % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// A time of the API, in seconds since 1970, as `2026-11-21 13:45:02 UTC`.
pub fn clock(epoch_seconds: f64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    // A time before or behind all calendars is shown as the number that it is.
    let whole = epoch_seconds as i64;
    OffsetDateTime::from_unix_timestamp(whole)
        .ok()
        .and_then(|time| time.format(&form).ok())
        .unwrap_or_else(|| epoch_seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units_at_the_most() {
        for (seconds, text) in [
            (-1.0, "0.0s"),
            (0.25, "0.2s"),
            (9.94, "9.9s"),
            (42.4, "42s"),
            (59.7, "1m 0s"),
            (192.0, "3m 12s"),
            (7500.0, "2h 5m"),
            (273_600.0, "3d 4h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_time_is_shown_in_utc() {
        assert_eq!(clock(1_795_238_474.9), "2026-11-21 05:21:14 UTC");
        assert_eq!(clock(1e18), "1000000000000000000");
    }
}
