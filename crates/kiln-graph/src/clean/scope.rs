//! What is known of the values that a graph sees: its own and those of the graphs
//! around it.

use std::collections::HashMap;

use crate::shapes::Fact;

/// The values of one graph.
#[derive(Default)]
struct Scope {
    facts: HashMap<String, Fact>,
    /// Values that are others under another name.
    aliases: HashMap<String, String>,
}

/// The values of a graph and of those around it, the innermost last.
#[derive(Default)]
pub(super) struct Scopes(Vec<Scope>);

impl Scopes {
    pub(super) fn enter(&mut self) {
        self.0.push(Scope::default());
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    pub(super) fn depth(&self) -> usize {
        self.0.len()
    }

    /// Makes a value of the innermost graph known.
    pub(super) fn define(&mut self, name: &str, fact: Fact) {
        if let Some(scope) = self.0.last_mut() {
            scope.aliases.remove(name);
            scope.facts.insert(name.to_owned(), fact);
        }
    }

    /// Makes a value known that is another one.
    pub(super) fn alias(&mut self, name: &str, source: &str) {
        let source = self.source(name, source);
        if let (Some(scope), Some(source)) = (self.0.last_mut(), source) {
            scope.aliases.insert(name.to_owned(), source);
        }
    }

    /// What stands behind a name, unless that would be the new name itself.
    fn source(&self, name: &str, source: &str) -> Option<String> {
        let source = self.resolved(source);
        (source != name).then(|| source.to_owned())
    }

    /// The value that a name means.
    pub(super) fn resolved<'a>(&'a self, name: &'a str) -> &'a str {
        for scope in self.0.iter().rev() {
            if let Some(source) = scope.aliases.get(name) {
                return source;
            }
            if scope.facts.contains_key(name) {
                return name;
            }
        }
        name
    }

    /// What is known of a value.
    pub(super) fn fact(&self, name: &str) -> Option<&Fact> {
        let name = self.resolved(name);
        self.0.iter().rev().find_map(|scope| scope.facts.get(name))
    }

    /// What is known of a value of the innermost graph itself.
    pub(super) fn own(&self, name: &str) -> Option<&Fact> {
        self.0.last()?.facts.get(name)
    }
}
