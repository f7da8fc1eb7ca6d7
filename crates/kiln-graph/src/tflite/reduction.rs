//! Operators that make one element of many along some axes.

use super::call::{Call, Converted};
use crate::foreign::Reduction;
use crate::model::Element;

pub(super) fn reduce(call: &mut Call, reduction: Reduction) -> Converted {
    let data = call.real(0)?;
    Ok(vec![along(call, reduction, &data)?])
}

/// Truths are reduced as the numbers 0 and 1.
pub(super) fn reduce_truths(call: &mut Call, reduction: Reduction) -> Converted {
    let data = call.raw(0)?;
    let numbers = call.graph().cast(&data, Element::I32);
    let found = along(call, reduction, &numbers)?;
    Ok(vec![call.graph().cast(&found, Element::Bool)])
}

fn along(call: &mut Call, reduction: Reduction, data: &str) -> Result<String, String> {
    let (axes, keeps) = (call.integers(1)?, call.flag(0)?);
    Ok(call.graph().reduce(reduction, data, &axes, keeps))
}
