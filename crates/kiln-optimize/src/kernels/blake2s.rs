//! Sixteen BLAKE2s side by side, with AVX-512. The crate `blake2s_simd` does eight at a time on
//! other processors, and tests compare this with it. A digest waits for one instruction after
//! the other, so that more of them beside each other cost hardly more.

use core::arch::x86_64::__m512i;

use pulp::x86::V4;

use super::Loop;

/// Messages.
pub(crate) const MESSAGES: usize = 16;

/// Bytes of a message that are compressed at once.
const BLOCK: usize = 64;

/// A state before any parameter is in it.
pub(crate) const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Which words of a block each of ten turns takes.
const ORDER: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Each word of the states of all messages.
pub(crate) type States = [[u32; MESSAGES]; 8];

/// Whole messages of one length, a multiple of a block.
pub(crate) struct Whole<'a> {
    pub(crate) token: V4,
    /// What their parameters make of [`START`].
    pub(crate) states: States,
    /// One after the other.
    pub(crate) messages: &'a [u8],
}

impl Loop for Whole<'_> {
    /// The digests.
    type Output = States;

    #[inline(always)]
    fn call(self) -> States {
        let blocks = self.messages.as_chunks::<BLOCK>().0;
        let count = blocks.len() / MESSAGES;
        let mut states = pulp::cast::<States, [__m512i; 8]>(self.states);
        for number in 0..count {
            let mut rows = [states[0]; MESSAGES];
            for message in 0..MESSAGES {
                rows[message] = pulp::cast(blocks[message * count + number]);
            }
            let reached = (number + 1) * BLOCK;
            let is_last = if number + 1 == count { u32::MAX } else { 0 };
            let words = turned(self.token, rows);
            states = compress(self.token, states, &words, [reached as u32, 0, is_last, 0]);
        }
        pulp::cast(states)
    }
}

/// Compresses a block of each message. All have so many bytes up to here, the lower half and
/// the upper, and they end here or not.
#[inline(always)]
fn compress(
    token: V4,
    mut states: [__m512i; 8],
    words: &[__m512i; 16],
    marks: [u32; 4],
) -> [__m512i; 8] {
    let avx512 = token.avx512f;
    let mut v = [states[0]; 16];
    v[..8].copy_from_slice(&states);
    v[8..].copy_from_slice(&START.map(|word| pulp::cast([word; MESSAGES])));
    for (word, mark) in v[12..].iter_mut().zip(marks) {
        *word = avx512._mm512_xor_si512(*word, pulp::cast([mark; MESSAGES]));
    }
    turn::<0>(token, &mut v, words);
    turn::<1>(token, &mut v, words);
    turn::<2>(token, &mut v, words);
    turn::<3>(token, &mut v, words);
    turn::<4>(token, &mut v, words);
    turn::<5>(token, &mut v, words);
    turn::<6>(token, &mut v, words);
    turn::<7>(token, &mut v, words);
    turn::<8>(token, &mut v, words);
    turn::<9>(token, &mut v, words);
    for (word, state) in states.iter_mut().enumerate() {
        let both = avx512._mm512_xor_si512(v[word], v[word + 8]);
        *state = avx512._mm512_xor_si512(*state, both);
    }
    states
}

/// One of the ten turns, with the places of its words known to the compiler: a loop over the
/// table stays a loop.
#[inline(always)]
fn turn<const NUMBER: usize>(token: V4, v: &mut [__m512i; 16], words: &[__m512i; 16]) {
    let words: [__m512i; 16] = std::array::from_fn(|at| words[ORDER[NUMBER][at]]);
    mix(token, v, [0, 4, 8, 12], [words[0], words[1]]);
    mix(token, v, [1, 5, 9, 13], [words[2], words[3]]);
    mix(token, v, [2, 6, 10, 14], [words[4], words[5]]);
    mix(token, v, [3, 7, 11, 15], [words[6], words[7]]);
    mix(token, v, [0, 5, 10, 15], [words[8], words[9]]);
    mix(token, v, [1, 6, 11, 12], [words[10], words[11]]);
    mix(token, v, [2, 7, 8, 13], [words[12], words[13]]);
    mix(token, v, [3, 4, 9, 14], [words[14], words[15]]);
}

/// Mixes four words of the states, and two of the blocks into them.
#[inline(always)]
fn mix(token: V4, v: &mut [__m512i; 16], [a, b, c, d]: [usize; 4], [first, second]: [__m512i; 2]) {
    let avx512 = token.avx512f;
    v[a] = avx512._mm512_add_epi32(avx512._mm512_add_epi32(v[a], first), v[b]);
    v[d] = avx512._mm512_ror_epi32::<16>(avx512._mm512_xor_si512(v[d], v[a]));
    v[c] = avx512._mm512_add_epi32(v[c], v[d]);
    v[b] = avx512._mm512_ror_epi32::<12>(avx512._mm512_xor_si512(v[b], v[c]));
    v[a] = avx512._mm512_add_epi32(avx512._mm512_add_epi32(v[a], second), v[b]);
    v[d] = avx512._mm512_ror_epi32::<8>(avx512._mm512_xor_si512(v[d], v[a]));
    v[c] = avx512._mm512_add_epi32(v[c], v[d]);
    v[b] = avx512._mm512_ror_epi32::<7>(avx512._mm512_xor_si512(v[b], v[c]));
}

/// Rows as columns.
#[inline(always)]
fn turned(token: V4, rows: [__m512i; 16]) -> [__m512i; 16] {
    let avx512 = token.avx512f;
    let mut quarters = [[rows[0]; 4]; 4];
    for (quarter, rows) in quarters.iter_mut().zip(rows.as_chunks().0) {
        *quarter = turned_by_quarters(token, *rows);
    }
    let mut columns = rows;
    for column in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|four: usize| quarters[four][column]);
        let low = avx512._mm512_shuffle_i32x4::<0x88>(a, b);
        let high = avx512._mm512_shuffle_i32x4::<0xdd>(a, b);
        let low_after = avx512._mm512_shuffle_i32x4::<0x88>(c, d);
        let high_after = avx512._mm512_shuffle_i32x4::<0xdd>(c, d);
        columns[column] = avx512._mm512_shuffle_i32x4::<0x88>(low, low_after);
        columns[column + 4] = avx512._mm512_shuffle_i32x4::<0x88>(high, high_after);
        columns[column + 8] = avx512._mm512_shuffle_i32x4::<0xdd>(low, low_after);
        columns[column + 12] = avx512._mm512_shuffle_i32x4::<0xdd>(high, high_after);
    }
    columns
}

/// Four rows as columns, each quarter of them by itself.
#[inline(always)]
fn turned_by_quarters(token: V4, [a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let avx512 = token.avx512f;
    let low = [
        avx512._mm512_unpacklo_epi32(a, b),
        avx512._mm512_unpacklo_epi32(c, d),
    ];
    let high = [
        avx512._mm512_unpackhi_epi32(a, b),
        avx512._mm512_unpackhi_epi32(c, d),
    ];
    [
        avx512._mm512_unpacklo_epi64(low[0], low[1]),
        avx512._mm512_unpackhi_epi64(low[0], low[1]),
        avx512._mm512_unpacklo_epi64(high[0], high[1]),
        avx512._mm512_unpackhi_epi64(high[0], high[1]),
    ]
}
