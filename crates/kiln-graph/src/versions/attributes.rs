//! Attributes that later versions take as inputs.

use super::rewrite::{Place, set_input};
use crate::folding::numbers::from_real;
use crate::model::{Attribute, Node, Tensor};

/// Makes an input of an attribute of whole numbers; nothing if it is not there.
pub(super) fn moved(node: &mut Node, name: &str, input: usize, place: &mut Place) {
    let numbers = match node.attributes.remove(name) {
        Some(Attribute::Ints(numbers)) => numbers,
        Some(Attribute::Int(number)) => vec![number],
        _ => return,
    };
    let constant = place.constant(node, name, Tensor::vector(&numbers));
    set_input(node, input, constant);
}

/// Makes an input of an attribute that is a number, in the type of the first input.
pub(super) fn moved_number(node: &mut Node, name: &str, input: usize, place: &mut Place) {
    let Some(Attribute::Float(number)) = node.attributes.remove(name) else {
        return;
    };
    let element = node.input(0).map(|first| place.element(first));
    let number = element
        .and_then(|element| from_real(element, &[], &[f64::from(number)]))
        .unwrap_or_else(|| Tensor::scalar(number));
    let constant = place.constant(node, name, number);
    set_input(node, input, constant);
}

/// Slices were told their bounds.
pub(super) fn slice(node: &mut Node, place: &mut Place) {
    moved(node, "starts", 1, place);
    moved(node, "ends", 2, place);
    moved(node, "axes", 3, place);
}

pub(super) fn pad(node: &mut Node, place: &mut Place) {
    moved(node, "paddings", 1, place);
    moved(node, "pads", 1, place);
    moved_number(node, "value", 2, place);
}

pub(super) fn clip(node: &mut Node, place: &mut Place) {
    moved_number(node, "min", 1, place);
    moved_number(node, "max", 2, place);
}

/// The share of what is left out, which matters in training alone.
pub(super) fn dropout(node: &mut Node) {
    for name in ["ratio", "is_test"] {
        node.attributes.remove(name);
    }
}
