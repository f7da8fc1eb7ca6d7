//! Runs the tools that build an environment, passing on what they say.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::EnvironmentError;
use crate::shelf::Listener;

/// How much of a failed tool's output belongs into the error.
const LAST_LINES: usize = 20;

/// Runs `command`; `doing` names it in the error.
pub(super) fn run(
    mut command: Command,
    doing: &str,
    listener: Listener,
) -> Result<(), EnvironmentError> {
    let program = command.get_program().to_owned();
    let io = |source| EnvironmentError::io("running", &program)(source);
    let (reader, writer) = std::io::pipe().map_err(io)?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(io)?)
        .stderr(writer);
    // A tool that outlived us would go on writing where the next builder works.
    kiln_minder::attend(&mut command);
    let mut child = command.spawn().map_err(io)?;
    // The command holds the pipe's write end, and with it the reader would wait
    // for ever.
    drop(command);
    let last_lines = listen(BufReader::new(reader), listener).map_err(io)?;
    let status = child.wait().map_err(io)?;
    if status.success() {
        return Ok(());
    }
    Err(EnvironmentError::Tool {
        doing: doing.to_owned(),
        status: status.to_string(),
        last_lines,
    })
}

/// Passes on every line, and returns the last ones.
fn listen(output: impl BufRead, listener: Listener) -> std::io::Result<String> {
    let mut last = VecDeque::with_capacity(LAST_LINES);
    for line in output.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        listener(&line);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    Ok(last.make_contiguous().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_heard() {
        let mut heard = Vec::new();
        run(shell("echo out; echo err >&2"), "it", &mut |line| {
            heard.push(line.to_owned())
        })
        .expect("success");
        assert_eq!(heard, ["out", "err"]);
    }

    #[test]
    fn a_failure_ends_with_the_last_lines() {
        let script = "for n in $(seq 30); do echo line $n; done; exit 3";
        let error = run(shell(script), "counting", &mut |_| ()).expect_err("a failure");
        let text = error.to_string();
        assert!(
            text.starts_with("counting failed (exit status: 3):\nline 11\n"),
            "{text}"
        );
        assert!(text.ends_with("line 30"), "{text}");
    }

    #[test]
    fn a_tool_that_is_not_there_is_named() {
        let error = run(Command::new("/no/such/tool"), "it", &mut |_| ()).expect_err("a failure");
        assert!(
            error.to_string().starts_with("running /no/such/tool: "),
            "{error}"
        );
    }
}
