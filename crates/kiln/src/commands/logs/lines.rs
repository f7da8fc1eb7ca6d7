//! A log's events as lines: as the job printed them, after the name of the
//! instance when there are several; or as JSON.

use serde_json::{Value, json};

use crate::commands::describe::job::Job;
use crate::terminal::{distinct_style, painted, plain};

/// An event of a log.
#[derive(Debug)]
pub struct Event {
    stream: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    message: String,
}

impl Event {
    /// Reads an event of a stream.
    pub fn new(stream: &str, event: &Value) -> Self {
        Self {
            stream: stream.to_owned(),
            timestamp: event["timestamp"].as_i64().unwrap_or_default(),
            message: event["message"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// How events are shown.
#[derive(Debug)]
pub enum Form {
    /// For people.
    Text(Lines),
    /// For programs.
    Json,
}

impl Form {
    /// An event's line, with its end.
    pub fn line(&self, event: &Event) -> String {
        match self {
            Self::Text(lines) => lines.line(event),
            Self::Json => {
                let Event {
                    stream,
                    timestamp,
                    message,
                } = event;
                let line = json!({"timestamp": timestamp, "stream": stream, "message": message});
                format!("{line}\n")
            }
        }
    }
}

/// Lines for people.
#[derive(Debug)]
pub struct Lines {
    /// What stands before every line.
    indent: &'static str,
    several_instances: bool,
}

impl Lines {
    /// Lines of a job's log.
    pub fn of(job: &Job) -> Self {
        Self {
            indent: "",
            several_instances: job.instance_count() > 1,
        }
    }

    /// The same lines, set off from what else is printed.
    pub fn indented(self) -> Self {
        Self {
            indent: "    ",
            ..self
        }
    }

    fn line(&self, event: &Event) -> String {
        let Self { indent, .. } = self;
        let message = plain(&event.message);
        if !self.several_instances {
            return format!("{indent}{message}\n");
        }
        let host = host(&event.stream);
        let number: usize = host
            .rsplit('-')
            .next()
            .unwrap_or_default()
            .parse()
            .unwrap_or(0);
        let host = painted(distinct_style(number), format!("{host:<7}"));
        format!("{indent}{host} {message}\n")
    }
}

/// The instance in a stream's name: `job/algo-1-1795238474`.
fn host(stream: &str) -> &str {
    let name = stream.rsplit('/').next().unwrap_or(stream);
    name.rsplit_once('-').map_or(name, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::kind::Kind;

    fn shown(form: &Form) -> String {
        let event = json!({"timestamp": 7, "message": "hello"});
        let line = form.line(&Event::new("job/algo-2-1795238474", &event));
        anstream::adapter::strip_str(&line).to_string()
    }

    #[test]
    fn a_line_names_its_instance_only_when_there_are_several() {
        for (count, line) in [(1, "hello\n"), (2, "algo-2  hello\n")] {
            let job = Job::new(
                Kind::Training,
                json!({"ResourceConfig": {"InstanceCount": count}}),
            );
            assert_eq!(shown(&Form::Text(Lines::of(&job))), line);
            let indented = shown(&Form::Text(Lines::of(&job).indented()));
            assert_eq!(indented, format!("    {line}"));
        }
    }

    #[test]
    fn json_has_the_whole_event() {
        let line: Value = serde_json::from_str(&shown(&Form::Json)).unwrap();
        let whole = json!({"timestamp": 7, "stream": "job/algo-2-1795238474", "message": "hello"});
        assert_eq!(line, whole);
    }

    #[test]
    fn an_instance_is_found_in_the_streams_name() {
        assert_eq!(host("job/algo-1-1795238474"), "algo-1");
        assert_eq!(host("job/odd"), "odd");
    }
}
