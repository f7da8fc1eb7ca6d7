//! Operators that arrange a tensor's elements anew: reshaping and transposing.

use super::dim::{Mismatch, axes_within, axis_within, computed, product, wide, written};
use super::fact::{Fact, Size};
use super::{Facts, Site};
use crate::model::{Dim, RANK_LIMIT};

pub(super) fn reshape(site: &Site) -> Facts {
    site.needed(1)?;
    let element = site.element(0);
    let Some(wanted) = site.sizes(1) else {
        let rank = site.dims(1).and_then(<[Dim]>::first).and_then(Dim::known);
        let dims = rank
            .filter(|rank| *rank <= RANK_LIMIT)
            .map(|rank| vec![Dim::Unknown; rank]);
        return Ok(vec![Fact::of(element, dims)]);
    };
    let out = reshaped(site.dims(0), wanted, site.is_on("allowzero"))?;
    Ok(vec![Fact::of(element, Some(out))])
}

/// The shape that a tensor gets, where -1 stands for what is left and 0, unless
/// zeros are allowed, for what is there.
fn reshaped(dims: Option<&[Dim]>, wanted: &[Size], zeros: bool) -> Result<Vec<Dim>, Mismatch> {
    let mut rest = None;
    let mut out = Vec::with_capacity(wanted.len());
    for (place, size) in wanted.iter().enumerate() {
        out.push(match size {
            Size::Known(-1) if rest.is_some() => {
                return Err(Mismatch::new("its shape leaves more than one size open"));
            }
            Size::Known(-1) => {
                rest = Some(place);
                Dim::Unknown
            }
            Size::Known(0) if !zeros => match dims {
                Some(dims) => dims.get(place).cloned().ok_or_else(|| {
                    let shape = written(dims);
                    Mismatch(format!(
                        "its shape takes over size {place} of a tensor of {shape}"
                    ))
                })?,
                None => Dim::Unknown,
            },
            Size::Known(size) => computed((*size).into())?,
            Size::Named(name) => Dim::Named(name.clone()),
            Size::Unknown => Dim::Unknown,
        });
    }
    let Some(dims) = dims else { return Ok(out) };
    let refused = |out: &[Dim]| {
        Mismatch(format!(
            "a tensor of {} cannot become {}",
            written(dims),
            written(out)
        ))
    };
    match rest {
        Some(rest) => {
            out[rest] = left_over(dims, &out, rest).map_err(|()| {
                let mut shown = out.clone();
                shown[rest] = Dim::Named("-1".to_owned());
                refused(&shown)
            })?;
        }
        None => {
            if let (Dim::Known(before), Dim::Known(after)) = (product(dims)?, product(&out)?)
                && before != after
            {
                return Err(refused(&out));
            }
        }
    }
    Ok(out)
}

/// What one size must be for the number of elements to stay as it is. Sizes that
/// stand on both sides need not be known.
fn left_over(dims: &[Dim], out: &[Dim], rest: usize) -> Result<Dim, ()> {
    let mut before: Vec<&Dim> = dims.iter().collect();
    let mut after = Vec::new();
    for (place, dim) in out.iter().enumerate().filter(|(place, _)| *place != rest) {
        let cancels = !matches!(dim, Dim::Unknown | Dim::Known(0));
        let same = before.iter().position(|one| cancels && *one == dim);
        match same {
            Some(same) => drop(before.remove(same)),
            None if *dim == Dim::Unknown && before.get(place) == Some(&dim) => {
                return Ok(Dim::Unknown);
            }
            None => after.push(dim),
        }
    }
    let all = |dims: &[&Dim]| {
        dims.iter()
            .try_fold(1i128, |all, dim| all.checked_mul(wide(dim)?))
    };
    match (all(&before), all(&after)) {
        (Some(0), Some(0)) => Ok(Dim::Known(0)),
        (Some(before), Some(after)) if after > 0 && before % after == 0 => {
            computed(before / after).map_err(|_| ())
        }
        (Some(_), Some(_)) => Err(()),
        // A lone name that is left over is what the size must be.
        (None, Some(1)) => match before.iter().filter(|dim| ***dim != Dim::Known(1)).count() {
            1 => Ok(before
                .into_iter()
                .find(|dim| **dim != Dim::Known(1))
                .cloned()
                .ok_or(())?),
            _ => Ok(Dim::Unknown),
        },
        _ => Ok(Dim::Unknown),
    }
}

pub(super) fn flatten(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match site.dims(0) {
        Some(dims) => {
            let axis = site.int_or("axis", 1);
            // The axis may be the end, which no size stands at.
            let axis = if usize::try_from(axis) == Ok(dims.len()) {
                dims.len()
            } else {
                axis_within(axis, dims.len())?
            };
            vec![joined(&dims[..axis])?, joined(&dims[axis..])?]
        }
        None => vec![Dim::Unknown; 2],
    };
    Ok(vec![Fact::of(site.element(0), Some(dims))])
}

