//! How much room a calibration takes on the disk while it goes on.

use std::fs;
use std::path::Path;

use super::layer::{Plan, Step};
use super::linear::Precision;
use super::store::Keeping;
use crate::quantize::{Granularity, Scheme};

/// Bytes of a scale and of its zero point as they are kept.
const SCALE: u64 = 5;
/// Bytes of what is kept of a linear layer besides: names and figures.
const BESIDE: u64 = 4096;

/// Bytes that the flows of so many tokens take together, at the layer where they take most.
#[must_use]
pub fn of_flows(plan: &Plan, precision: Precision, tokens: usize) -> u64 {
    let geometry = plan.geometry;
    // What flows into a layer, what flows out of it, and what flows in its middle.
    let flowing = 3 * geometry.hidden as u64 * Keeping::Exact.bytes();
    let inner = (geometry.heads * geometry.head_dim + geometry.intermediate) as u64;
    let inner = inner * Keeping::of(precision).bytes();
    tokens as u64 * (flowing + inner)
}

/// Bytes of what is made of all layers.
#[must_use]
pub fn of_layers(plan: &Plan, schemes: &dyn Fn(&str) -> Option<Scheme>) -> u64 {
    let mut sum = 0;
    for layer in 0..plan.geometry.layers {
        for module in Step::ALL
            .into_iter()
            .flat_map(|step| plan.modules(layer, step))
        {
            let tensor = plan.model.find(&format!("{module}.weight"));
            let shape = tensor.map(|tensor| tensor.shape.as_slice());
            if let (Some(scheme), Some(&[rows, columns])) = (schemes(&module), shape) {
                sum += of_linear(scheme.granularity, rows, columns);
            }
        }
    }
    sum
}

fn of_linear(granularity: Granularity, rows: usize, columns: usize) -> u64 {
    let scales = match granularity {
        Granularity::Group(size) => rows * columns.div_ceil(size),
        Granularity::Channel => rows,
        Granularity::Tensor => 1,
        Granularity::Block(side) => rows.div_ceil(side) * columns.div_ceil(side),
    };
    // The norm before it may have changed, and is kept too.
    (rows * columns) as u64 + scales as u64 * SCALE + columns as u64 * 4 + BESIDE
}

/// Bytes of the files that lie in a directory.
#[must_use]
pub fn present(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_linear_layer() {
        for (granularity, scales) in [
            (Granularity::Group(32), 10 * 4),
            (Granularity::Channel, 10),
            (Granularity::Tensor, 1),
            (Granularity::Block(64), 2),
        ] {
            let found = of_linear(granularity, 10, 128);
            assert_eq!(found, 1280 + scales * 5 + 512 + 4096, "{granularity:?}");
        }
    }

    #[test]
    fn what_is_there_counts() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("one"), [0; 10]).unwrap();
        fs::write(home.path().join("other"), [0; 5]).unwrap();
        assert_eq!(present(home.path()), 15);
        assert_eq!(present(&home.path().join("nowhere")), 0);
    }
}
