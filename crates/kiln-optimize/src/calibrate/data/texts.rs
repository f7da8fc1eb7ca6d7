//! The files of a directory as pieces of which each can become a sample.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::records::{self, Content};
use crate::OptimizeError;

/// Files of one JSON list are read as a whole, up to this size.
const LIST: u64 = 256 << 20;

/// Bytes of a line of text or of a record. Longer lines of text are several; there are no
/// longer records.
const LONGEST: u64 = 64 << 20;

/// How lines of plain text become pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Each line is one.
    Lines,
    /// Whole lines are put together until there are so many bytes.
    Bytes(usize),
}

/// A file of text or of records.
#[derive(Debug)]
enum Kind {
    Text,
    Json,
}

/// The files that a calibration can be made with, in the order of their names.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>, OptimizeError> {
    let mut found = Vec::new();
    let mut rest = vec![directory.to_path_buf()];
    while let Some(directory) = rest.pop() {
        for entry in fs::read_dir(&directory).map_err(OptimizeError::read(&directory))? {
            let path = entry.map_err(OptimizeError::read(&directory))?.path();
            if path.is_dir() {
                rest.push(path);
            } else if kind(&path).is_some() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn kind(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()? {
        "txt" => Some(Kind::Text),
        "jsonl" | "json" => Some(Kind::Json),
        _ => None,
    }
}

/// Hands over the pieces of all files one after another, until told to stop. `wanted` says
/// of a piece's number whether it is looked at, or only counted.
pub fn pieces(
    files: &[PathBuf],
    packing: Packing,
    wanted: &mut dyn FnMut(usize) -> bool,
    take: &mut dyn FnMut(Content) -> Result<ControlFlow<()>, OptimizeError>,
) -> Result<usize, OptimizeError> {
    let mut count = 0;
    for path in files {
        let mut piece = |make: &dyn Fn() -> Result<Content, OptimizeError>| {
            count += 1;
            match wanted(count - 1) {
                true => take(make()?),
                false => Ok(ControlFlow::Continue(())),
            }
        };
        let flow = match kind(path) {
            Some(Kind::Text) => text(path, packing, &mut piece)?,
            _ => json(path, &mut piece)?,
        };
        if flow.is_break() {
            break;
        }
    }
    Ok(count)
}

type Piece<'a> = dyn FnMut(&dyn Fn() -> Result<Content, OptimizeError>) -> Result<ControlFlow<()>, OptimizeError>
    + 'a;

fn text(
    path: &Path,
    packing: Packing,
    piece: &mut Piece,
) -> Result<ControlFlow<()>, OptimizeError> {
    let mut lines = BufReader::new(File::open(path).map_err(OptimizeError::read(path))?);
    let mut bytes = Vec::new();
    loop {
        let read = (&mut lines)
            .take(LONGEST)
            .read_until(b'\n', &mut bytes)
            .map_err(OptimizeError::read(path))?;
        let whole = match packing {
            Packing::Lines => true,
            Packing::Bytes(size) => read == 0 || bytes.len() >= size,
        };
        if whole {
            if !bytes.trim_ascii().is_empty() {
                let content = || {
                    let text = String::from_utf8_lossy(&bytes);
                    let text = match packing {
                        Packing::Lines => text.trim(),
                        Packing::Bytes(_) => &text,
                    };
                    Ok(Content::Text(text.to_owned()))
                };
                if piece(&content)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            bytes.clear();
        }
        if read == 0 {
            return Ok(ControlFlow::Continue(()));
        }
    }
}

fn json(path: &Path, piece: &mut Piece) -> Result<ControlFlow<()>, OptimizeError> {
    let mut lines = BufReader::new(File::open(path).map_err(OptimizeError::read(path))?);
    let start = lines.fill_buf().map_err(OptimizeError::read(path))?;
    if start.trim_ascii_start().starts_with(b"[") {
        return list(path, lines, piece);
    }
    let mut line = Vec::new();
    let mut number = 0;
    while (&mut lines)
        .take(LONGEST)
        .read_until(b'\n', &mut line)
        .map_err(OptimizeError::read(path))?
        > 0
    {
        number += 1;
        if line.len() as u64 == LONGEST {
            return Err(fault(path, number, "is longer than 64 MiB"));
        }
        if !line.trim_ascii().is_empty() {
            let content = || {
                let record = serde_json::from_slice(&line);
                let record: Value = record.map_err(|_| fault(path, number, "is not JSON"))?;
                records::read(&record).map_err(|what| fault(path, number, &what))
            };
            if piece(&content)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        line.clear();
    }
    Ok(ControlFlow::Continue(()))
}

fn list(path: &Path, file: impl Read, piece: &mut Piece) -> Result<ControlFlow<()>, OptimizeError> {
    let records: Vec<Value> = serde_json::from_reader(file.take(LIST)).map_err(|error| {
        OptimizeError::Calibration(format!("{} is not a JSON list: {error}", name(path)))
    })?;
    for (number, record) in records.iter().enumerate() {
        let content = || records::read(record).map_err(|what| fault(path, number + 1, &what));
        if piece(&content)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn fault(path: &Path, number: usize, what: &str) -> OptimizeError {
    OptimizeError::Calibration(format!("record {number} of {} {what}", name(path)))
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(files: &[PathBuf], packing: Packing) -> Result<Vec<Content>, OptimizeError> {
        let mut found = Vec::new();
        pieces(files, packing, &mut |_| true, &mut |content| {
            found.push(content);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    #[test]
    fn files_are_cut_into_pieces() {
        let home = tempfile::tempdir().unwrap();
        let texts = [
            ("b.txt", "one\n\n two \nthree"),
            ("a.jsonl", "{\"text\": \"four\"}\n\n{\"tokens\": [5]}\n"),
            (
                "inner/c.json",
                " [{\"text\": \"six\"},\n {\"text\": \"seven\"}]",
            ),
            ("other.bin", "x"),
        ];
        fs::create_dir(home.path().join("inner")).unwrap();
        for (name, text) in texts {
            fs::write(home.path().join(name), text).unwrap();
        }
        let files = files(home.path()).unwrap();
        let names: Vec<_> = files.iter().map(|path| name(path)).collect();
        assert_eq!(names, ["a.jsonl", "b.txt", "c.json"]);

        let text = |text: &str| Content::Text(text.to_owned());
        let found = all(&files, Packing::Lines).unwrap();
        let expected = [
            text("four"),
            Content::Tokens(vec![5]),
            text("one"),
            text("two"),
            text("three"),
            text("six"),
            text("seven"),
        ];
        assert_eq!(found, expected);
        let packed = all(&files[1..2], Packing::Bytes(6)).unwrap();
        assert_eq!(packed, [text("one\n\n two \n"), text("three")]);
    }

    #[test]
    fn a_fault_names_its_record() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.jsonl");
        for (text, expected) in [
            ("{\"text\": \"a\"}\n{", "record 2 of a.jsonl is not JSON"),
            (
                "{\"a\": 1}",
                "record 1 of a.jsonl has neither text, messages, prompt, input_ids nor tokens",
            ),
            ("[1]", "record 1 of a.jsonl is not a JSON object"),
        ] {
            fs::write(&path, text).unwrap();
            let error = all(std::slice::from_ref(&path), Packing::Lines)
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
