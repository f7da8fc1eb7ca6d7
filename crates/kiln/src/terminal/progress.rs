//! A bar for long work. It is drawn on standard error, and only where that is a
//! terminal.

use indicatif::{ProgressBar, ProgressStyle};

const FORM: &str = "{msg} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}";

/// Less is done before a bar could be read.
const WORTH_A_BAR: u64 = 1 << 20;

/// How far some work on bytes has come.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Begins work on so many bytes.
    pub fn begin(what: impl Into<String>, bytes: u64) -> Self {
        if bytes < WORTH_A_BAR {
            return Self::hidden();
        }
        let bar = ProgressBar::new(bytes);
        let style = ProgressStyle::with_template(FORM);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.into());
        Self(bar)
    }

    /// Shows nothing.
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// So many bytes more are done.
    pub fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
