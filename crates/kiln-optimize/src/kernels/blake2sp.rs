//! The eight messages of BLAKE2sp side by side, with AVX-512's rotations: where a processor has
//! them, they save a quarter or more of the time that digests take by the crate `blake2s_simd`,
//! which does all of it elsewhere, and which tests compare this with. A digest is half of what
//! it takes to quantize to eight bits.

use core::arch::x86_64::__m256i;

use pulp::x86::V4;

use super::Loop;

/// Messages.
pub(crate) const LEAVES: usize = 8;

/// Bytes of a message that are compressed at once.
pub(crate) const BLOCK: usize = 64;

/// A block of each message, one after the other.
pub(crate) const ROUND: usize = LEAVES * BLOCK;

/// What all states begin with, and each compression brings in again.
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
pub(crate) type States = [[u32; LEAVES]; 8];

/// Compresses rounds that no message ends in.
pub(crate) struct Rounds<'a> {
    pub(crate) token: V4,
    pub(crate) states: &'a mut States,
    pub(crate) bytes: &'a [u8],
    /// How many bytes each message had before.
    pub(crate) before: u64,
}

impl Loop for Rounds<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut states = pulp::cast::<States, [__m256i; 8]>(*self.states);
        let mut reached = self.before;
        for round in self.bytes.as_chunks().0 {
            reached += BLOCK as u64;
            let low = [reached as u32; LEAVES];
            let high = [(reached >> 32) as u32; LEAVES];
            let marks = [low, high, [0; LEAVES], [0; LEAVES]];
            states = compress(self.token, states, round, marks);
        }
        *self.states = pulp::cast(states);
    }
}

/// Compresses one round that messages may end in.
pub(crate) struct Ending<'a> {
    pub(crate) token: V4,
    pub(crate) states: &'a States,
    pub(crate) round: &'a [u8; ROUND],
    /// How many bytes each message has up to here, the lower half and the upper, whether it
    /// ends here, and whether it is moreover the last one.
    pub(crate) marks: [[u32; LEAVES]; 4],
}

impl Loop for Ending<'_> {
    type Output = States;

    #[inline(always)]
    fn call(self) -> States {
        let states = pulp::cast(*self.states);
        pulp::cast(compress(self.token, states, self.round, self.marks))
    }
}

#[inline(always)]
fn compress(
    token: V4,
    states: [__m256i; 8],
    round: &[u8; ROUND],
    marks: [[u32; LEAVES]; 4],
) -> [__m256i; 8] {
    let words = words(token, round);
    let start: [__m256i; 8] = START.map(|word| pulp::cast([word; LEAVES]));
    let mut v = [start[0]; 16];
    v[..8].copy_from_slice(&states);
    v[8..].copy_from_slice(&start);
    for (word, mark) in v[12..].iter_mut().zip(marks) {
        *word = token.avx2._mm256_xor_si256(*word, pulp::cast(mark));
    }
    turn::<0>(token, &mut v, &words);
    turn::<1>(token, &mut v, &words);
    turn::<2>(token, &mut v, &words);
    turn::<3>(token, &mut v, &words);
    turn::<4>(token, &mut v, &words);
    turn::<5>(token, &mut v, &words);
    turn::<6>(token, &mut v, &words);
    turn::<7>(token, &mut v, &words);
    turn::<8>(token, &mut v, &words);
    turn::<9>(token, &mut v, &words);
    let mut states = states;
    for (word, state) in states.iter_mut().enumerate() {
        let both = token.avx2._mm256_xor_si256(v[word], v[word + 8]);
        *state = token.avx2._mm256_xor_si256(*state, both);
    }
    states
}

/// One of the ten turns, with the places of its words known to the compiler: a loop over the
/// table stays a loop.
#[inline(always)]
fn turn<const NUMBER: usize>(token: V4, v: &mut [__m256i; 16], words: &[__m256i; 16]) {
    let words: [__m256i; 16] = std::array::from_fn(|at| words[ORDER[NUMBER][at]]);
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
fn mix(token: V4, v: &mut [__m256i; 16], [a, b, c, d]: [usize; 4], [first, second]: [__m256i; 2]) {
    let (avx2, avx512) = (token.avx2, token.avx512vl);
    v[a] = avx2._mm256_add_epi32(avx2._mm256_add_epi32(v[a], first), v[b]);
    v[d] = avx512._mm256_ror_epi32::<16>(avx2._mm256_xor_si256(v[d], v[a]));
    v[c] = avx2._mm256_add_epi32(v[c], v[d]);
    v[b] = avx512._mm256_ror_epi32::<12>(avx2._mm256_xor_si256(v[b], v[c]));
    v[a] = avx2._mm256_add_epi32(avx2._mm256_add_epi32(v[a], second), v[b]);
    v[d] = avx512._mm256_ror_epi32::<8>(avx2._mm256_xor_si256(v[d], v[a]));
    v[c] = avx2._mm256_add_epi32(v[c], v[d]);
    v[b] = avx512._mm256_ror_epi32::<7>(avx2._mm256_xor_si256(v[b], v[c]));
}

/// Each word of the blocks of all messages.
#[inline(always)]
fn words(token: V4, round: &[u8; ROUND]) -> [__m256i; 16] {
    let halves = round.as_chunks::<32>().0;
    let mut rows = [[pulp::cast([0_u8; 32]); LEAVES]; 2];
    for leaf in 0..LEAVES {
        rows[0][leaf] = pulp::cast(halves[leaf * 2]);
        rows[1][leaf] = pulp::cast(halves[leaf * 2 + 1]);
    }
    let (first, second) = (turned(token, rows[0]), turned(token, rows[1]));
    let mut words = [first[0]; 16];
    words[..8].copy_from_slice(&first);
    words[8..].copy_from_slice(&second);
    words
}

/// Rows as columns.
#[inline(always)]
fn turned(token: V4, [a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [__m256i; 8] {
    let above = turned_by_halves(token, [a, b, c, d]);
    let below = turned_by_halves(token, [e, f, g, h]);
    let mut columns = [a; 8];
    for column in 0..4 {
        let (above, below) = (above[column], below[column]);
        columns[column] = token.avx2._mm256_permute2x128_si256::<0x20>(above, below);
        columns[column + 4] = token.avx2._mm256_permute2x128_si256::<0x31>(above, below);
    }
    columns
}

/// Four rows as columns, each half of them by itself.
#[inline(always)]
fn turned_by_halves(token: V4, [a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let avx2 = token.avx2;
    let low = [
        avx2._mm256_unpacklo_epi32(a, b),
        avx2._mm256_unpacklo_epi32(c, d),
    ];
    let high = [
        avx2._mm256_unpackhi_epi32(a, b),
        avx2._mm256_unpackhi_epi32(c, d),
    ];
    [
        avx2._mm256_unpacklo_epi64(low[0], low[1]),
        avx2._mm256_unpackhi_epi64(low[0], low[1]),
        avx2._mm256_unpacklo_epi64(high[0], high[1]),
        avx2._mm256_unpackhi_epi64(high[0], high[1]),
    ]
}
