//! Which GPUs of NVIDIA code can be generated for.

/// The compute capabilities that the compiler generates code for.
const SUPPORTED: [u32; 11] = [60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 120];

/// What is generated for a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generated {
    /// Code for that very GPU.
    Exactly(u32),
    /// Code for an earlier one, which the driver compiles again for the later.
    Earlier(u32),
    /// Nothing: the GPU is too old.
    Nothing,
}

/// What is generated for a GPU of that compute capability. The code is PTX, which
/// every later GPU accepts.
pub(super) fn generated(sm: u32) -> Generated {
    match SUPPORTED.into_iter().rfind(|supported| *supported <= sm) {
        Some(exact) if exact == sm => Generated::Exactly(sm),
        Some(earlier) => Generated::Earlier(earlier),
        None => Generated::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_never_for_a_later_gpu() {
        for (sm, expected) in [
            (37, Generated::Nothing),
            (53, Generated::Nothing),
            (60, Generated::Exactly(60)),
            (62, Generated::Exactly(62)),
            (72, Generated::Exactly(72)),
            (90, Generated::Earlier(89)),
            (100, Generated::Earlier(89)),
            (120, Generated::Exactly(120)),
            (121, Generated::Earlier(120)),
        ] {
            assert_eq!(generated(sm), expected, "sm_{sm}");
        }
    }
}
