//! Attention with heads: softmax(Q·Kᵀ · scale + bias) · V, with keys and values of before,
//! heads that share their keys, masks, and a soft cap.

use kiln_graph::model::{Element, Node};

use super::body::{Body, Term};

pub(super) fn define(node: &Node, body: &mut Body) -> Option<()> {
    if node.input(6).is_some() {
        // Lengths that are known only when the model runs.
        return None;
    }
    let flat = body.input(node, 0)?.dims.len() == 3;
    let query = heads(node, 0, "q_num_heads", body)?;
    let new_key = heads(node, 1, "kv_num_heads", body)?;
    let new_value = heads(node, 2, "kv_num_heads", body)?;
    let past = body
        .optional(node, 4)?
        .map_or(0, |past| past.dims.get(2).copied().unwrap_or(0));
    let key = with_past(node, 4, new_key, body)?;
    let value = with_past(node, 5, new_value, body)?;
    body.output(node, 1, &key);
    body.output(node, 2, &value);

    let query_heads = *query.dims.get(1)?;
    let key = repeated(&key, query_heads, body)?;
    let value = repeated(&value, query_heads, body)?;
    let mut shown = vec![scores(node, &query, &key, body)?];
    shown.push(biased(node, shown[0].clone(), past, body)?);
    shown.push(capped(node, &shown[1].clone(), body)?);
    let precise = match node.int("softmax_precision") {
        Some(number) => Element::from_onnx(i32::try_from(number).ok()?)?,
        None => query.element,
    };
    let precise = body.cast(&shown[2].clone(), precise);
    let weights = body.softmax("Softmax", &precise, -1);
    let weights = body.cast(&weights, value.element);
    shown.push(weights.clone());
    let mode = usize::try_from(node.int("qk_matmul_output_mode").unwrap_or(0)).ok()?;
    body.output(node, 3, shown.get(mode)?);

    let mut result = body.product(&weights, &value)?;
    if flat {
        result = body.transpose(&result, &[0, 2, 1, 3])?;
        let [batch, length, heads, size] = *result.dims.as_slice() else {
            return None;
        };
        result = body.reshape(&result, &[batch, length, heads * size])?;
    }
    body.output(node, 0, &result);
    Some(())
}

/// An input by batch, head, position and number.
fn heads(node: &Node, place: usize, count: &str, body: &mut Body) -> Option<Term> {
    let input = body.input(node, place)?;
    match *input.dims.as_slice() {
        [batch, length, hidden] => {
            let heads = usize::try_from(node.int(count)?).ok()?;
            let size = hidden.checked_div(heads)?;
            let split = body.reshape(&input, &[batch, length, heads, size])?;
            body.transpose(&split, &[0, 2, 1, 3])
        }
        [_, _, _, _] => Some(input),
        _ => None,
    }
}

fn with_past(node: &Node, place: usize, new: Term, body: &mut Body) -> Option<Term> {
    match body.optional(node, place)? {
        Some(past) => body.concat(&[&past, &new], 2),
        None => Some(new),
    }
}

/// Keys or values for as many heads as there are queries: neighbours share them.
fn repeated(term: &Term, heads: usize, body: &mut Body) -> Option<Term> {
    let [batch, own, length, size] = *term.dims.as_slice() else {
        return None;
    };
    let times = heads.checked_div(own)?;
    if own * times != heads {
        return None;
    }
    if times == 1 {
        return Some(term.clone());
    }
    let apart = body.reshape(term, &[batch, own, 1, length, size])?;
    let wide = body.expand(&apart, &[batch, own, times, length, size])?;
    body.reshape(&wide, &[batch, heads, length, size])
}

/// Q·Kᵀ, scaled. Each factor bears the root of the scale, which keeps 16 bits in range.
fn scores(node: &Node, query: &Term, key: &Term, body: &mut Body) -> Option<Term> {
    let size = *query.dims.last()? as f32;
    let scale = node.float("scale").unwrap_or(1.0 / size.sqrt());
    let root = body.number(scale.sqrt(), query.element);
    let query = body.binary("Mul", query, &root)?;
    let key = body.transpose(key, &[0, 1, 3, 2])?;
    let key = body.binary("Mul", &key, &root)?;
    body.product(&query, &key)
}

fn biased(node: &Node, mut scores: Term, past: usize, body: &mut Body) -> Option<Term> {
    let [.., queries, keys] = *scores.dims.as_slice() else {
        return None;
    };
    if let Some(mask) = body.optional(node, 3)? {
        let bias = bias(&mask, keys, scores.element, body)?;
        scores = body.binary("Add", &scores, &bias)?;
    }
    if node.int("is_causal").unwrap_or(0) != 0 {
        let later = (0..queries).flat_map(|query| (0..keys).map(move |key| key > past + query));
        let bias: Vec<_> = later
            .map(|later| if later { f32::NEG_INFINITY } else { 0.0 })
            .collect();
        let bias = body.numbers(&bias, vec![queries, keys], scores.element)?;
        scores = body.binary("Add", &scores, &bias)?;
    }
    Some(scores)
}

/// A mask as what is added. A mask may end before the keys do, which then count for nothing.
fn bias(mask: &Term, keys: usize, element: Element, body: &mut Body) -> Option<Term> {
    let [outer @ .., own] = mask.dims.as_slice() else {
        return None;
    };
    let nothing = body.number(f32::NEG_INFINITY, element);
    let bias = if mask.element == Element::Bool {
        let zero = body.number(0.0, element);
        body.select(mask, &zero, &nothing)?
    } else {
        mask.clone()
    };
    let mut missing = outer.to_vec();
    match keys.checked_sub(*own)? {
        0 => return Some(bias),
        // One key for all.
        _ if *own == 1 => return Some(bias),
        rest => missing.push(rest),
    }
    let rest = body.expand(&nothing, &missing)?;
    body.concat(&[&bias, &rest], outer.len())
}

fn capped(node: &Node, scores: &Term, body: &mut Body) -> Option<Term> {
    let cap = node.float("softcap").unwrap_or(0.0);
    if cap <= 0.0 {
        return Some(scores.clone());
    }
    let cap = body.number(cap, scores.element);
    let ratio = body.binary("Div", scores, &cap)?;
    let bent = body.unary("Tanh", &ratio);
    body.binary("Mul", &bent, &cap)
}
