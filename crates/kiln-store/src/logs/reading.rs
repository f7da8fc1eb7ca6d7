//! Events, from one stream or from several merged, never more than is wanted.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use super::listing::end_of;
use super::{Direction, LogEvent, LogStore, Position, Window};
use crate::StoreError;

/// What a merge reads of one stream at once.
const PAGE_EVENTS: u32 = 32;
const PAGE_BYTES: usize = 32 << 10;

/// Which streams of a group are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sources<'a> {
    /// Those with these names; there need not be any.
    Named(&'a [String]),
    /// Those whose names start so.
    Prefix(&'a str),
}

impl LogStore {
    /// Events of one stream from a position on, in ascending order; `None` when
    /// there is no such stream.
    ///
    /// # Errors
    /// The database's failure.
    pub fn events(
        &self,
        group: &str,
        stream: &str,
        from: Position,
        direction: Direction,
        window: Window,
    ) -> Result<Option<Vec<LogEvent>>, StoreError> {
        self.database.read(|connection| {
            let found = connection
                .prepare_cached("SELECT id FROM streams WHERE log_group = ?1 AND name = ?2")?
                .query_row([group, stream], |row| row.get(0))
                .optional()?;
            let Some(id) = found else { return Ok(None) };
            let mut events = page(connection, (id, stream), from, direction, window)?;
            if direction == Direction::Backward {
                events.reverse();
            }
            Ok(Some(events))
        })
    }

    /// Events of several streams, merged in order of time, then of stream name,
    /// after the given event of the given stream.
    ///
    /// # Errors
    /// The database's failure.
    pub fn merged(
        &self,
        group: &str,
        sources: Sources<'_>,
        after: Option<(&str, Position)>,
        window: Window,
    ) -> Result<Vec<LogEvent>, StoreError> {
        self.database.read(|connection| {
            let merge = Merge {
                connection,
                after,
                window,
                open: BinaryHeap::new(),
            };
            Ok(match sources {
                Sources::Named(names) => merge.named(group, names),
                Sources::Prefix(prefix) => merge.prefixed(group, prefix),
            }?)
        })
    }
}

/// A stream that may have something to say, and the time of its first event.
struct Candidate {
    id: i64,
    name: String,
    first_event: i64,
}

/// A stream that is being merged: its next events, of which there is one at least.
struct Opened {
    id: i64,
    next: VecDeque<LogEvent>,
}

/// Streams are opened when the merge comes to the time of their first event, and
/// read page by page, so that it holds little of few of them.
struct Merge<'a> {
    connection: &'a Connection,
    after: Option<(&'a str, Position)>,
    window: Window,
    /// The stream with the earliest event on top.
    open: BinaryHeap<Reverse<Opened>>,
}

type Found<T> = Result<T, rusqlite::Error>;

impl Merge<'_> {
    fn named(self, group: &str, names: &[String]) -> Found<Vec<LogEvent>> {
        let mut query = self.connection.prepare_cached(
            "SELECT id, name, first_event FROM streams WHERE log_group = ?1 AND name = ?2",
        )?;
        let mut candidates = Vec::new();
        for name in names {
            candidates.extend(query.query_row([group, name], candidate).optional()?);
        }
        candidates.sort_by(|a, b| (a.first_event, &a.name).cmp(&(b.first_event, &b.name)));
        candidates.dedup_by_key(|candidate| candidate.id);
        self.run(candidates.into_iter().map(Ok))
    }

    fn prefixed(self, group: &str, prefix: &str) -> Found<Vec<LogEvent>> {
        // With a prefix few streams are left, to be sorted. Without one they are
        // read as they began, and reading ends when the merge is done. The plus
        // signs keep the other indexes out of it.
        let (name, first) = if prefix.is_empty() {
            ("+name", "first_event")
        } else {
            ("name", "+first_event")
        };
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT id, name, first_event FROM streams
             WHERE log_group = ?1 AND {name} >= ?2 AND {name} < ?3
               AND +last_event >= ?4 AND {first} < ?5
             ORDER BY {first}"
        ))?;
        let shown = self.after.map_or(i64::MIN, |(_, position)| position.at);
        let start = self.window.start.unwrap_or(i64::MIN).max(shown);
        let end = self.window.end.unwrap_or(i64::MAX);
        let rows = query.query(params![group, prefix, end_of(prefix), start, end])?;
        self.run(Candidates(rows))
    }

    /// Merges the candidates, which come in the order of their first events.
    fn run(
        mut self,
        mut candidates: impl Iterator<Item = Found<Candidate>>,
    ) -> Found<Vec<LogEvent>> {
        let (mut merged, mut bytes) = (Vec::new(), 0);
        let mut candidate = candidates.next().transpose()?;
        while merged.len() < self.window.limit as usize && bytes <= self.window.bytes {
            while let Some(due) = candidate.take_if(|next| self.may_precede(next)) {
                self.open(&due)?;
                candidate = candidates.next().transpose()?;
            }
            let Some(event) = self.next()? else { break };
            bytes += event.message.len();
            merged.push(event);
        }
        Ok(merged)
    }

    /// Whether the stream may hold an event before all those that are known.
    fn may_precede(&self, candidate: &Candidate) -> bool {
        let known = self
            .open
            .peek()
            .and_then(|Reverse(stream)| stream.next.front());
        known.is_none_or(|event| candidate.first_event <= event.position.at)
    }

    fn open(&mut self, candidate: &Candidate) -> Found<()> {
        let from = match self.after {
            None => Position::START,
            Some((last, position)) => resume(&candidate.name, last, position),
        };
        self.read_on(candidate.id, &candidate.name, from)
    }

    /// Takes the earliest event, and sees to it that its stream's next is known.
    fn next(&mut self) -> Found<Option<LogEvent>> {
        let Some(Reverse(mut stream)) = self.open.pop() else {
            return Ok(None);
        };
        let Some(event) = stream.next.pop_front() else {
            return Ok(None);
        };
        if stream.next.is_empty() {
            self.read_on(stream.id, &event.stream, event.position)?;
        } else {
            self.open.push(Reverse(stream));
        }
        Ok(Some(event))
    }

    fn read_on(&mut self, id: i64, name: &str, from: Position) -> Found<()> {
        let window = Window {
            limit: PAGE_EVENTS,
            bytes: PAGE_BYTES,
            ..self.window
        };
        let events = page(
            self.connection,
            (id, name),
            from,
            Direction::Forward,
            window,
        )?;
        if !events.is_empty() {
            let next = events.into();
            self.open.push(Reverse(Opened { id, next }));
        }
        Ok(())
    }
}

