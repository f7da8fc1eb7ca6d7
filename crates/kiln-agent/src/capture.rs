//! What a container writes becomes log lines and metrics.
//!
//! Standard output and error arrive as one stream of bytes. A line is what ends
//! in a newline, or in the container's end; one longer than a log event may be
//! is cut. Control characters are written as `#` and three octal digits, as the
//! cloud's log agent does: metric definitions in the field match `#011` for a
//! tab.
//!
//! A program that writes line by line would have each of its lines read, spooled
//! and delivered for itself, on a processor that the program wants. So what
//! follows soon is taken together, and the pipe is large enough for the program
//! to go on writing meanwhile.

use std::time::{Duration, Instant};

use fancy_regex::{Regex, RegexBuilder};
use nix::fcntl::{FcntlArg, fcntl};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::AgentError;
use crate::plan::MetricPlan;
use crate::report::Report;
use crate::spool::Spool;

/// The log API's limit on one event, less its 26 bytes of overhead.
pub const LONGEST_LINE: usize = 256 * 1024 - 26;
/// Read size.
const CHUNK: usize = 256 * 1024;
/// What the pipe holds, if the system grants it: the most for an ordinary user.
const PIPE: i32 = 1 << 20;
/// Output that comes sooner than this after the last is left to gather as long.
const GATHERING: Duration = Duration::from_millis(4);
/// After a read of so much the next is due at once.
const PLENTY: usize = 64 * 1024;

/// How often a definition may go back in one line; a line that takes longer has
/// no metric, and does not hold up those behind it.
const MOST_STEPS: usize = 100_000;

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
            let regex = RegexBuilder::new(&metric.regex)
                .backtrack_limit(MOST_STEPS)
                .build()
                .ok()?;
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
    // A smaller pipe will do.
    let _ = fcntl(&output, FcntlArg::F_SETPIPE_SZ(PIPE));
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    let mut taken: Option<Instant> = None;
    loop {
        let read = output
            .read(&mut chunk)
            .await
            .map_err(AgentError::io("reading the output"))?;
        let soon = taken.is_some_and(|taken| taken.elapsed() < GATHERING);
        taken = Some(Instant::now());
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
        if soon && read < PLENTY {
            output = gather(output)
                .await
                .map_err(AgentError::io("waiting for output"))?;
        }
    }
}

/// Lets output gather in the pipe. Nobody watches the pipe meanwhile, since every
/// line would wake who does.
async fn gather(output: pipe::Receiver) -> std::io::Result<pipe::Receiver> {
    let unwatched = output.into_nonblocking_fd()?;
    tokio::time::sleep(GATHERING).await;
    pipe::Receiver::from_owned_fd(unwatched)
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if self.partial.pop_if(|byte| *byte == b'\n').is_some() {
                self.end(&mut whole);
            } else {
                self.cut(&mut whole);
            }
        }
        whole
    }

    fn finish(&mut self) -> Vec<String> {
        let mut whole = Vec::new();
        if !self.partial.is_empty() {
            self.end(&mut whole);
        }
        whole
    }

    /// Ends a line. A carriage return before that is a part of its end.
    fn end(&mut self, whole: &mut Vec<String>) {
        self.partial.pop_if(|byte| *byte == b'\r');
        self.cut(whole);
        write_down(std::mem::take(&mut self.partial), whole);
    }

    /// Writes down what is too long for one event, however it arrived, and leaves
    /// the rest, which is something.
    fn cut(&mut self, whole: &mut Vec<String>) {
        // A carriage return may be a part of the line's end.
        while self.partial.len() > LONGEST_LINE + 1 {
            let rest = self.partial.split_off(boundary(&self.partial));
            write_down(std::mem::replace(&mut self.partial, rest), whole);
        }
    }
}

/// Where an event must end at the latest, and does not end within a character.
fn boundary(bytes: &[u8]) -> usize {
    let is_first = |byte: u8| !(0x80..0xc0).contains(&byte);
    let near = LONGEST_LINE - 3..=LONGEST_LINE;
    near.rev()
        .find(|at| is_first(bytes[*at]))
        .unwrap_or(LONGEST_LINE)
}

/// Writes bytes down as an event, or as several: what is written otherwise than it
/// came may become longer.
fn write_down(bytes: Vec<u8>, whole: &mut Vec<String>) {
    let mut rest = escape(into_text(bytes));
    while rest.len() > LONGEST_LINE {
        let tail = rest.split_off(rest.floor_char_boundary(LONGEST_LINE));
        whole.push(std::mem::replace(&mut rest, tail));
    }
    whole.push(rest);
}

/// The bytes as text; what is no UTF-8 is replaced.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Writes control characters as `#` and three octal digits.
fn escape(line: String) -> String {
    use std::fmt::Write;
    if !line.bytes().any(|byte| byte.is_ascii_control()) {
        return line;
    }
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
    fn a_line_too_long_for_one_event_becomes_several_however_it_arrives() {
        let cases: [(usize, &[u8], &[usize]); 6] = [
            (LONGEST_LINE, b"\n", &[LONGEST_LINE]),
            (LONGEST_LINE, b"\r\n", &[LONGEST_LINE]),
            (LONGEST_LINE + 1, b"\r\n", &[LONGEST_LINE, 1]),
            (LONGEST_LINE, b"", &[LONGEST_LINE]),
            (LONGEST_LINE - 1, "ä\n".as_bytes(), &[LONGEST_LINE - 1, 2]),
            (
                2 * LONGEST_LINE + 1,
                b"\n",
                &[LONGEST_LINE, LONGEST_LINE, 1],
            ),
        ];
        for (length, end, expected) in cases {
            let line = [&vec![b'x'; length], end].concat();
            for size in [1000, 65_536, CHUNK, line.len()] {
                let chunks: Vec<&[u8]> = line.chunks(size).collect();
                let cut: Vec<usize> = lines(&chunks).iter().map(String::len).collect();
                assert_eq!(cut, expected, "{length} with {end:?} by {size}");
            }
        }
    }

    #[test]
    fn escaping_makes_no_event_too_long() {
        let cut = lines(&[&vec![b'\t'; LONGEST_LINE]]);
        assert!(cut.iter().all(|line| line.len() <= LONGEST_LINE));
        assert_eq!(cut.concat(), "#011".repeat(LONGEST_LINE));
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
