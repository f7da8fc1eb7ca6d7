//! What `--debug` tells of an invocation, on standard error.

use std::io::{self, Write};

/// Tells, or keeps silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log {
    tells: bool,
}

impl Log {
    pub(crate) fn new(tells: bool) -> Self {
        Self { tells }
    }

    pub(crate) fn say(self, what: &str) {
        if self.tells {
            let now = time::OffsetDateTime::now_utc();
            let date = now.date();
            let (hour, minute, second, milli) = now.to_hms_milli();
            complain(&format!(
                "{date} {hour:02}:{minute:02}:{second:02},{milli:03} - kiln - DEBUG - {what}"
            ));
        }
    }
}

/// Writes a line to standard error. Whoever has closed the other end wants no more.
pub(crate) fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
