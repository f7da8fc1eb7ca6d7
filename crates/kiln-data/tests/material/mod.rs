//! Content to store and read back.

/// Bytes that no compressor makes shorter.
pub fn noise(length: usize) -> Vec<u8> {
    let mut word = 88_172_645_463_325_252_u64;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    };
    let words = std::iter::repeat_with(&mut next).take(length.div_ceil(8));
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(length);
    bytes
}
