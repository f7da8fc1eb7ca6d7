//! Where pages begin: places in a stream, in several merged, or among streams.

use std::fmt;
use std::str::FromStr;

use kiln_store::{Direction, LogEvent, LogStream, Position};

/// Where reading a stream goes on, and which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamPlace {
    pub(super) direction: Direction,
    pub(super) position: Position,
}

impl StreamPlace {
    /// Where reading begins without a token: at the head, or at the tail.
    pub(super) fn start(from_head: bool) -> Self {
        if from_head {
            Self {
                direction: Direction::Forward,
                position: Position::START,
            }
        } else {
            Self {
                direction: Direction::Backward,
                position: Position::END,
            }
        }
    }

    /// The places before and after a page that was read from here. When the
    /// page is empty they are this very place, so that a client at the end sees
    /// its own token again.
    pub(super) fn around(self, page: &[LogEvent]) -> (Self, Self) {
        let at = |event: Option<&LogEvent>| event.map_or(self.position, |event| event.position);
        (
            Self {
                direction: Direction::Backward,
                position: at(page.first()),
            },
            Self {
                direction: Direction::Forward,
                position: at(page.last()),
            },
        )
    }
}

impl fmt::Display for StreamPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        write!(f, "{letter}/{}/{}", self.position.at, self.position.number)
    }
}

impl FromStr for StreamPlace {
    type Err = ();

    fn from_str(place: &str) -> Result<Self, ()> {
        let mut parts = place.splitn(3, '/');
        let direction = match parts.next() {
            Some("f") => Direction::Forward,
            Some("b") => Direction::Backward,
            _ => return Err(()),
        };
        let position = position(parts.next(), parts.next())?;
        Ok(Self {
            direction,
            position,
        })
    }
}

fn position(at: Option<&str>, number: Option<&str>) -> Result<Position, ()> {
    let read = |text: Option<&str>| text.and_then(|text| text.parse().ok()).ok_or(());
    Ok(Position {
        at: read(at)?,
        number: read(number)?,
    })
}

/// Just after an event of one of several merged streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedPlace {
    pub(super) position: Position,
    pub(super) stream: String,
}

impl MergedPlace {
    pub(super) fn of(event: &LogEvent) -> Self {
        Self {
            position: event.position,
            stream: event.stream.clone(),
        }
    }
}

impl fmt::Display for MergedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}",
            self.position.at, self.position.number, self.stream
        )
    }
}

impl FromStr for MergedPlace {
    type Err = ();

    fn from_str(place: &str) -> Result<Self, ()> {
        let mut parts = place.splitn(3, '/');
        let position = position(parts.next(), parts.next())?;
        Ok(Self {
            position,
            stream: parts.next().ok_or(())?.to_owned(),
        })
    }
}

/// Just beyond a stream, where streams are listed by their last events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamInTime {
    pub(super) last_event: i64,
    pub(super) name: String,
}

impl StreamInTime {
    pub(super) fn of(stream: &LogStream) -> Self {
        Self {
            last_event: stream.last_event,
            name: stream.name.clone(),
        }
    }
}

impl fmt::Display for StreamInTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.last_event, self.name)
    }
}

impl FromStr for StreamInTime {
    type Err = ();

    fn from_str(place: &str) -> Result<Self, ()> {
        let (at, name) = place.split_once('/').ok_or(())?;
        Ok(Self {
            last_event: at.parse().map_err(|_| ())?,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn places_read_back(at: i64, number: i64, forward: bool, stream in "[a-z/0-9-]{0,20}") {
            let position = Position { at, number };
            let direction = if forward { Direction::Forward } else { Direction::Backward };
            let place = StreamPlace { direction, position };
            prop_assert_eq!(place.to_string().parse(), Ok(place));
            let listed = StreamInTime { last_event: at, name: stream.clone() };
            prop_assert_eq!(listed.to_string().parse(), Ok(listed));
            let merged = MergedPlace { position, stream };
            prop_assert_eq!(merged.to_string().parse(), Ok(merged));
        }

        #[test]
        fn nonsense_is_refused(place in "[^/]*") {
            prop_assert_eq!(place.parse::<StreamPlace>(), Err(()));
            prop_assert_eq!(place.parse::<MergedPlace>(), Err(()));
            prop_assert_eq!(place.parse::<StreamInTime>(), Err(()));
        }
    }
}
