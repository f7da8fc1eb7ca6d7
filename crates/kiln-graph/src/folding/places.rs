//! Where elements stand in a tensor whose rows lie one after the other.

/// The distance between neighbours along each axis.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = usize::saturating_mul(strides[axis], dims[axis].max(1));
    }
    strides
}

/// The number of elements.
pub(super) fn count(dims: &[usize]) -> usize {
    dims.iter().product()
}

/// Where each element of a shape is found, in order, if the first is at `first`
/// and each axis steps so far. None if one were before the beginning.
pub(super) fn walk(dims: &[usize], first: i128, steps: &[i128]) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(count(dims));
    let mut at = vec![0; dims.len()];
    let mut place = first;
    for _ in 0..count(dims) {
        places.push(usize::try_from(place).ok()?);
        for axis in (0..dims.len()).rev() {
            at[axis] += 1;
            place += steps[axis];
            if at[axis] < dims[axis] {
                break;
            }
            place -= steps[axis] * dims[axis] as i128;
            at[axis] = 0;
        }
    }
    Some(places)
}

/// Where each element of a shape is found in a tensor that is repeated along its
/// sizes of 1.
pub(super) fn broadcast(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    let missing = to.len().checked_sub(from.len())?;
    let own = strides(from);
    let step = |axis: usize| match axis.checked_sub(missing) {
        Some(axis) if from[axis] != 1 => own[axis] as i128,
        _ => 0,
    };
    walk(to, 0, &(0..to.len()).map(step).collect::<Vec<_>>())
}

/// The place along each axis of the element that is so far from the first.
pub(super) fn coordinates(dims: &[usize], mut place: usize) -> Vec<usize> {
    let mut at = vec![0; dims.len()];
    for (axis, &size) in dims.iter().enumerate().rev() {
        at[axis] = place % size.max(1);
        place /= size.max(1);
    }
    at
}

/// How far from the first the element at these places is.
pub(super) fn distance(dims: &[usize], at: &[usize]) -> usize {
    strides(dims)
        .iter()
        .zip(at)
        .map(|(stride, at)| stride * at)
        .sum()
}

/// A place along an axis that may count from the end.
pub(super) fn from_front(place: i128, size: usize) -> Option<usize> {
    let place = if place < 0 {
        place + size as i128
    } else {
        place
    };
    usize::try_from(place).ok().filter(|place| *place < size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn walks_by_example() {
        assert_eq!(walk(&[2, 3], 0, &[1, 2]), Some(vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(walk(&[3], 2, &[-1]), Some(vec![2, 1, 0]));
        assert_eq!(walk(&[3], 1, &[-1]), None);
        assert_eq!(walk(&[0, 3], 0, &[3, 1]), Some(vec![]));
        assert_eq!(
            broadcast(&[2, 1], &[2, 2, 2]),
            Some(vec![0, 0, 1, 1, 0, 0, 1, 1])
        );
    }

    proptest! {
        #[test]
        fn coordinates_and_distances_agree(
            dims in proptest::collection::vec(1usize..5, 0..5), place in 0usize..600,
        ) {
            let place = place % count(&dims);
            prop_assert_eq!(distance(&dims, &coordinates(&dims, place)), place);
        }
    }
}
