//! A keep-alive HTTP client that costs next to nothing: prepared requests go
//! out as they are, and of an answer only what delimits it is looked at.
//!
//! Blocking, one connection a thread. A peer that closes after each answer is
//! connected to anew.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::error::BenchError;

/// No answer takes longer than this, a peer's list of all its jobs included.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What of an answer's head delimits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    /// Bytes of the head, with the empty line.
    size: usize,
    status: u16,
    /// Bytes of the body; without a length it ends with the connection.
    length: Option<usize>,
    closes: bool,
}

impl Connection {
    /// A connection that is opened by its first request.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: Vec::with_capacity(1 << 16),
        }
    }

    /// Sends a request and reads the whole answer.
    pub fn exchange(&mut self, request: &[u8]) -> Result<Answer, BenchError> {
        let reused = self.stream.is_some();
        match self.attempt(request) {
            // The server may have closed a connection that lay idle.
            Err(BenchError::Io { source, .. }) if reused && is_farewell(source.kind()) => {
                self.attempt(request)
            }
            settled => settled,
        }
    }

    fn attempt(&mut self, request: &[u8]) -> Result<Answer, BenchError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        stream
            .write_all(request)
            .map_err(BenchError::io("sending a request"))?;
        let head = self.read_head(&mut stream)?;
        self.read_body(&mut stream, head)?;
        let answer = Answer {
            status: head.status,
            body: self.buffer[head.size..].to_vec(),
        };
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn read_head(&mut self, stream: &mut TcpStream) -> Result<Head, BenchError> {
        self.buffer.clear();
        loop {
            if self.fill(stream)? == 0 {
                let error = std::io::Error::from(ErrorKind::UnexpectedEof);
                return Err(BenchError::io("reading an answer")(error));
            }
            if let Some(head) = parse_head(&self.buffer)? {
                return Ok(head);
            }
        }
    }

    fn read_body(&mut self, stream: &mut TcpStream, head: Head) -> Result<(), BenchError> {
        let missing = |have: usize| match head.length {
            Some(length) => have < head.size + length,
            None => true,
        };
        while missing(self.buffer.len()) {
            if self.fill(stream)? == 0 {
                return match head.length {
                    None => Ok(()),
                    Some(_) => Err(BenchError::Answer("its body is cut off".to_owned())),
                };
            }
        }
        Ok(())
    }

    fn fill(&mut self, stream: &mut TcpStream) -> Result<usize, BenchError> {
        let mut piece = [0; 1 << 14];
        let read = stream
            .read(&mut piece)
            .map_err(BenchError::io("reading an answer"))?;
        self.buffer.extend_from_slice(&piece[..read]);
        Ok(read)
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream, BenchError> {
    let connected = TcpStream::connect(address).and_then(|stream| {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    });
    connected.map_err(BenchError::io(format!("connecting to {address}")))
}

fn is_farewell(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

/// Reads an answer's head; `None` while it is not whole.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, BenchError> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end])
        .map_err(|_| BenchError::Answer("its head is not text".to_owned()))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| BenchError::Answer(format!("it begins with '{first}'")))?;
    let mut head = Head {
        size: end + 4,
        status,
        length: None,
        closes: first.starts_with("HTTP/1.0"),
    };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(BenchError::Answer(format!("it is sent {value}")));
        }
    }
    if head.length.is_none() {
        head.closes = true;
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn heads_are_read_for_what_delimits_them() {
        let cases: [(&str, u16, Option<usize>, bool); 4] = [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 12",
                200,
                Some(12),
                false,
            ),
            ("HTTP/1.0 200 OK\r\ncontent-length: 3", 200, Some(3), true),
            (
                "HTTP/1.1 400 Bad\r\nConnection: close\r\nContent-Length: 1",
                400,
                Some(1),
                true,
            ),
            ("HTTP/1.1 200 OK\r\nServer: x", 200, None, true),
        ];
        for (text, status, length, closes) in cases {
            let whole = format!("{text}\r\n\r\nbody");
            let head = parse_head(whole.as_bytes()).unwrap().unwrap();
            let size = text.len() + 4;
            assert_eq!(
                head,
                Head {
                    size,
                    status,
                    length,
                    closes
                },
                "{text}"
            );
            assert_eq!(parse_head(text.as_bytes()).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_chunked_answer_and_nonsense_are_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "hello\r\n\r\n",
        ] {
            assert!(parse_head(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_length_is_found_among_any_headers(
            names in proptest::collection::vec("x-[a-z]{1,8}", 0..8),
            value in "[ -~]{0,20}",
            length in 0usize..1 << 40,
        ) {
            let other: String = names.iter().map(|name| format!("{name}: {value}\r\n")).collect();
            let text = format!("HTTP/1.1 200 OK\r\n{other}Content-Length: {length}\r\n\r\n");
            let head = parse_head(text.as_bytes()).unwrap().unwrap();
            prop_assert_eq!((head.length, head.size), (Some(length), text.len()));
        }

        #[test]
        fn no_bytes_upset_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_head(&bytes);
        }
    }
}
