//! Loops over weights, compiled for several instruction sets; the best that the processor
//! has is chosen when the program runs.
//!
//! The loops are plain Rust in functions that are always inlined. Rust never contracts a
//! multiplication and an addition into one rounding and never reorders sums, so that all
//! instruction sets give the same bits. Reductions go by lanes of a fixed number.

#[cfg(target_arch = "x86_64")]
pub(crate) mod blake2s;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod fit;
pub(crate) mod pack;
pub(crate) mod precision;
pub(crate) mod spread;

pub(crate) use pulp::NullaryFnOnce as Loop;

/// An instruction set that this processor has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instructions {
    /// What every processor of the architecture has: NEON on ARM, SSE2 on x86.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
}

impl Instructions {
    /// The widest that this processor has.
    pub(crate) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(token) = pulp::x86::V4::try_new() {
                return Self::Avx512(token);
            }
            if let Some(token) = pulp::x86::V3::try_new() {
                return Self::Avx2(token);
            }
        }
        Self::Plain
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut all = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(pulp::x86::V3::try_new().map(Self::Avx2));
            all.extend(pulp::x86::V4::try_new().map(Self::Avx512));
        }
        all
    }

    /// Runs a loop that was compiled for this instruction set.
    pub(crate) fn run<L: Loop>(self, work: L) -> L::Output {
        match self {
            Self::Plain => work.call(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(token) => token.vectorize(work),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(token) => token.vectorize(work),
        }
    }
}
