//! What a container writes becomes log lines and metrics.
//!
//! Standard output and error arrive as one stream of bytes. A line is what ends
//! in a newline, or in the container's end; one longer than a log event may be
//! is cut. Control characters are written as `#` and three octal digits, as the
//! cloud's log agent does: metric definitions in the field match `#011` for a
//! tab.

use fancy_regex::Regex;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::AgentError;
use crate::plan::MetricPlan;
use crate::report::Report;
use crate::spool::Spool;

/// The log API's limit on one event, less its 26 bytes of overhead.
pub const LONGEST_LINE: usize = 256 * 1024 - 26;
/// Read size; a pipe holds 64 KiB by default and a megabyte at most.
const CHUNK: usize = 256 * 1024;

/// A metric definition, ready to match.
#[derive(Debug)]
pub struct Matcher {
    name: String,
    regex: Regex,
}

impl Matcher {
    /// Prepares the plan's metric definitions. Those were checked when the job
    /// was created; one that does not compile all the same matches nothing.
    #[must_use]
    pub fn prepare(metrics: &[MetricPlan]) -> Vec<Self> {
        let ready = |metric: &MetricPlan| {
            let regex = Regex::new(&metric.regex).ok()?;
            Some(Self {
                name: metric.name.clone(),
                regex,
            })
        };
        metrics.iter().filter_map(ready).collect()
    }

    fn find(&self, line: &str) -> Option<Report> {
        let groups = self.regex.captures(line).ok()??;
        let value: f64 = groups.get(1)?.as_str().trim().parse().ok()?;
        let value = value as f32;
        // A diverging model says "nan"; no metric has such a value.
        let name = self.name.clone();
        value.is_finite().then_some(Report::Metric { name, value })
    }
}

/// Reads the container's output to its end and spools it.
///
/// # Errors
/// When the pipe or the spool fails.
pub async fn capture(
    mut output: pipe::Receiver,
    matchers: &[Matcher],
    spool: &Spool,
) -> Result<(), AgentError> {
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = output
            .read(&mut chunk)
            .await
            .map_err(AgentError::io("reading the output"))?;
        let whole = if read == 0 {
            lines.finish()
        } else {
            lines.push(&chunk[..read])
        };
        let reports = whole.into_iter().flat_map(|line| {
            let found: Vec<_> = matchers.iter().filter_map(|m| m.find(&line)).collect();
            std::iter::once(Report::Log(line)).chain(found)
        });
        spool
            .append(reports)
            .map_err(AgentError::io("writing the log"))?;
        if read == 0 {
            return Ok(());
        }
    }
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
    /// Whether the line's beginning was cut off already, being too long.
    cut: bool,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                if !(self.cut && self.partial.is_empty()) {
                    self.flush(&mut whole);
                }
                self.cut = false;
            } else if self.partial.len() >= LONGEST_LINE {
                self.flush(&mut whole);
                self.cut = true;
            }
        }
        whole
    }

    fn finish(&mut self) -> Vec<String> {
        let mut whole = Vec::new();
        if !self.partial.is_empty() {
            self.flush(&mut whole);
        }
        whole
    }

    fn flush(&mut self, whole: &mut Vec<String>) {
        let line = std::mem::take(&mut self.partial);
        let mut rest = escape(&String::from_utf8_lossy(&line));
        // Escaping makes lines longer, so the limit is applied to its result.
        while rest.len() > LONGEST_LINE {
            let tail = rest.split_off(rest.floor_char_boundary(LONGEST_LINE));
            whole.push(std::mem::replace(&mut rest, tail));
        }
        whole.push(rest);
    }
}

/// Writes control characters as `#` and three octal digits.
fn escape(line: &str) -> String {
    use std::fmt::Write;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_ascii_control() {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "#{:03o}", character as u32);
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut whole: Vec<String> = chunks.iter().flat_map(|chunk| lines.push(chunk)).collect();
        whole.extend(lines.finish());
        whole
    }

    #[test]
    fn lines_are_cut_and_escaped() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[b"a\nb\n"], &["a", "b"]),
            (&[b"a", b"b\n\nc"], &["ab", "", "c"]),
            (&[b"[0]\ttrain-rmse:1\r\n"], &["[0]#011train-rmse:1"]),
            (&[b"10%\r20%\n"], &["10%#01520%"]),
            (&[b"\x1b[1mbold\x08"], &["#033[1mbold#010"]),
            (&[b"caf\xc3", b"\xa9\n\xff\n"], &["café", "\u{fffd}"]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(lines(chunks), *expected);
        }
    }

    #[test]
    fn a_line_too_long_for_one_event_becomes_several() {
        let long = vec![b'x'; LONGEST_LINE + 10];
        let cut = lines(&[&long, b"\nnext\n"]);
        assert_eq!(
            cut.iter().map(String::len).collect::<Vec<_>>(),
            [LONGEST_LINE, 10, 4]
        );
    }

    #[test]
    fn the_first_group_is_the_metric_in_single_precision() {
        let plan = |regex: &str| MetricPlan {
            name: "m".to_owned(),
            regex: regex.to_owned(),
        };
        let find = |regex: &str, line: &str| Matcher::prepare(&[plan(regex)])[0].find(line);
        let metric = |value| {
            Some(Report::Metric {
                name: "m".to_owned(),
                value,
            })
        };
        assert_eq!(
            find("loss=([0-9.]+)", "epoch 1 loss=0.0036 x"),
            metric(0.0036)
        );
        let xgboost = r".*\[[0-9]+\].*#011train-rmse:([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?).*";
        assert_eq!(
            find(xgboost, "[3]#011train-rmse:1.5e-2#011validation-rmse:2"),
            metric(0.015)
        );
        assert_eq!(find("loss=([a-z]+)", "loss=high"), None);
        assert_eq!(find("loss=([a-z]+)", "loss=nan"), None);
        assert_eq!(find("loss=(.+)", "loss=1e300"), None);
        assert_eq!(find("loss=[0-9]+", "loss=1"), None);
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(text in "[a-c\n\t]{0,64}", at in 0usize..64) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            prop_assert_eq!(lines(&[&bytes[..at], &bytes[at..]]), lines(&[bytes]));
        }
    }
}
