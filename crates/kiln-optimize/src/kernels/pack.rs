//! Codes are put into words, along rows or across them.

use super::Loop;

/// Columns whose words are kept near while rows are gone through.
const TILE: usize = 64;

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
        let mut words = [0u8; TILE * 4];
        for (tile, first) in (0..self.columns).step_by(span).enumerate() {
            let width = span.min(self.columns - first);
            let words = &mut words[..width / self.in_word * 4];
            for row in 0..rows {
                let codes = &self.codes[row * self.columns + first..][..width];
                pack_row(self.in_word, codes, words);
                let (words, _) = words.as_chunks::<4>();
                for (at, word) in words.iter().enumerate() {
                    room[(tile * TILE + at) * rows + row] = *word;
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
        let in_word = self.order.len();
        let bits = 32 / in_word;
        let (half, mask) = (1u32 << (bits - 1), (1u32 << bits) - 1);
        let together = self.columns * in_word;
        let words = self.codes.len() / together.max(1);
        let (room, _) = self.room.as_chunks_mut::<4>();
        for first in (0..self.columns).step_by(TILE) {
            let width = TILE.min(self.columns - first);
            for (at, rows) in self.codes.chunks_exact(together).enumerate() {
                let mut tile = [0u32; TILE];
                for (place, &row) in self.order.iter().enumerate() {
                    let codes = &rows[row * self.columns + first..][..width];
                    for (word, &code) in tile.iter_mut().zip(codes) {
                        let code = (code as u32).wrapping_add(half).wrapping_sub(self.less);
                        *word |= (code & mask) << (place * bits);
                    }
                }
                for (column, word) in tile[..width].iter().enumerate() {
                    room[(first + column) * words + at] = word.to_le_bytes();
                }
            }
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