/// The product of sizes, which may be a single name beside ones.
fn joined(dims: &[Dim]) -> Result<Dim, Mismatch> {
    let mut others = dims.iter().filter(|dim| **dim != Dim::Known(1));
    match (others.next(), others.next()) {
        (Some(only), None) => Ok(only.clone()),
        _ => product(dims),
    }
}

pub(super) fn transpose(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match site.dims(0) {
        Some(dims) => Some(transposed(dims, site.ints("perm"))?),
        None => site.ints("perm").map(|perm| vec![Dim::Unknown; perm.len()]),
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

fn transposed(dims: &[Dim], perm: Option<&[i64]>) -> Result<Vec<Dim>, Mismatch> {
    let Some(perm) = perm else {
        return Ok(dims.iter().rev().cloned().collect());
    };
    if axes_within(perm, dims.len())?.len() != dims.len() {
        let shape = written(dims);
        return Err(Mismatch(format!(
            "its order {perm:?} is none for a tensor of {shape}"
        )));
    }
    perm.iter()
        .map(|&axis| Ok(dims[axis_within(axis, dims.len())?].clone()))
        .collect()
}

pub(super) fn squeeze(site: &Site) -> Facts {
    site.needed(0)?;
    let element = site.element(0);
    let told = site.input(1).is_some();
    let Some(dims) = site.dims(0) else {
        return Ok(vec![Fact::of(element, None)]);
    };
    let gone = match site.ints_of(1) {
        Some(axes) => axes_within(&axes, dims.len())?,
        None if told => return Ok(vec![Fact::of(element, None)]),
        None if dims.iter().any(|dim| dim.known().is_none()) => {
            return Ok(vec![Fact::of(element, None)]);
        }
        None => (0..dims.len())
            .filter(|&place| dims[place] == Dim::Known(1))
            .collect(),
    };
    if let Some(&wrong) = gone
        .iter()
        .find(|&&place| wide(&dims[place]).is_some_and(|s| s != 1))
    {
        let shape = written(dims);
        return Err(Mismatch(format!(
            "axis {wrong} of a tensor of {shape} is not of size 1"
        )));
    }
    let kept = dims
        .iter()
        .enumerate()
        .filter(|(place, _)| !gone.contains(place));
    Ok(vec![Fact::of(
        element,
        Some(kept.map(|(_, dim)| dim.clone()).collect()),
    )])
}

pub(super) fn unsqueeze(site: &Site) -> Facts {
    site.needed(0)?;
    let (Some(dims), Some(axes)) = (site.dims(0), site.ints_of(1)) else {
        return Ok(vec![Fact::of(site.element(0), None)]);
    };
    let rank = dims.len() + axes.len();
    let new = axes_within(&axes, rank)?;
    let mut old = dims.iter().cloned();
    let out = (0..rank).filter_map(|place| {
        if new.contains(&place) {
            Some(Dim::Known(1))
        } else {
            old.next()
        }
    });
    Ok(vec![Fact::of(site.element(0), Some(out.collect()))])
}

/// A size that was given as a number.
pub(super) fn dim_of(size: &Size) -> Result<Dim, Mismatch> {
    match size {
        Size::Known(size) => computed((*size).into()),
        Size::Named(name) => Ok(Dim::Named(name.clone())),
        Size::Unknown => Ok(Dim::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(text: &str) -> Vec<Dim> {
        let each = text.split_whitespace().map(|word| match word {
            "?" => Dim::Unknown,
            word => word
                .parse()
                .map_or_else(|_| Dim::Named(word.to_owned()), Dim::Known),
        });
        each.collect()
    }

    #[test]
    fn reshaping_by_example() {
        for (before, wanted, after) in [
            ("2 3 4", &[0, -1][..], Ok("2 12")),
            ("2 3 4", &[-1], Ok("24")),
            ("N 512 1 1", &[0, -1], Ok("N 512")),
            ("N 512 7 7", &[0, -1], Ok("N 25088")),
            ("N 4 1", &[-1, 4], Ok("N 4")),
            ("N 4 M", &[-1, 8], Ok("? 8")),
            ("N 1", &[-1], Ok("N")),
            ("0 3", &[0, -1], Ok("0 0")),
            (
                "4 512",
                &[1, 512],
                Err("a tensor of [4, 512] cannot become [1, 512]"),
            ),
            (
                "4 5",
                &[3, -1],
                Err("a tensor of [4, 5] cannot become [3, -1]"),
            ),
            (
                "4",
                &[-1, -1],
                Err("its shape leaves more than one size open"),
            ),
        ] {
            let wanted: Vec<Size> = wanted.iter().map(|&size| Size::Known(size)).collect();
            let found = reshaped(Some(&dims(before)), &wanted, false);
            let expected = after.map(dims).map_err(Mismatch::new);
            assert_eq!(found, expected, "{before} → {wanted:?}");
        }
    }
}
