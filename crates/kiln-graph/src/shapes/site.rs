//! An operator at its place in a graph: what it is told, and what is known of what
//! it is given.

use super::dim::{Mismatch, axis_within};
use super::fact::{Fact, Kind, Size};
use crate::folding::numbers;
use crate::model::{Dim, Element, Node, Tensor};

/// An operator at its place.
pub(crate) struct Site<'a> {
    node: &'a Node,
    inputs: Vec<Option<&'a Fact>>,
}

impl<'a> Site<'a> {
    pub(crate) fn new(node: &'a Node, inputs: Vec<Option<&'a Fact>>) -> Self {
        Self { node, inputs }
    }

    pub(crate) fn node(&self) -> &'a Node {
        self.node
    }

    pub(crate) fn operator(&self) -> &'a str {
        &self.node.operator
    }

    /// How many outputs are named, wanted or not.
    pub(crate) fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    pub(crate) fn inputs(&self) -> &[Option<&'a Fact>] {
        &self.inputs
    }

    /// An input that is not left out.
    pub(crate) fn input(&self, place: usize) -> Option<&'a Fact> {
        self.inputs.get(place).copied().flatten()
    }

    /// An input that the operator cannot be without.
    pub(crate) fn needed(&self, place: usize) -> Result<&'a Fact, Mismatch> {
        self.input(place)
            .ok_or_else(|| Mismatch(format!("its input {place} is missing")))
    }

    /// The sizes of an input of known rank.
    pub(crate) fn dims(&self, place: usize) -> Option<&'a [Dim]> {
        self.input(place)?.dims()
    }

    /// The rank of an input.
    pub(crate) fn rank(&self, place: usize) -> Option<usize> {
        self.dims(place).map(<[Dim]>::len)
    }

    /// The element type of an input.
    pub(crate) fn element(&self, place: usize) -> Option<Element> {
        self.input(place)?.element()
    }

    /// The kind of an input.
    pub(crate) fn kind(&self, place: usize) -> Kind {
        self.input(place)
            .map_or(Kind::Unknown, |fact| fact.kind.clone())
    }

    /// An input that is a constant.
    pub(crate) fn constant(&self, place: usize) -> Option<&'a Tensor> {
        self.input(place)?.constant.as_ref()
    }

    /// The whole numbers that an input holds, as far as each is known.
    pub(crate) fn sizes(&self, place: usize) -> Option<&'a [Size]> {
        self.input(place)?.sizes.as_deref()
    }

    /// The whole numbers that an input holds, if all are known.
    pub(crate) fn ints_of(&self, place: usize) -> Option<Vec<i64>> {
        self.sizes(place)?.iter().map(Size::known).collect()
    }

    /// The one whole number that an input holds.
    pub(crate) fn int_of(&self, place: usize) -> Option<i64> {
        match self.sizes(place)? {
            [one] => one.known(),
            _ => None,
        }
    }

    /// The real numbers that an input holds.
    pub(crate) fn reals_of(&self, place: usize) -> Option<Vec<f64>> {
        numbers::to_real(self.constant(place)?)
    }

    /// An attribute that is a whole number, or else this.
    pub(crate) fn int_or(&self, name: &str, otherwise: i64) -> i64 {
        self.node.int(name).unwrap_or(otherwise)
    }

    /// An attribute that switches something on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.int_or(name, 0) != 0
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.node.ints(name)
    }

    /// The axes that an attribute names of a tensor of this rank, counted from the front, or
    /// else all.
    pub(crate) fn axes_or_all(&self, rank: usize) -> Result<Vec<usize>, Mismatch> {
        match self.ints("axes") {
            Some(axes) => axes.iter().map(|&axis| axis_within(axis, rank)).collect(),
            None => Ok((0..rank).collect()),
        }
    }

    /// An attribute that is a text, or else this.
    pub(crate) fn text_or(&self, name: &str, otherwise: &'static str) -> &'a str {
        self.node.text(name).unwrap_or(otherwise)
    }

    /// An attribute that the operator cannot be without.
    pub(crate) fn needed_int(&self, name: &str) -> Result<i64, Mismatch> {
        self.node
            .int(name)
            .ok_or_else(|| Mismatch(format!("its attribute {name} is missing")))
    }

    /// The attribute `axis`, or else this, counted from the front.
    pub(crate) fn axis(&self, otherwise: i64, rank: usize) -> Result<usize, Mismatch> {
        axis_within(self.int_or("axis", otherwise), rank)
    }

    /// An attribute that names an element type.
    pub(crate) fn element_named(&self, name: &str) -> Result<Option<Element>, Mismatch> {
        let Some(number) = self.node.int(name) else {
            return Ok(None);
        };
        let element = i32::try_from(number).ok().and_then(Element::from_onnx);
        let unknown = || {
            Mismatch(format!(
                "its attribute {name} is {number}, which is no type"
            ))
        };
        element.map(Some).ok_or_else(unknown)
    }
}
