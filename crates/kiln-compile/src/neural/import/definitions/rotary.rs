//! Rotary position embedding: pairs of each head's numbers are turned by angles that
//! grow with the position.

use kiln_graph::model::Node;

use super::body::{Body, Term};

pub(super) fn define(node: &Node, body: &mut Body) -> Option<()> {
    let x = body.input(node, 0)?;
    let heads = by_position(node, &x, body)?;
    let size = *heads.dims.last()?;
    let turned = match node.int("rotary_embedding_dim").unwrap_or(0) {
        0 => size,
        turned => usize::try_from(turned).ok()?,
    };
    let part = body.slice(&heads, 3, 0, turned, 1)?;
    let rotated = rotate(node, &part, body)?;
    let whole = if turned < size {
        let rest = body.slice(&heads, 3, turned, size, 1)?;
        body.concat(&[&rotated, &rest], 3)?
    } else {
        rotated
    };
    let back = match x.dims.len() {
        3 => body.reshape(&whole, &x.dims)?,
        _ => body.transpose(&whole, &[0, 2, 1, 3])?,
    };
    body.output(node, 0, &back);
    Some(())
}

/// The input by batch, position, head and number.
fn by_position(node: &Node, x: &Term, body: &mut Body) -> Option<Term> {
    match *x.dims.as_slice() {
        [batch, length, hidden] => {
            let heads = usize::try_from(node.int("num_heads")?).ok()?;
            let size = hidden.checked_div(heads)?;
            body.reshape(x, &[batch, length, heads, size])
        }
        [_, _, _, _] => body.transpose(x, &[0, 2, 1, 3]),
        _ => None,
    }
}

fn rotate(node: &Node, x: &Term, body: &mut Body) -> Option<Term> {
    let [cosine, sine] = [1, 2].map(|place| angles(node, place, body));
    let (cosine, sine) = (cosine?, sine?);
    let interleaved = node.int("interleaved").unwrap_or(0) != 0;
    let size = *x.dims.last()?;
    let (left, right) = if interleaved {
        (body.slice(x, 3, 0, size, 2)?, body.slice(x, 3, 1, size, 2)?)
    } else {
        (
            body.slice(x, 3, 0, size / 2, 1)?,
            body.slice(x, 3, size / 2, size, 1)?,
        )
    };
    let real = combine(body, "Sub", (&cosine, &left), (&sine, &right))?;
    let imaginary = combine(body, "Add", (&sine, &left), (&cosine, &right))?;
    if !interleaved {
        return body.concat(&[&real, &imaginary], 3);
    }
    let mut single = real.dims.clone();
    single.push(1);
    let (real, imaginary) = (
        body.reshape(&real, &single)?,
        body.reshape(&imaginary, &single)?,
    );
    let pairs = body.concat(&[&real, &imaginary], 4)?;
    body.reshape(&pairs, &x.dims)
}

/// Two products, joined.
fn combine(
    body: &mut Body,
    name: &str,
    one: (&Term, &Term),
    other: (&Term, &Term),
) -> Option<Term> {
    let one = body.binary("Mul", one.0, one.1)?;
    let other = body.binary("Mul", other.0, other.1)?;
    body.binary(name, &one, &other)
}

/// The cosines or sines by batch, position, all heads alike, and pair.
fn angles(node: &Node, place: usize, body: &mut Body) -> Option<Term> {
    let table = body.input(node, place)?;
    let table = match body.optional(node, 3)? {
        Some(positions) => body.gather(&table, &positions)?,
        None => table,
    };
    let [batch, length, pairs] = *table.dims.as_slice() else {
        return None;
    };
    body.reshape(&table, &[batch, length, 1, pairs])
}
