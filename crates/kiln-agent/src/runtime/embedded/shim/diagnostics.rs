//! What libcontainer logs when it fails: its errors say what it was doing, and
//! only its log says why.

use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::{Read, Write};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The longest line that the kernel writes to a pipe in one piece.
const LONGEST: usize = 4096;

/// The log of this process and of those that it forks before they execute
/// something else.
#[derive(Debug)]
pub struct Diagnostics {
    log: File,
}

impl Diagnostics {
    /// Begins to listen.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn begin() -> nix::Result<Self> {
        let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        // Only the first subscriber of a process is taken, and this is it.
        let _ = tracing::subscriber::set_global_default(Listener {
            log: File::from(write),
        });
        Ok(Self {
            log: File::from(read),
        })
    }

    /// The first error that was logged, which is the one nearest to the cause.
    pub fn cause(&self) -> Option<String> {
        let mut bytes = vec![0; LONGEST];
        let count = (&self.log).read(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        text.lines().next().map(str::to_owned)
    }
}

struct Listener {
    log: File,
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let mut text: String = line.0.chars().filter(|letter| *letter != '\n').collect();
        text.truncate(text.floor_char_boundary(LONGEST - 1));
        text.push('\n');
        // A full pipe holds what came first already.
        let _ = (&self.log).write(text.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// An event's message, then its other fields.
#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let separator = if self.0.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{separator}{value:?}"),
            name => write!(self.0, "{separator}{name}: {value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_the_cause() {
        let diagnostics = Diagnostics::begin().unwrap();
        assert_eq!(diagnostics.cause(), None);
        tracing::info!("not this");
        tracing::error!(path = "/a", "cannot be\nmounted");
        tracing::error!("consequence");
        assert_eq!(
            diagnostics.cause().unwrap(),
            "cannot bemounted, path: \"/a\""
        );
    }
}