/// Streams as a query finds them.
struct Candidates<'s>(Rows<'s>);

impl Iterator for Candidates<'_> {
    type Item = Found<Candidate>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0
            .next()
            .map(|row| row.map(candidate))
            .transpose()
            .map(Result::flatten)
    }
}

impl Opened {
    /// The order of merged events: by time, then by stream, then by number.
    fn key(&self) -> Option<(i64, &str, i64)> {
        let event = self.next.front()?;
        Some((event.position.at, &event.stream, event.position.number))
    }
}

impl Ord for Opened {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Opened {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Opened {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Opened {}

/// Where a merged read goes on in stream `name`, given the last event that was
/// shown: order is by time, then stream, then number.
fn resume(name: &str, last: &str, position: Position) -> Position {
    match name.cmp(last) {
        Ordering::Less => Position {
            at: position.at,
            number: i64::MAX,
        },
        Ordering::Equal => position,
        Ordering::Greater => Position {
            at: position.at,
            number: 0,
        },
    }
}

/// Events of a stream beyond a position, nearest first.
fn page(
    connection: &Connection,
    (id, stream): (i64, &str),
    from: Position,
    direction: Direction,
    window: Window,
) -> Found<Vec<LogEvent>> {
    let (low, high) = between(from, direction, window);
    let order = match direction {
        Direction::Forward => "ASC",
        Direction::Backward => "DESC",
    };
    let mut query = connection.prepare_cached(&format!(
        "SELECT at, number, ingested, message FROM events
         WHERE stream = ?1 AND (at, number) > (?2, ?3) AND (at, number) < (?4, ?5)
         ORDER BY at {order}, number {order} LIMIT ?6"
    ))?;
    let values = params![id, low.at, low.number, high.at, high.number, window.limit];
    let mut rows = query.query(values)?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    while bytes <= window.bytes
        && let Some(row) = rows.next()?
    {
        let event = event(row, stream)?;
        bytes += event.message.len();
        events.push(event);
    }
    Ok(events)
}

/// The positions that an event must be between. Events' numbers begin with 1,
/// so number 0 stands before every event of its time.
fn between(from: Position, direction: Direction, window: Window) -> (Position, Position) {
    let begin = |at| Position { at, number: 0 };
    let low = window.start.map_or(Position::START, begin);
    let high = window.end.map_or(Position::END, begin);
    match direction {
        Direction::Forward => (low.max(from), high),
        Direction::Backward => (low, high.min(from)),
    }
}

fn candidate(row: &Row<'_>) -> Found<Candidate> {
    Ok(Candidate {
        id: row.get(0)?,
        name: row.get(1)?,
        first_event: row.get(2)?,
    })
}

fn event(row: &Row<'_>, stream: &str) -> Found<LogEvent> {
    Ok(LogEvent {
        stream: stream.to_owned(),
        position: Position {
            at: row.get(0)?,
            number: row.get(1)?,
        },
        ingested: row.get(2)?,
        message: row.get(3)?,
    })
}
