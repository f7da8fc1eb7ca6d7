//! Attention of tokens to tokens of the same sample.

use super::super::linear::{Blend, Packed, Part, Precision, View, each, multiply};

/// Queries whose scores are held at a time.
const QUERIES: usize = 128;

/// Which tokens a token looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// All of the sample.
    Everywhere,
    /// Itself and those before, or only the last so many of them.
    Back(Option<usize>),
}

impl Sight {
    /// The first token seen by the token at `position`, and the one after the last.
    fn range(self, position: usize, length: usize) -> (usize, usize) {
        match self {
            Self::Everywhere => (0, length),
            Self::Back(None) => (0, position + 1),
            Self::Back(Some(window)) => ((position + 1).saturating_sub(window), position + 1),
        }
    }
}

/// How heads are laid out in rows.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// How many heads queries have.
    pub queries: usize,
    /// How many heads keys and values have.
    pub keys: usize,
    /// Width of a head.
    pub width: usize,
    /// Which tokens a token looks at.
    pub sight: Sight,
}

/// Attends in a batch of samples, whose `lengths` in tokens add up to the rows.
#[must_use]
pub fn attend(
    heads: &Heads,
    lengths: &[usize],
    queries: &[f32],
    keys: &[f32],
    values: &[f32],
    threads: usize,
) -> Vec<f32> {
    let (wide, narrow) = (heads.queries * heads.width, heads.keys * heads.width);
    let mut apart = vec![0f32; queries.len()];
    let mut pieces = Vec::new();
    let mut rest = apart.as_mut_slice();
    let mut first = 0;
    for length in lengths {
        for head in 0..heads.queries {
            let (piece, after) = rest.split_at_mut(length * heads.width);
            pieces.push((head, first, *length, piece));
            rest = after;
        }
        first += length;
    }
    let group = heads.queries / heads.keys;
    each(pieces.into_iter(), threads, |(head, first, length, out)| {
        let q = first * wide + head * heads.width;
        let k = first * narrow + head / group * heads.width;
        let one = One {
            length,
            width: heads.width,
            sight: heads.sight,
        };
        one.attend(
            (&queries[q..], wide),
            (&keys[k..], narrow),
            &values[k..],
            out,
        );
    });
    together(heads, lengths, &apart)
}

/// Brings what the heads saw back into rows of tokens.
fn together(heads: &Heads, lengths: &[usize], apart: &[f32]) -> Vec<f32> {
    let (width, count) = (heads.width, heads.queries);
    let mut rows = vec![0f32; apart.len()];
    let mut start = 0;
    for length in lengths {
        let size = length * width * count;
        let sample = &apart[start..start + size];
        for (at, row) in rows[start..start + size]
            .chunks_exact_mut(width)
            .enumerate()
        {
            let (token, head) = (at / count, at % count);
            let from = (head * length + token) * width;
            row.copy_from_slice(&sample[from..from + width]);
        }
        start += size;
    }
    rows
}

/// One head of one sample.
struct One {
    length: usize,
    width: usize,
    sight: Sight,
}

impl One {
    /// `queries` and `keys` come with the distance of their rows; values have that of keys.
    fn attend(
        &self,
        queries: (&[f32], usize),
        keys: (&[f32], usize),
        values: &[f32],
        out: &mut [f32],
    ) {
        let mut scores = Vec::new();
        for (block, out) in out.chunks_mut(QUERIES * self.width).enumerate() {
            let first = block * QUERIES;
            let count = out.len() / self.width;
            let (low, _) = self.sight.range(first, self.length);
            let (_, high) = self.sight.range(first + count - 1, self.length);
            let seen = high - low;
            let queries = View::strided(
                &queries.0[first * queries.1..],
                count,
                self.width,
                queries.1,
            );
            let across = View::strided(&keys.0[low * keys.1..], seen, self.width, keys.1);
            let across = Packed::new(across, Precision::Full);
            scores.resize(count * seen, 0.0);
            multiply(
                queries,
                &across,
                &mut scores,
                seen,
                Blend::Set,
                Part::All,
                1,
            );
            for (i, scores) in scores.chunks_exact_mut(seen).enumerate() {
                let (start, end) = self.sight.range(first + i, self.length);
                self.soften(scores, start - low, end - low);
            }
            let values = View::strided(&values[low * keys.1..], seen, self.width, keys.1);
            let values = Packed::new(values.transposed(), Precision::Full);
            let shares = View::new(&scores, count, seen);
            multiply(shares, &values, out, self.width, Blend::Set, Part::All, 1);
        }
    }

    /// Turns scores into shares that add up to one.
    fn soften(&self, scores: &mut [f32], start: usize, end: usize) {
        let scale = 1.0 / (self.width as f32).sqrt();
        scores[..start].fill(0.0);
        scores[end..].fill(0.0);
        let seen = &mut scores[start..end];
        let highest = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0f64;
        for score in &mut *seen {
            *score = ((*score - highest) * scale).exp();
            sum += f64::from(*score);
        }
        let factor = (1.0 / sum) as f32;
        for score in seen {
            *score *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64)
            .map(|i| {
                ((i + 1).wrapping_mul(seed * 2 + 0x9E37_79B9_7F4A_7C15) >> 40) as f32 / 8e6 - 1.0
            })
            .collect()
    }

    /// Attention as it is defined, token by token.
    fn defined(heads: &Heads, lengths: &[usize], q: &[f32], k: &[f32], v: &[f32]) -> Vec<f64> {
        let mut out = vec![0f64; q.len()];
        let (wide, narrow) = (heads.queries * heads.width, heads.keys * heads.width);
        let mut first = 0;
        for length in lengths {
            for token in 0..*length {
                for head in 0..heads.queries {
                    let of = head / (heads.queries / heads.keys) * heads.width;
                    let query = &q[(first + token) * wide + head * heads.width..][..heads.width];
                    let (start, end) = heads.sight.range(token, *length);
                    let weights: Vec<f64> = (start..end)
                        .map(|other| {
                            let key = &k[(first + other) * narrow + of..][..heads.width];
                            let dot: f64 =
                                query.iter().zip(key).map(|(a, b)| f64::from(a * b)).sum();
                            (dot / (heads.width as f64).sqrt()).exp()
                        })
                        .collect();
                    let sum: f64 = weights.iter().sum();
                    for (other, weight) in (start..end).zip(weights) {
                        let value = &v[(first + other) * narrow + of..][..heads.width];
                        let at = (first + token) * wide + head * heads.width;
                        for (out, value) in out[at..].iter_mut().zip(value) {
                            *out += weight / sum * f64::from(*value);
                        }
                    }
                }
            }
            first += length;
        }
        out
    }

    #[test]
    fn attention_is_what_it_is_defined_to_be() {
        let sights = [
            Sight::Everywhere,
            Sight::Back(None),
            Sight::Back(Some(5)),
            Sight::Back(Some(140)),
        ];
        for sight in sights {
            let heads = Heads {
                queries: 4,
                keys: 2,
                width: 6,
                sight,
            };
            let lengths = [7, 1, 300];
            let tokens: usize = lengths.iter().sum();
            let (q, k, v) = (
                noise(tokens * 24, 1),
                noise(tokens * 12, 2),
                noise(tokens * 12, 3),
            );
            let expected = defined(&heads, &lengths, &q, &k, &v);
            for threads in [1, 2] {
                let found = attend(&heads, &lengths, &q, &k, &v, threads);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{sight:?}");
                }
            }
        }
    }
}
