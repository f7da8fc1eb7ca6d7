//! How far weights reach.

/// Lanes that a reduction goes by.
const LANES: usize = 16;

/// The least and the greatest of some weights, and zero.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Spread {
    pub(crate) low: f32,
    pub(crate) high: f32,
}

impl Spread {
    /// The spread of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// The greatest magnitude.
    pub(crate) fn peak(self) -> f32 {
        self.high.max(-self.low)
    }
}

/// As the processor's own instruction does it, which does not ask what is a number.
#[inline(always)]
fn least(one: f32, other: f32) -> f32 {
    if one < other { one } else { other }
}

#[inline(always)]
fn most(one: f32, other: f32) -> f32 {
    if one > other { one } else { other }
}

/// The spread of finite weights.
#[inline(always)]
pub(crate) fn spread(weights: &[f32]) -> Spread {
    let mut low = [0.0f32; LANES];
    let mut high = [0.0f32; LANES];
    let (whole, rest) = weights.as_chunks::<LANES>();
    for chunk in whole {
        for lane in 0..LANES {
            low[lane] = least(chunk[lane], low[lane]);
            high[lane] = most(chunk[lane], high[lane]);
        }
    }
    for width in [8, 4, 2, 1] {
        for lane in 0..width {
            low[lane] = least(low[lane], low[lane + width]);
            high[lane] = most(high[lane], high[lane + width]);
        }
    }
    let mut all = Spread {
        low: low[0],
        high: high[0],
    };
    for &value in rest {
        all = all.and(Spread {
            low: value,
            high: value,
        });
    }
    all
}
