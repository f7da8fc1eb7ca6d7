//! What the operations refer to by number: strings, dialects, the names of operations,
//! attributes and types.

use std::collections::HashMap;
use std::hash::Hash;

use super::encoder::Encoder;

/// The dialect that everything written in MLIR's syntax is counted to.
pub(super) const BUILTIN: usize = 0;
const DIALECTS: [&str; 3] = ["builtin", "func", "torch"];

/// The kinds of attributes of the built-in dialect that are written in its own encoding.
#[derive(Clone, Copy)]
enum Kind {
    Dictionary = 1,
    String = 2,
    NameLocation = 14,
    UnknownLocation = 15,
    Resource = 16,
}

/// Things, each once, in the order in which they came.
struct Interned<T> {
    places: HashMap<T, usize>,
    things: Vec<T>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            things: Vec::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    fn place(&mut self, thing: T) -> usize {
        let next = self.things.len();
        let place = *self.places.entry(thing.clone()).or_insert(next);
        if place == next {
            self.things.push(thing);
        }
        place
    }
}

/// An attribute's bytes, and whether they are in its dialect's encoding.
type Entry = (Encoder, bool);

#[derive(Default)]
pub(super) struct Tables {
    strings: Interned<String>,
    names: Interned<&'static str>,
    attributes: Interned<Entry>,
    types: Interned<String>,
}

impl Tables {
    pub(super) fn string(&mut self, text: &str) -> usize {
        self.strings.place(text.to_owned())
    }

    /// An operation's name, such as `func.return`.
    pub(super) fn name(&mut self, name: &'static str) -> usize {
        self.names.place(name)
    }

    /// A type in MLIR's syntax.
    pub(super) fn ty(&mut self, ty: &str) -> usize {
        self.types.place(ty.to_owned())
    }

    /// An attribute in MLIR's syntax.
    pub(super) fn text(&mut self, text: &str) -> usize {
        self.attributes.place((terminated(text), false))
    }

    fn encoded(&mut self, kind: Kind, numbers: &[usize]) -> usize {
        let mut bytes = Encoder::default();
        bytes.index(kind as usize);
        numbers.iter().for_each(|number| bytes.index(*number));
        self.attributes.place((bytes, true))
    }

    fn string_attribute(&mut self, text: &str) -> usize {
        let string = self.string(text);
        self.encoded(Kind::String, &[string])
    }

    /// Where diagnostics say that an operation is.
    pub(super) fn location(&mut self, name: &str) -> usize {
        let unknown = self.encoded(Kind::UnknownLocation, &[]);
        if name.is_empty() {
            return unknown;
        }
        let name = self.string_attribute(name);
        self.encoded(Kind::NameLocation, &[name, unknown])
    }

    /// The elements of a resource.
    pub(super) fn resource(&mut self, ty: &str, resource: usize) -> usize {
        let ty = self.ty(ty);
        self.encoded(Kind::Resource, &[ty, resource])
    }

    /// Attributes by name.
    pub(super) fn dictionary(&mut self, entries: &[(&str, usize)]) -> usize {
        let mut numbers = vec![entries.len()];
        for (name, value) in entries {
            numbers.extend([self.string_attribute(name), *value]);
        }
        self.encoded(Kind::Dictionary, &numbers)
    }

    /// The section of dialects and of their operations' names, whose strings it adds.
    pub(super) fn dialects(&mut self) -> Encoder {
        let mut section = Encoder::default();
        section.index(DIALECTS.len());
        for dialect in DIALECTS {
            let string = self.string(dialect);
            section.flagged(string, false);
        }
        section.index(self.names.things.len());
        // Neighbours of one dialect could share a group; there are too few to matter.
        for name in self.names.things.clone() {
            let (dialect, name) = name.split_once('.').unwrap_or(("builtin", name));
            let dialect = DIALECTS.iter().position(|own| *own == dialect);
            section.index(dialect.unwrap_or(BUILTIN));
            section.index(1);
            let string = self.string(name);
            section.index(string);
        }
        section
    }

    /// The section of attributes and types, and that of their sizes.
    pub(super) fn attributes_and_types(&self) -> (Encoder, Encoder) {
        let (mut contents, mut sizes) = (Encoder::default(), Encoder::default());
        let types = self.types.things.iter().map(|ty| (terminated(ty), false));
        let types: Vec<_> = types.collect();
        let groups = [&self.attributes.things, &types];
        groups.iter().for_each(|group| sizes.index(group.len()));
        for group in groups.into_iter().filter(|group| !group.is_empty()) {
            sizes.index(BUILTIN);
            sizes.index(group.len());
            for (bytes, encoded) in group {
                contents.bytes(bytes.as_slice());
                sizes.flagged(bytes.len(), *encoded);
            }
        }
        (contents, sizes)
    }

    /// The section of strings. Their lengths come first, the last string's at the head.
    pub(super) fn strings(&self) -> Encoder {
        let mut section = Encoder::default();
        let strings = &self.strings.things;
        section.index(strings.len());
        strings
            .iter()
            .rev()
            .for_each(|string| section.index(string.len() + 1));
        strings
            .iter()
            .for_each(|string| section.bytes(terminated(string).as_slice()));
        section
    }
}

fn terminated(text: &str) -> Encoder {
    let mut bytes = Encoder::default();
    bytes.bytes(text.as_bytes());
    bytes.byte(0);
    bytes
}
