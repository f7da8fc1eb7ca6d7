//! What a job pays for its log: a program that works and writes 50,000 lines a
//! second, in turns to a file and to standard output, whether every line is there
//! afterwards, and how far behind the log was.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, LOG_GROUP};
use crate::error::BenchError;
use crate::latency::{BUCKET, request};
use crate::options::Options;
use crate::samples::Samples;
use crate::server::Kiln;

const JOB: &str = "bench-talker";
/// How fast the program writes where writing costs nothing: with what it costs to write to a
/// file, about 50,000 are left.
const LINES_A_SECOND: u32 = 55_000;
/// What the program prints before what it took: the times with a file and with its log, the
/// same of the processor, all in nanoseconds, and how often it waited for the log.
const WROTE: &str = "kiln-bench wrote ";
/// What it prints before the number of each line.
const LINE: &str = "line ";
/// How often the job is looked at.
const POLL: Duration = Duration::from_millis(200);

/// What the program took, and what became of its lines.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Lines of one round.
    lines: usize,
    /// The rounds with a file.
    to_file: Samples,
    /// The rounds with standard output.
    to_log: Samples,
    /// The processor's time for either.
    processor: [Samples; 2],
    /// How often the program waited for its log, in all rounds.
    waits: u64,
    /// From when each line was written to when it could be read.
    behind: Samples,
}

/// Runs the program and reads its log.
pub fn measure(options: &Options) -> Result<Logs, BenchError> {
    let (lines, rounds) = (options.lines(), options.rounds());
    let kiln = Kiln::start(options)?;
    let mut client = Client::new(kiln.endpoint());
    client.put(&format!("/{BUCKET}"), b"")?;
    let script = format!("exec /bin/talker {lines} {rounds} {LINES_A_SECOND}");
    client.sagemaker("CreateTrainingJob", &request(JOB, &script))?;
    wait(&mut client)?;
    let events = read_log(&mut client)?;
    let written = numbers(&events);
    if !written.eq(0..lines * rounds) {
        let complaint = "has a log with lines that are missing, or not in their order";
        return Err(BenchError::job(JOB, complaint));
    }
    Ok(summary(lines, &events))
}

fn wait(client: &mut Client) -> Result<(), BenchError> {
    let named = json!({"TrainingJobName": JOB});
    loop {
        let job = client.sagemaker("DescribeTrainingJob", &named)?;
        match job["TrainingJobStatus"].as_str() {
            Some("InProgress") => std::thread::sleep(POLL),
            Some("Completed") => return Ok(()),
            _ => return Err(BenchError::job(JOB, format!("did not complete: {job}"))),
        }
    }
}

/// Every event of the job's log, page by page.
fn read_log(client: &mut Client) -> Result<Vec<Value>, BenchError> {
    let named = json!({"logGroupName": LOG_GROUP, "logStreamNamePrefix": format!("{JOB}/")});
    let streams = client.logs("DescribeLogStreams", &named)?;
    let mut position = json!({
        "logGroupName": LOG_GROUP, "startFromHead": true,
        "logStreamName": streams["logStreams"][0]["logStreamName"],
    });
    let mut all = Vec::new();
    loop {
        let mut page = client.logs("GetLogEvents", &position)?;
        match page["events"].take() {
            Value::Array(events) if !events.is_empty() => all.extend(events),
            _ => return Ok(all),
        }
        position["nextToken"] = page["nextForwardToken"].take();
    }
}

fn messages(events: &[Value]) -> impl Iterator<Item = &str> {
    events.iter().filter_map(|event| event["message"].as_str())
}

/// The numbers of the program's lines, as the log has them.
fn numbers(events: &[Value]) -> impl Iterator<Item = usize> {
    let number = |message: &str| {
        let rest = message.strip_prefix(LINE)?;
        rest.split(' ').next()?.parse().ok()
    };
    messages(events).filter_map(number)
}

fn summary(lines: usize, events: &[Value]) -> Logs {
    let figures = |which: usize| {
        let wrote = messages(events).filter_map(|message| message.strip_prefix(WROTE));
        wrote.filter_map(move |figures| figures.split(' ').nth(which)?.trim().parse::<u64>().ok())
    };
    let times = |which: usize| figures(which).map(Duration::from_nanos).collect();
    let behind = |event: &Value| {
        let [taken, written] = ["ingestionTime", "timestamp"].map(|name| event[name].as_u64());
        let millis = taken?.saturating_sub(written?);
        Some(Duration::from_millis(millis))
    };
    Logs {
        lines,
        to_file: times(0),
        to_log: times(1),
        processor: [times(2), times(3)],
        waits: figures(4).sum(),
        behind: events.iter().filter_map(behind).collect(),
    }
}

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, .. } = self;
        let median = |samples: &Samples| samples.percentile(50);
        let [file, log] = [&self.to_file, &self.to_log].map(median);
        let [file_processor, log_processor] = self.processor.each_ref().map(median);
        let more =
            |one: Duration, than: Duration| (one.as_secs_f64() / than.as_secs_f64() - 1.0) * 100.0;
        let rate = *lines as f64 / log.as_secs_f64();
        let [most, all] = [50, 100].map(|percent| self.behind.percentile(percent).as_millis());
        writeln!(
            f,
            "## A job that writes {lines} lines of 100 bytes ({} rounds)\n",
            self.to_log.count()
        )?;
        writeln!(f, "| | | target |\n|---|---|---|")?;
        writeln!(f, "| with a file | {:.2} s | |", file.as_secs_f64())?;
        writeln!(f, "| with its log | {:.2} s | |", log.as_secs_f64())?;
        writeln!(f, "| slower by | {:.1} % | 5 % |", more(log, file))?;
        writeln!(
            f,
            "| more of the processor by | {:.1} % | |",
            more(log_processor, file_processor)
        )?;
        writeln!(f, "| waited for its log | {} times | 0 |", self.waits)?;
        writeln!(f, "| lines a second | {rate:.0} | |")?;
        writeln!(f, "| half of the lines can be read within | {most} ms | |")?;
        writeln!(f, "| all of them within | {all} ms | |")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_times_are_found_in_the_log() {
        let event = |message: &str, taken: u64| json!({"message": message, "timestamp": 1000, "ingestionTime": taken});
        let events = [
            event("line 000000000 0", 1010),
            event("line 000000001 0", 1030),
            event(
                "kiln-bench wrote 2000000000 2100000000 1000000000 1010000000 7",
                1020,
            ),
        ];
        assert!(numbers(&events).eq(0..2));
        let page = summary(2, &events).to_string();
        for part in [
            "slower by | 5.0 %",
            "processor by | 1.0 %",
            "its log | 7 times",
            "lines a second | 1 |",
            "within | 30 ms",
        ] {
            assert!(page.contains(part), "{page}");
        }
    }
}
