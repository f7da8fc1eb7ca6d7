//! Operators that give what they are given, unchanged.

use crate::model::Dim;
use crate::shapes::{Fact, Site};

/// Whether an operator's first output is its first input, whatever that holds.
pub(super) fn passes(site: &Site, output: &Fact) -> bool {
    match site.operator() {
        "Identity" => true,
        "Dropout" => is_inference(site),
        "Cast" | "CastLike" => site
            .element(0)
            .is_some_and(|element| Some(element) == output.element()),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Expand" | "Tile" => same(site, output),
        "Concat" | "Sum" | "Max" | "Min" | "Mean" => site.inputs().len() == 1,
        "Split" => site.outputs() == 1 && same(site, output),
        // A slice forwards, step by step, that is as long as the whole is the whole.
        "Slice" => is_forward(site) && same(site, output),
        "Transpose" => {
            let order = |(place, &axis): (usize, &i64)| usize::try_from(axis) == Ok(place);
            site.ints("perm")
                .is_some_and(|perm| perm.iter().enumerate().all(order))
        }
        "Pad" => site
            .ints_of(1)
            .is_some_and(|pads| pads.iter().all(|&pad| pad == 0)),
        _ => false,
    }
}

fn is_inference(site: &Site) -> bool {
    site.input(2).is_none() || site.reals_of(2).is_some_and(|training| training == [0.0])
}

fn is_forward(site: &Site) -> bool {
    site.input(4).is_none()
        || site
            .ints_of(4)
            .is_some_and(|steps| steps.iter().all(|&s| s == 1))
}

/// Whether the output surely has the input's type and shape.
fn same(site: &Site, output: &Fact) -> bool {
    let (Some(dims), Some(others)) = (site.dims(0), output.dims()) else {
        return false;
    };
    dims == others && dims.iter().all(|dim| *dim != Dim::Unknown)
}
