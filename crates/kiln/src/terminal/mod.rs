//! What a person sees: colour where the output is a terminal, and plain text in
//! a pipe or where NO_COLOR asks for it.

mod interrupts;
mod progress;
mod table;
mod units;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

pub use self::interrupts::{HeldInterrupts, Interrupts};
pub use self::progress::Progress;
pub use self::table::Table;
pub use self::units::{clock, span};

/// What heads a page, a table or a list.
pub const STRONG: Style = Style::new().bold();
/// What is said beside the point.
pub const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();
const BUSY: Style = AnsiColor::Cyan.on_default();

/// Prints a line.
pub fn say(line: impl Display) -> io::Result<()> {
    writeln!(anstream::stdout(), "{line}")
}

/// Prints what has its line breaks already.
pub fn print(text: &str) -> io::Result<()> {
    let mut output = anstream::stdout();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Says something beside the output, on standard error.
pub fn remark(line: impl Display) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "kiln: {line}");
}

/// Text of somebody else's as it is safe to show: control characters, which could
/// steer the terminal, become `#` and three octal digits, as in the logs. Reasons
/// have several lines.
pub fn plain(text: &str) -> String {
    let shown = text.chars().map(|one| match one {
        '\n' => one.to_string(),
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => format!("#{:03o}", u32::from(one)),
        _ => one.to_string(),
    });
    shown.collect()
}

/// Text in a style. Printing takes the style off where there is no terminal.
pub fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// How a job's or a stage's status looks.
pub fn status_style(status: &str) -> Style {
    match status {
        "Completed" | "COMPLETED" => GOOD,
        "Failed" | "FAILED" | "MaxRuntimeExceeded" | "MaxWaitTimeExceeded" => BAD,
        "Stopped" | "Stopping" | "STOPPED" | "STOPPING" | "Interrupted" | "Restarting" => WARNING,
        _ => BUSY,
    }
}

/// Whether people read the output.
pub fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Whether somebody is there to be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// A style for each of several things that write at once.
pub fn distinct_style(number: usize) -> Style {
    const COLOURS: [AnsiColor; 6] = [
        AnsiColor::Cyan,
        AnsiColor::Yellow,
        AnsiColor::Green,
        AnsiColor::Magenta,
        AnsiColor::Blue,
        AnsiColor::Red,
    ];
    COLOURS[number % COLOURS.len()].on_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_steer_the_terminal_is_shown() {
        let cases = [
            ("loss=0.1", "loss=0.1"),
            ("two\nlines", "two\nlines"),
            ("\u{1b}]0;title\u{7}", "#033]0;title#007"),
            ("\u{9b}31m", "#23331m"),
            ("größer", "größer"),
        ];
        for (text, shown) in cases {
            assert_eq!(plain(text), shown);
        }
    }
}
