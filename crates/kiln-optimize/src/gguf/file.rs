//! The GGUF file, version 3: counts, metadata, the list of tensors, then their data, each
//! at a multiple of 32 bytes. Dimensions are listed with the neighbours first.

use std::path::Path;

use super::blocks::Encoding;
use crate::OptimizeError;
use crate::places::{Place, Places};

const ALIGNMENT: u64 = 32;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i32>),
    Floats(Vec<f32>),
}

/// A tensor in the list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// As safetensors have it: the neighbours last.
    pub(super) shape: Vec<usize>,
    pub(super) encoding: Encoding,
}

impl Entry {
    fn bytes(&self) -> u64 {
        let count = self.shape.iter().map(|dimension| *dimension as u64);
        self.encoding.bytes(count.product())
    }
}

/// Makes the file with all but the tensors' data, whose places are in the order of the list.
pub(super) fn create(
    path: &Path,
    metadata: &[(String, Value)],
    entries: &[Entry],
) -> Result<Places, OptimizeError> {
    let mut offsets = Vec::new();
    let mut end = 0;
    for entry in entries {
        offsets.push(end);
        end += entry.bytes().next_multiple_of(ALIGNMENT);
    }
    let head = head(metadata, entries, &offsets);
    let data = head.len() as u64;
    let places = entries.iter().zip(offsets);
    let places = places.map(|(entry, offset)| Place::new(data + offset, entry.bytes()));
    Places::create(path, &head, places.collect(), data + end)
}

/// Everything before the data, filled up to where that begins.
fn head(metadata: &[(String, Value)], entries: &[Entry], offsets: &[u64]) -> Vec<u8> {
    let mut head = b"GGUF".to_vec();
    head.extend(3_u32.to_le_bytes());
    head.extend((entries.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_text(&mut head, key);
        put(&mut head, value);
    }
    for (entry, offset) in entries.iter().zip(offsets) {
        put_text(&mut head, &entry.name);
        head.extend((entry.shape.len() as u32).to_le_bytes());
        for dimension in entry.shape.iter().rev() {
            head.extend((*dimension as u64).to_le_bytes());
        }
        head.extend(entry.encoding.code().to_le_bytes());
        head.extend(offset.to_le_bytes());
    }
    let length = head.len().next_multiple_of(ALIGNMENT as usize);
    head.resize(length, 0);
    head
}

fn put_text(head: &mut Vec<u8>, text: &str) {
    head.extend((text.len() as u64).to_le_bytes());
    head.extend(text.as_bytes());
}

/// The numbers of the types are the format's.
fn put(head: &mut Vec<u8>, value: &Value) {
    let kind = |head: &mut Vec<u8>, kind: u32| head.extend(kind.to_le_bytes());
    let list = |head: &mut Vec<u8>, of: u32, length: usize| {
        kind(head, 9);
        kind(head, of);
        head.extend((length as u64).to_le_bytes());
    };
    match value {
        Value::U32(number) => {
            kind(head, 4);
            head.extend(number.to_le_bytes());
        }
        Value::F32(number) => {
            kind(head, 6);
            head.extend(number.to_le_bytes());
        }
        Value::Bool(flag) => {
            kind(head, 7);
            head.push(u8::from(*flag));
        }
        Value::Text(text) => {
            kind(head, 8);
            put_text(head, text);
        }
        Value::Texts(texts) => {
            list(head, 8, texts.len());
            texts.iter().for_each(|text| put_text(head, text));
        }
        Value::Integers(numbers) => {
            list(head, 5, numbers.len());
            head.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
        Value::Floats(numbers) => {
            list(head, 6, numbers.len());
            head.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        }
    }
}
