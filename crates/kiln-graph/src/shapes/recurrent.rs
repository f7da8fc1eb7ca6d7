//! Recurrent layers.

use super::dim::{Mismatch, computed, wide, written};
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::Dim;

/// All states, the last one and, of an LSTM, the last cell.
pub(super) fn recurrent(site: &Site) -> Facts {
    site.needed(2)?;
    let element = site.element(0);
    let batch_first = site.is_on("layout");
    let (length, batch) = match site.dims(0) {
        Some([length, batch, _]) if !batch_first => (length.clone(), batch.clone()),
        Some([batch, length, _]) => (length.clone(), batch.clone()),
        Some(other) => {
            return Err(Mismatch(format!(
                "its input of {} is not of rank 3",
                written(other)
            )));
        }
        None => (Dim::Unknown, Dim::Unknown),
    };
    let directions = match site.text_or("direction", "forward") {
        "bidirectional" => Dim::Known(2),
        _ => Dim::Known(1),
    };
    let hidden = hidden(site)?;
    let (all, last) = if batch_first {
        (
            vec![batch.clone(), length, directions.clone(), hidden.clone()],
            vec![batch, directions, hidden],
        )
    } else {
        (
            vec![length, directions.clone(), batch.clone(), hidden.clone()],
            vec![directions, batch, hidden],
        )
    };
    let of = |dims: Vec<Dim>| Fact::of(element, Some(dims));
    Ok(vec![of(all), of(last.clone()), of(last)])
}

/// The size of the state: said, or that of the recurrence's weights.
fn hidden(site: &Site) -> Result<Dim, Mismatch> {
    match (site.node().int("hidden_size"), site.dims(2)) {
        (Some(size), _) => computed(size.into()),
        (None, Some([_, _, size])) => Ok(wide(size).map_or(Dim::Unknown, |_| size.clone())),
        (None, _) => Ok(Dim::Unknown),
    }
}
