//! Following a job to its end: its stages and its log, as they happen.
//!
//! Ctrl-C asks, on a terminal, whether the job is to be stopped, and leaves it
//! running without a yes. Where nobody can be asked it leaves it running.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

use super::super::Failure;
use super::super::describe::job::{self, Job};
use super::super::exit::JobEnd;
use super::super::kind::Kind;
use super::super::logs::{Form, Lines, Tail};
use crate::client::Client;
use crate::terminal::{
    FAINT, HeldInterrupts, Interrupts, can_ask, painted, plain, print, say, status_style,
};

/// Often enough to look live.
const POLL: Duration = Duration::from_millis(200);

/// Follows the job, and prints what happens unless it is to be quiet. Answers its
/// last description. A server that is started anew meanwhile is waited for.
pub async fn to_the_end(
    client: &Client,
    interrupts: &Interrupts,
    name: &str,
    quiet: bool,
) -> Result<Job, Failure> {
    let client = client.patient();
    let mut interrupts = interrupts.hold();
    let mut following = Following {
        client: &client,
        name,
        quiet,
        stages: Stages::default(),
        tail: None,
    };
    loop {
        tokio::select! {
            biased;
            () = interrupts.next() => stop_if_wanted(&client, name, &mut interrupts).await?,
            seen = following.look() => {
                if let Some(job) = seen? {
                    return Ok(job);
                }
            }
        }
    }
}

/// A job and what was printed of it.
struct Following<'a> {
    client: &'a Client,
    name: &'a str,
    quiet: bool,
    stages: Stages,
    tail: Option<Tail>,
}

impl Following<'_> {
    /// Prints what is new, and answers the job if that was the last of it. It can be
    /// given up at any time, and begins again where the print ends.
    async fn look(&mut self) -> Result<Option<Job>, Failure> {
        let job = Job::fetch(self.client, Kind::Training, self.name).await?;
        let ended = job.has_ended();
        if !self.quiet {
            if !ended {
                print(&self.stages.news(&job))?;
            }
            // The log is complete before the end is visible.
            self.print_log(&job).await?;
            print(&self.stages.news(&job))?;
        }
        if ended {
            return Ok(Some(job));
        }
        tokio::time::sleep(POLL).await;
        Ok(None)
    }

    async fn print_log(&mut self, job: &Job) -> Result<(), Failure> {
        let beginning = || {
            let form = Form::Text(Lines::of(job).indented());
            Tail::new(Kind::Training, self.name, form)
        };
        let tail = self.tail.get_or_insert_with(beginning);
        while let Some(text) = tail.next(self.client).await? {
            print(&text)?;
        }
        Ok(())
    }
}

async fn stop_if_wanted(
    client: &Client,
    name: &str,
    interrupts: &mut HeldInterrupts,
) -> Result<(), Failure> {
    let left_running = || Err(JobEnd::LeftRunning(name.to_owned()).into());
    if !can_ask() || !says_yes(name, interrupts).await? {
        return left_running();
    }
    say(format!("• Stopping   {name}"))?;
    tokio::select! {
        asked = job::stop(client, Kind::Training, name) => asked,
        () = interrupts.next() => left_running(),
    }
}

/// Asks whether to stop the job. Another Ctrl-C is no yes.
async fn says_yes(name: &str, interrupts: &mut HeldInterrupts) -> Result<bool, Failure> {
    let mut terminal = std::io::stderr();
    write!(terminal, "\nStop {name}? It goes on otherwise. [y/N] ")?;
    terminal.flush()?;
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    tokio::select! {
        line = read => {
            let line = line??;
            Ok(matches!(line.trim(), "y" | "Y" | "yes"))
        }
        () = interrupts.next() => {
            writeln!(terminal)?;
            Ok(false)
        }
    }
}

/// What the terminal shows already of the job's stages.
#[derive(Default)]
struct Stages {
    shown: Vec<String>,
}

impl Stages {
    /// The stages entered since last time, and a message that changed.
    fn news(&mut self, job: &Job) -> String {
        let all = job.list("SecondaryStatusTransitions");
        let lines: Vec<String> = all.iter().map(stage).collect();
        let known = self.shown.len().saturating_sub(1);
        let fresh = lines.iter().enumerate().skip(known);
        let fresh = fresh.filter(|(number, line)| self.shown.get(*number) != Some(line));
        let news = fresh.map(|(_, line)| format!("▸ {line}\n")).collect();
        self.shown = lines;
        news
    }
}

fn stage(transition: &Value) -> String {
    let text = |name: &str| transition[name].as_str().unwrap_or_default();
    let status = text("Status");
    let name = painted(status_style(status), format!("{status:<12}"));
    format!("{name} {}", painted(FAINT, plain(text("StatusMessage"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stage_is_told_once_and_again_when_its_message_changes() {
        let job = |stages: &[(&str, &str)]| {
            let stages = stages.iter();
            let stages = stages.map(|(s, m)| json!({"Status": s, "StatusMessage": m}));
            let stages = json!({"SecondaryStatusTransitions": stages.collect::<Vec<_>>()});
            Job::new(Kind::Training, stages)
        };
        let mut shown = Stages::default();
        let mut news = |stages: &[(&str, &str)]| {
            let text = shown.news(&job(stages));
            anstream::adapter::strip_str(&text).to_string()
        };
        assert_eq!(news(&[]), "");
        assert_eq!(news(&[("Pending", "a")]), "▸ Pending      a\n");
        assert_eq!(news(&[("Pending", "a")]), "");
        assert_eq!(news(&[("Pending", "b")]), "▸ Pending      b\n");
        assert_eq!(
            news(&[("Pending", "b"), ("Training", "c"), ("Completed", "d")]),
            "▸ Training     c\n▸ Completed    d\n"
        );
    }
}
