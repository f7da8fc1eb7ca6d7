//! Products of matrices and of tensors.

use std::collections::BTreeMap;
use std::slice;

use super::dim::{Mismatch, broadcast, meet, written};
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element};

pub(super) fn matrices(site: &Site) -> Facts {
    let (right, element) = match site.operator() {
        "MatMulInteger" => (1, Some(Element::I32)),
        "QLinearMatMul" => (3, site.element(7)),
        _ => (1, site.element(0)),
    };
    site.needed(right)?;
    let dims = match (site.dims(0), site.dims(right)) {
        (Some(one), Some(two)) => Some(multiplied(one, two)?),
        _ => None,
    };
    Ok(vec![Fact::of(element, dims)])
}

/// Vectors count as matrices of one row or column, which then falls away.
fn multiplied(one: &[Dim], two: &[Dim]) -> Result<Vec<Dim>, Mismatch> {
    let refused = || {
        let (one, two) = (written(one), written(two));
        Mismatch(format!("tensors of {one} and {two} cannot be multiplied"))
    };
    let (rows, inner, batch) = match one {
        [] => return Err(refused()),
        [inner] => (None, inner, &[][..]),
        [batch @ .., rows, inner] => (Some(rows), inner, batch),
    };
    let (outer, columns, others) = match two {
        [] => return Err(refused()),
        [outer] => (outer, None, &[][..]),
        [batch @ .., outer, columns] => (outer, Some(columns), batch),
    };
    meet(inner, outer).ok_or_else(refused)?;
    let mut dims = broadcast(batch, others).map_err(|_| refused())?;
    dims.extend(rows.cloned());
    dims.extend(columns.cloned());
    Ok(dims)
}

pub(super) fn gemm(site: &Site) -> Facts {
    site.needed(1)?;
    let turned = |place: usize, name: &str| match site.dims(place) {
        Some([one, two]) if site.is_on(name) => Ok(Some([two.clone(), one.clone()])),
        Some([one, two]) => Ok(Some([one.clone(), two.clone()])),
        Some(other) => Err(Mismatch(format!(
            "its input of {} is no matrix",
            written(other)
        ))),
        None => Ok(None),
    };
    let (one, two) = (turned(0, "transA")?, turned(1, "transB")?);
    let dims = match (&one, &two) {
        (Some(one), Some(two)) => multiplied(one, two)?,
        _ => {
            let part = |side: &Option<[Dim; 2]>, place: usize| {
                side.as_ref()
                    .map_or(Dim::Unknown, |dims| dims[place].clone())
            };
            vec![part(&one, 0), part(&two, 1)]
        }
    };
    if let Some(added) = site.dims(2) {
        broadcast(&dims, added)?;
    }
    Ok(vec![Fact::of(site.element(0), Some(dims))])
}

pub(super) fn determinant(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match site.dims(0) {
        Some([batch @ .., _, _]) => Some(batch.to_vec()),
        Some(other) => return Err(Mismatch(format!("{} is no square matrix", written(other)))),
        None => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

pub(super) fn einsum(site: &Site) -> Facts {
    site.needed(0)?;
    let Some(equation) = site.node().text("equation") else {
        return Err(Mismatch::new("its attribute equation is missing"));
    };
    let all: Option<Vec<&[Dim]>> = (0..site.inputs().len())
        .map(|place| site.dims(place))
        .collect();
    let dims = all.map(|all| summed(equation, &all)).transpose()?;
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// The shape that Einstein's notation gives: a letter for each axis, and an
/// ellipsis for those without one.
fn summed(equation: &str, all: &[&[Dim]]) -> Result<Vec<Dim>, Mismatch> {
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let refused = || {
        let shapes: Vec<String> = all.iter().map(|dims| written(dims)).collect();
        Mismatch(format!(
            "the equation {equation} does not fit {}",
            shapes.join(" and ")
        ))
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != all.len() {
        return Err(refused());
    }
    let mut letters: BTreeMap<char, (Dim, usize)> = BTreeMap::new();
    let mut rest: Vec<Dim> = vec![];
    for (term, dims) in terms.iter().zip(all) {
        let (before, after) = term.split_once("...").unwrap_or((term, ""));
        let named = before.chars().count() + after.chars().count();
        let between = dims.len().checked_sub(named).ok_or_else(refused)?;
        if between > 0 && !term.contains("...") {
            return Err(refused());
        }
        let (front, others) = dims.split_at(before.chars().count());
        let (middle, back) = others.split_at(between);
        rest = broadcast(&rest, middle).map_err(|_| refused())?;
        for (letter, dim) in before
            .chars()
            .chain(after.chars())
            .zip(front.iter().chain(back))
        {
            let (known, times) = letters.entry(letter).or_insert((Dim::Known(1), 0));
            *known = broadcast(slice::from_ref(known), slice::from_ref(dim))
                .map_err(|_| refused())?
                .remove(0);
            *times += 1;
        }
    }
    let size = |letter: char| {
        letters
            .get(&letter)
            .map(|(dim, _)| dim.clone())
            .ok_or_else(refused)
    };
    match right {
        // Without a right side: what stands only once, in the order of the alphabet.
        None => {
            let once = letters.values().filter(|(_, times)| *times == 1);
            Ok(rest
                .into_iter()
                .chain(once.map(|(dim, _)| dim.clone()))
                .collect())
        }
        Some(right) => {
            let (before, after) = right.split_once("...").unwrap_or((right, ""));
            let mut dims: Vec<Dim> = before.chars().map(size).collect::<Result<_, _>>()?;
            if right.contains("...") {
                dims.extend(rest);
            }
            for letter in after.chars() {
                dims.push(size(letter)?);
            }
            Ok(dims)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(all: &[usize]) -> Vec<Dim> {
        all.iter().copied().map(Dim::Known).collect()
    }

    #[test]
    fn products_by_example() {
        for (one, two, product) in [
            (&[2, 3][..], &[3, 4][..], Some(&[2, 4][..])),
            (&[3], &[3, 4], Some(&[4])),
            (&[2, 3], &[3], Some(&[2])),
            (&[3], &[3], Some(&[])),
            (&[5, 1, 2, 3], &[6, 3, 4], Some(&[5, 6, 2, 4])),
            (&[2, 3], &[4, 3], None),
            (&[], &[3], None),
        ] {
            let found = multiplied(&sizes(one), &sizes(two)).ok();
            assert_eq!(found, product.map(sizes), "{one:?} {two:?}");
        }
    }

    #[test]
    fn sums_by_example() {
        for (equation, all, expected) in [
            ("ij,jk->ik", &[&[2, 3][..], &[3, 4]][..], Some(&[2, 4][..])),
            ("ij,jk", &[&[2, 3], &[3, 4]], Some(&[2, 4])),
            ("...ii->...i", &[&[5, 3, 3]], Some(&[5, 3])),
            (
                "b h q d, b h k d -> b h q k",
                &[&[1, 8, 6, 64], &[1, 8, 7, 64]],
                Some(&[1, 8, 6, 7]),
            ),
            ("ii", &[&[3, 3]], Some(&[])),
            ("ij->k", &[&[2, 3]], None),
            ("ij", &[&[2, 3, 4]], None),
        ] {
            let all: Vec<Vec<Dim>> = all.iter().map(|dims| sizes(dims)).collect();
            let all: Vec<&[Dim]> = all.iter().map(Vec::as_slice).collect();
            assert_eq!(
                summed(equation, &all).ok(),
                expected.map(sizes),
                "{equation}"
            );
        }
    }
}
