//! Codes are put into words, along rows or across them.

use super::Loop;

/// Columns whose words are kept near while rows are gone through.
const TILE: usize = 64;

/// Rows whose words follow each other when they are transposed: a line of the cache.
const LINE: usize = 16;

/// Codes of a row in words, row after row: the first code is lowest, and the least code is
/// zero. A row's last word is filled up with zeros.
pub(crate) struct PackRows<'a> {
    pub(crate) in_word: usize,
    pub(crate) columns: usize,
    pub(crate) codes: &'a [i8],
    pub(crate) room: &'a mut [u8],
}

impl Loop for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let width = self.columns.div_ceil(self.in_word) * 4;
        let rows = self.codes.chunks_exact(self.columns.max(1));
        for (codes, room) in rows.zip(self.room.chunks_exact_mut(width.max(1))) {
            pack_row(self.in_word, codes, room);
        }
    }
}

/// The same words, but transposed: those of one row are a column.
pub(crate) struct PackDown<'a> {
    pub(crate) in_word: usize,
    pub(crate) columns: usize,
    pub(crate) codes: &'a [i8],
    pub(crate) room: &'a mut [u8],
}

impl Loop for PackDown<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.codes.len() / self.columns.max(1);
        let (room, _) = self.room.as_chunks_mut::<4>();
        let span = TILE * self.in_word;
        let mut tile = [[0u8; TILE * 4]; LINE];
        for first_row in (0..rows).step_by(LINE) {
            let height = LINE.min(rows - first_row);
            for (part, first) in (0..self.columns).step_by(span).enumerate() {
                let width = span.min(self.columns - first);
                for (row, words) in tile[..height].iter_mut().enumerate() {
                    let codes = &self.codes[(first_row + row) * self.columns + first..][..width];
                    pack_row(self.in_word, codes, words);
                }
                for word in 0..width / self.in_word {
                    let line = &mut room[(part * TILE + word) * rows + first_row..][..height];
                    for (to, words) in line.iter_mut().zip(&tile) {
                        to.copy_from_slice(&words[word * 4..][..4]);
                    }
                }
            }
        }
    }
}

/// Words of the codes of as many rows as `order` tells, one column after another: the
/// lowest code is that of row `order[0]`. `less` is taken from each.
pub(crate) struct PackAcross<'a> {
    pub(crate) order: &'a [usize],
    pub(crate) less: u32,
    pub(crate) columns: usize,
    pub(crate) codes: &'a [i8],
    pub(crate) room: &'a mut [u8],
}

impl Loop for PackAcross<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            order,
            less,
            columns,
            codes,
            room,
        } = self;
        let words = codes.len() / (columns * order.len()).max(1);
        let (room, _) = room.as_chunks_mut::<4>();
        let mut tile = [[0u32; TILE]; LINE];
        for first_word in (0..words).step_by(LINE) {
            let height = LINE.min(words - first_word);
            for first in (0..columns).step_by(TILE) {
                let width = TILE.min(columns - first);
                for (word, tile) in tile[..height].iter_mut().enumerate() {
                    let codes = &codes[(first_word + word) * order.len() * columns + first..];
                    pack_across((order, less), columns, codes, &mut tile[..width]);
                }
                for column in 0..width {
                    let line = &mut room[(first + column) * words + first_word..][..height];
                    for (to, tile) in line.iter_mut().zip(&tile) {
                        *to = tile[column].to_le_bytes();
                    }
                }
            }
        }
    }
}

/// The words of some columns, from the rows that share them.
#[inline(always)]
fn pack_across((order, less): (&[usize], u32), columns: usize, codes: &[i8], words: &mut [u32]) {
    let bits = 32 / order.len();
    let (half, mask) = (1u32 << (bits - 1), (1u32 << bits) - 1);
    words.fill(0);
    for (place, &row) in order.iter().enumerate() {
        for (word, &code) in words.iter_mut().zip(&codes[row * columns..]) {
            let code = (code as u32).wrapping_add(half).wrapping_sub(less);
            *word |= (code & mask) << (place * bits);
        }
    }
}

#[inline(always)]
fn pack_row(in_word: usize, codes: &[i8], room: &mut [u8]) {
    if in_word == 8 {
        pack_nibbles(codes, room);
    } else {
        for (byte, &code) in room.iter_mut().zip(codes) {
            *byte = code as u8 ^ 0x80;
        }
    }
}

#[inline(always)]
fn pack_nibbles(codes: &[i8], room: &mut [u8]) {
    let (pairs, rest) = codes.as_chunks::<2>();
    for (byte, &[low, high]) in room.iter_mut().zip(pairs) {
        *byte = ((low as u8 ^ 8) & 15) | (high as u8 ^ 8) << 4;
    }
    if let Some(&last) = rest.first() {
        room[pairs.len()] = (last as u8 ^ 8) & 15;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Instructions;
    use super::*;

    proptest! {
        #[test]
        fn instruction_sets_pack_alike(codes in proptest::collection::vec(-8i8..8, 16 * 200)) {
            let rooms = Instructions::all().into_iter().map(|instructions| {
                let mut rooms = [vec![0; 1600], vec![0; 1600], vec![0; 1600]];
                let [rows, down, across] = &mut rooms;
                let (in_word, columns, codes) = (8, 200, codes.as_slice());
                instructions.run(PackRows { in_word, columns, codes, room: rows });
                instructions.run(PackDown { in_word, columns, codes, room: down });
                let order = &[0, 2, 4, 6, 1, 3, 5, 7];
                instructions.run(PackAcross { order, less: 1, columns, codes, room: across });
                rooms
            });
            let rooms: Vec<_> = rooms.collect();
            prop_assert!(rooms.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
}
