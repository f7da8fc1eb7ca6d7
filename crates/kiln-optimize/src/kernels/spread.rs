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

/// The spread of finite weights.
#[inline(always)]
pub(crate) fn spread(weights: &[f32]) -> Spread {
    let mut low = [0.0f32; LANES];
    let mut high = [0.0f32; LANES];
    let (whole, rest) = weights.as_chunks::<LANES>();
    for chunk in whole {
        for lane in 0..LANES {
            let value = chunk[lane];
            low[lane] = if value < low[lane] { value } else { low[lane] };
            high[lane] = if value > high[lane] {
                value
            } else {
                high[lane]
            };
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            low[lane] = low[lane].min(low[lane + width]);
            high[lane] = high[lane].max(high[lane + width]);
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
