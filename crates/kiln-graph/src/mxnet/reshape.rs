//! The sizes that a reshape asks for, which have codes for what stays.

use super::call::{Call, Converted, size};

pub(super) fn reshape(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let reverse = call.attributes.flag("reverse", false)?;
    let shape = call
        .attributes
        .list("shape")?
        .filter(|shape| !shape.is_empty());
    let dims = match shape {
        Some(shape) => plan(&data.dims, &shape, reverse)?,
        // The name that it had at first, when 0 stood for the rest.
        None => {
            let target = call
                .attributes
                .list("target_shape")?
                .ok_or("it has no shape")?;
            let target: Vec<i64> = target
                .iter()
                .map(|&size| if size == 0 { -1 } else { size })
                .collect();
            plan(&data.dims, &target, false)?
        }
    };
    Ok(vec![call.reshape(&data, dims)?])
}

pub(super) fn reshape_like(call: &mut Call) -> Converted {
    for name in ["lhs_begin", "lhs_end", "rhs_begin", "rhs_end"] {
        if call.attributes.text(name).is_some() {
            return Err(format!("its attribute {name} is not implemented"));
        }
    }
    let (data, like) = (call.input(0)?, call.input(1)?);
    Ok(vec![call.reshape(&data, like.dims)?])
}

pub(super) fn flatten(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let rest = data.dims[1..].iter().product();
    Ok(vec![call.reshape(&data, vec![data.dims[0], rest])?])
}

/// The sizes that `shape` makes of `dims`: 0 copies one, -1 is what is left,
/// -2 copies all that are left, -3 multiplies two, and -4 splits one into the
/// two that follow. With `reverse` all is counted from the end.
fn plan(dims: &[usize], shape: &[i64], reverse: bool) -> Result<Vec<usize>, String> {
    if !reverse {
        return forward(dims, shape);
    }
    let turned = |list: &[usize]| list.iter().rev().copied().collect::<Vec<usize>>();
    let backward: Vec<i64> = shape.iter().rev().copied().collect();
    forward(&turned(dims), &backward).map(|dims| turned(&dims))
}

fn forward(dims: &[usize], shape: &[i64]) -> Result<Vec<usize>, String> {
    let mut left = dims.iter().copied();
    let mut next = || {
        left.next()
            .ok_or("its shape copies more sizes than there are")
    };
    let mut made = Vec::new();
    let mut unknown = None;
    let mut codes = shape.iter();
    while let Some(&code) = codes.next() {
        match code {
            0 => made.push(next()?),
            -1 => {
                // What follows is counted from the next size on.
                let _ = next();
                if unknown.replace(made.len()).is_some() {
                    return Err("its shape has more than one -1".to_owned());
                }
                made.push(1);
            }
            -2 => {
                while let Ok(size) = next() {
                    made.push(size);
                }
            }
            -3 => {
                let (one, other) = (next()?, next()?);
                made.push(one.saturating_mul(other));
            }
            -4 => {
                let whole = next()?;
                let mut part = || codes.next().copied().ok_or("its shape ends within a split");
                let (one, other) = (part()?, part()?);
                let (one, other) = split(whole, one, other)?;
                made.extend([one, other]);
            }
            code => {
                let _ = next();
                made.push(size(code)?);
            }
        }
    }
    if let Some(place) = unknown {
        let all: usize = dims.iter().product();
        let known = made
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(*size));
        let known = known.filter(|known| *known > 0 && all.is_multiple_of(*known));
        made[place] = all / known.ok_or_else(|| format!("{dims:?} cannot become {shape:?}"))?;
    }
    Ok(made)
}

/// The two sizes that one is split into, of which one may be -1.
fn split(whole: usize, one: i64, other: i64) -> Result<(usize, usize), String> {
    let rest = |part: usize| match part {
        0 => Err(format!("{whole} cannot be split into {one} and {other}")),
        part => Ok(whole / part),
    };
    Ok(match (one, other) {
        (-1, other) => (rest(size(other)?)?, size(other)?),
        (one, -1) => (size(one)?, rest(size(one)?)?),
        (one, other) => (size(one)?, size(other)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_documentation() {
        let cases: [(&[usize], &[i64], &[usize]); 10] = [
            (&[2, 3, 4], &[4, 0, 2], &[4, 3, 2]),
            (&[2, 3, 4], &[2, 0, 0], &[2, 3, 4]),
            (&[2, 3, 4], &[6, 1, -1], &[6, 1, 4]),
            (&[2, 3, 4], &[3, -1, 8], &[3, 1, 8]),
            (&[2, 3, 4], &[-2, 1, 1], &[2, 3, 4, 1, 1]),
            (&[2, 3, 4], &[-3, 4], &[6, 4]),
            (&[2, 3, 4, 5], &[-3, -3], &[6, 20]),
            (&[2, 3, 4], &[0, -3], &[2, 12]),
            (&[2, 3, 4], &[-4, 1, 2, -2], &[1, 2, 3, 4]),
            (&[2, 3, 4], &[2, -4, -1, 3, -2], &[2, 1, 3, 4]),
        ];
        for (dims, shape, expected) in cases {
            assert_eq!(plan(dims, shape, false), Ok(expected.to_vec()), "{shape:?}");
        }
    }

    #[test]
    fn all_can_be_counted_from_the_end() {
        assert_eq!(plan(&[10, 5, 4], &[-1, 0], false), Ok(vec![40, 5]));
        assert_eq!(plan(&[10, 5, 4], &[-1, 0], true), Ok(vec![50, 4]));
        // MXNet turns the list round as it is: a split's code comes after its sizes.
        assert_eq!(plan(&[6, 4], &[0, -1, 2, -4], true), Ok(vec![6, 2, 2]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for shape in [&[-1, -1][..], &[0, 0, 0], &[-4, 2], &[-4, 0, -1], &[-5]] {
            assert!(plan(&[2, 3], shape, false).is_err(), "{shape:?}");
        }
    }
}
