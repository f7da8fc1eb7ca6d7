//! The sizes of tensors, which may be known, named or unknown, and what follows
//! when shapes meet.

use crate::model::Dim;

/// No tensor is larger than this along one dimension: what keeps every sum and
/// product of sizes within 128 bits.
const LARGEST: i128 = 1 << 48;

/// Why an operator and what it is given do not fit together, as the end of a
/// sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch(pub(crate) String);

impl Mismatch {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A size that was computed, unless it is negative or absurdly large.
pub(crate) fn computed(size: i128) -> Result<Dim, Mismatch> {
    match usize::try_from(size) {
        Ok(whole) if size <= LARGEST => Ok(Dim::Known(whole)),
        _ => Err(Mismatch(format!("a size of {size} would follow"))),
    }
}

/// What is known of a size of which both are said; `None` if they contradict.
pub(crate) fn meet(one: &Dim, two: &Dim) -> Option<Dim> {
    match (one, two) {
        (Dim::Known(size), Dim::Known(other)) => (size == other).then(|| one.clone()),
        (Dim::Known(_), _) | (Dim::Named(_), Dim::Unknown | Dim::Named(_)) => Some(one.clone()),
        (_, two) => Some(two.clone()),
    }
}

/// What is known of a size that is one or the other.
pub(crate) fn either(one: &Dim, two: &Dim) -> Dim {
    if one == two {
        one.clone()
    } else {
        Dim::Unknown
    }
}

/// A shape as people write it: `[1, 3, H, ?]`.
pub(crate) fn written(dims: &[Dim]) -> String {
    let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
    format!("[{}]", dims.join(", "))
}

/// The sizes, if all are known.
pub(crate) fn known(dims: &[Dim]) -> Option<Vec<usize>> {
    dims.iter().map(Dim::known).collect()
}

/// A known size in the width in which sizes are computed with.
pub(crate) fn wide(dim: &Dim) -> Option<i128> {
    dim.known().map(|size| size as i128)
}

/// The number of elements, if all sizes are known.
pub(crate) fn product(dims: &[Dim]) -> Result<Dim, Mismatch> {
    let mut product: i128 = 1;
    for dim in dims {
        let Dim::Known(size) = dim else {
            return Ok(Dim::Unknown);
        };
        product = product.saturating_mul(*size as i128).min(LARGEST + 1);
    }
    computed(product)
}

/// The shape that two give when each is repeated along its sizes of 1.
pub(crate) fn broadcast(one: &[Dim], two: &[Dim]) -> Result<Vec<Dim>, Mismatch> {
    let rank = one.len().max(two.len());
    let from_the_end = |dims: &[Dim], place: usize| {
        let missing = rank - dims.len();
        if place < missing {
            Dim::Known(1)
        } else {
            dims[place - missing].clone()
        }
    };
    (0..rank)
        .map(|place| {
            match (from_the_end(one, place), from_the_end(two, place)) {
                (Dim::Known(1), other) | (other, Dim::Known(1)) => Some(other),
                // Whatever the unknown one is, 1 or the same, the known one holds.
                (Dim::Known(size), Dim::Known(other)) if size != other => None,
                (Dim::Known(size), _) | (_, Dim::Known(size)) => Some(Dim::Known(size)),
                (left, right) => Some(either(&left, &right)),
            }
            .ok_or_else(|| {
                let (one, two) = (written(one), written(two));
                Mismatch(format!("the shapes {one} and {two} do not fit together"))
            })
        })
        .collect()
}

/// An axis counted from the front, of one that may count from the end.
pub(crate) fn axis_within(axis: i64, rank: usize) -> Result<usize, Mismatch> {
    let signed = i128::from(axis) + if axis < 0 { rank as i128 } else { 0 };
    usize::try_from(signed)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| {
            Mismatch(format!(
                "there is no axis {axis} in a tensor of rank {rank}"
            ))
        })
}

/// Axes counted from the front, sorted, of which none may be there twice.
pub(crate) fn axes_within(axes: &[i64], rank: usize) -> Result<Vec<usize>, Mismatch> {
    let mut within: Vec<usize> = axes
        .iter()
        .map(|&axis| axis_within(axis, rank))
        .collect::<Result<_, _>>()?;
    within.sort_unstable();
    if within.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Mismatch(format!("the axes {axes:?} name one axis twice")));
    }
    Ok(within)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dims(sizes: &[i64]) -> Vec<Dim> {
        sizes
            .iter()
            .map(|&size| usize::try_from(size).map_or(Dim::Unknown, Dim::Known))
            .collect()
    }

    #[test]
    fn broadcasting_by_example() {
        for (one, two, both) in [
            (&[][..], &[][..], Some(&[][..])),
            (&[2, 3], &[3], Some(&[2, 3])),
            (&[2, 1], &[1, 3], Some(&[2, 3])),
            (&[2, -1], &[3], Some(&[2, 3])),
            (&[2, -1], &[1], Some(&[2, -1])),
            (&[0], &[1], Some(&[0])),
            (&[2], &[3], None),
        ] {
            let expected = both.map(dims);
            assert_eq!(
                broadcast(&dims(one), &dims(two)).ok(),
                expected,
                "{one:?} {two:?}"
            );
        }
    }

    #[test]
    fn names_hold_where_they_agree() {
        let named = |name: &str| [Dim::Named(name.to_owned())];
        let same = broadcast(&named("N"), &named("N")).unwrap();
        assert_eq!(same, named("N"));
        assert_eq!(broadcast(&named("N"), &named("M")).unwrap(), [Dim::Unknown]);
        assert_eq!(broadcast(&named("N"), &dims(&[4])).unwrap(), dims(&[4]));
    }

    proptest! {
        #[test]
        fn broadcasting_is_even_handed(
            one in proptest::collection::vec(-1i64..4, 0..5),
            two in proptest::collection::vec(-1i64..4, 0..5),
        ) {
            let (one, two) = (dims(&one), dims(&two));
            let both = broadcast(&one, &two);
            let turned = broadcast(&two, &one);
            prop_assert_eq!(both.is_ok(), turned.is_ok());
            if let (Ok(both), Ok(turned)) = (both, turned) {
                prop_assert_eq!(&both, &turned);
                prop_assert_eq!(broadcast(&both, &one).ok(), Some(both.clone()));
            }
        }

        #[test]
        fn an_axis_counts_from_either_end(rank in 1usize..9, axis in -20i64..20) {
            let within = axis_within(axis, rank);
            let size = i64::try_from(rank).unwrap();
            prop_assert_eq!(within.is_ok(), (-size..size).contains(&axis));
            if let Ok(within) = within {
                prop_assert_eq!(i64::try_from(within).unwrap(), axis.rem_euclid(size));
            }
        }
    }
}
