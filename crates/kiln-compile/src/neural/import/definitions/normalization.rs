//! Normalization by the root of the mean square.

use kiln_graph::model::{Element, Node};

use super::body::Body;

/// x / √(mean(x²) + ε) · scale, computed in 32 bits at least.
pub(super) fn root_mean_square(node: &Node, body: &mut Body) -> Option<()> {
    let (x, scale) = (body.input(node, 0)?, body.input(node, 1)?);
    let rank = x.dims.len();
    let axis = match node.int("axis").unwrap_or(-1) {
        axis if axis < 0 => rank.checked_sub(usize::try_from(-axis).ok()?)?,
        axis => usize::try_from(axis).ok()?,
    };
    let precise = match x.element {
        Element::F64 => Element::F64,
        element if element.is_float() => Element::F32,
        _ => return None,
    };
    let wide = body.cast(&x, precise);
    let square = body.binary("Mul", &wide, &wide)?;
    let mean = body.mean_from(&square, axis);
    let epsilon = body.number(node.float("epsilon").unwrap_or(1e-5), precise);
    let shifted = body.binary("Add", &mean, &epsilon)?;
    let root = body.unary("Sqrt", &shifted);
    let normal = body.binary("Div", &wide, &root)?;
    let normal = body.cast(&normal, scale.element);
    let scaled = body.binary("Mul", &normal, &scale)?;
    body.output(node, 0, &scaled);
    Some(())
}
