//! From sums of leaves to predictions: the objectives' link functions, each
//! counted as its library counts.

use super::Arithmetic;

/// How a row's sums become its prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// They are the prediction.
    Identity,
    /// `1 / (1 + exp(-scale * x))`, each for itself.
    Sigmoid {
        /// LightGBM's `sigmoid`; 1 elsewhere.
        scale: f64,
    },
    /// 1 above zero, otherwise 0.
    Hinge,
    /// `exp(x)`.
    Exp,
    /// `ln(1 + exp(x))`.
    LogOnePlusExp,
    /// `x²` with the sign of `x` (LightGBM's `reg_sqrt`).
    SignedSquare,
    /// Probabilities of classes.
    Softmax,
    /// The number of the likeliest class.
    Argmax,
    /// `1 - x` and `x`: a probability as those of both classes.
    Complement,
    /// A sigmoid as the probabilities of both classes.
    SigmoidOfBoth {
        /// As that of [`Link::Sigmoid`].
        scale: f64,
    },
    /// `-(2 to the -x) - offset` (scikit-learn's isolation forests).
    Isolation {
        /// The score from which on a row is no outlier.
        offset: f64,
    },
}

impl Link {
    /// How many numbers it makes of so many sums.
    pub fn outputs(self, groups: usize) -> usize {
        match self {
            Self::Argmax => 1,
            Self::Complement | Self::SigmoidOfBoth { .. } => 2 * groups,
            _ => groups,
        }
    }

    /// Turns sums into a prediction; both are as long as [`Link::outputs`]
    /// says.
    pub(super) fn apply(self, arithmetic: Arithmetic, sums: &[f64], prediction: &mut [f64]) {
        match self {
            Self::Softmax => softmax(arithmetic, sums, prediction),
            Self::Argmax => prediction[0] = argmax(sums) as f64,
            Self::Complement => both(sums, prediction, |sum| sum),
            Self::SigmoidOfBoth { scale } => {
                both(sums, prediction, |sum| {
                    Self::Sigmoid { scale }.of_double(sum)
                });
            }
            _ => {
                for (out, sum) in prediction.iter_mut().zip(sums) {
                    *out = match arithmetic {
                        Arithmetic::Single => f64::from(self.of_single(*sum as f32)),
                        Arithmetic::Double => self.of_double(*sum),
                    };
                }
            }
        }
    }

    fn of_single(self, x: f32) -> f32 {
        match self {
            // XGBoost's bound keeps exp finite.
            Self::Sigmoid { scale } => 1.0 / (1.0 + (-(x * scale as f32)).min(88.7).exp()),
            Self::Hinge => f32::from(x > 0.0),
            Self::Exp => x.exp(),
            Self::LogOnePlusExp => x.exp().ln_1p(),
            Self::SignedSquare => x * x.abs(),
            Self::Isolation { offset } => -(-x).exp2() - offset as f32,
            Self::Identity
            | Self::Softmax
            | Self::Argmax
            | Self::Complement
            | Self::SigmoidOfBoth { .. } => x,
        }
    }

    fn of_double(self, x: f64) -> f64 {
        match self {
            Self::Sigmoid { scale } => 1.0 / (1.0 + (-scale * x).exp()),
            Self::Hinge => f64::from(x > 0.0),
            Self::Exp => x.exp(),
            Self::LogOnePlusExp => x.exp().ln_1p(),
            Self::SignedSquare => x * x.abs(),
            Self::Isolation { offset } => -(-x).exp2() - offset,
            Self::Identity
            | Self::Softmax
            | Self::Argmax
            | Self::Complement
            | Self::SigmoidOfBoth { .. } => x,
        }
    }
}

/// Of each sum the probability of the first class, and that of the second.
fn both(sums: &[f64], prediction: &mut [f64], probability: impl Fn(f64) -> f64) {
    for (pair, sum) in prediction.chunks_exact_mut(2).zip(sums) {
        let second = probability(*sum);
        pair.copy_from_slice(&[1.0 - second, second]);
    }
}

fn softmax(arithmetic: Arithmetic, sums: &[f64], prediction: &mut [f64]) {
    let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for (out, sum) in prediction.iter_mut().zip(sums) {
        *out = match arithmetic {
            Arithmetic::Single => f64::from(((sum - most) as f32).exp()),
            Arithmetic::Double => (sum - most).exp(),
        };
    }
    let total: f64 = prediction.iter().sum();
    for out in prediction {
        *out /= total;
    }
}

/// The first of the largest, as XGBoost breaks ties.
fn argmax(sums: &[f64]) -> usize {
    let larger = |best: usize, at: usize| if sums[at] > sums[best] { at } else { best };
    (1..sums.len()).fold(0, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_make_predictions_of_sums() {
        let cases: [(Link, &[f64], &[f64]); 13] = [
            (Link::Identity, &[1.5, -2.0], &[1.5, -2.0]),
            (Link::Sigmoid { scale: 1.0 }, &[0.0, -1000.0], &[0.5, 0.0]),
            (
                Link::Sigmoid { scale: 2.0 },
                &[1.0],
                &[0.880_797_077_977_882_3],
            ),
            (Link::Hinge, &[0.1, 0.0, -1.0], &[1.0, 0.0, 0.0]),
            (Link::Exp, &[0.0, 1.0], &[1.0, std::f64::consts::E]),
            (Link::LogOnePlusExp, &[0.0], &[std::f64::consts::LN_2]),
            (Link::SignedSquare, &[-3.0, 2.0], &[-9.0, 4.0]),
            (Link::Softmax, &[1000.0, 1000.0], &[0.5, 0.5]),
            (Link::Argmax, &[1.0, 3.0, 3.0], &[1.0]),
            (Link::Argmax, &[1.0], &[0.0]),
            (Link::Complement, &[0.25, 1.0], &[0.75, 0.25, 0.0, 1.0]),
            (Link::SigmoidOfBoth { scale: 1.0 }, &[0.0], &[0.5, 0.5]),
            (Link::Isolation { offset: -0.5 }, &[1.0, 2.0], &[0.0, 0.25]),
        ];
        for (link, sums, expected) in cases {
            for arithmetic in [Arithmetic::Single, Arithmetic::Double] {
                let mut prediction = vec![0.0; link.outputs(sums.len())];
                link.apply(arithmetic, sums, &mut prediction);
                for (got, wanted) in prediction.iter().zip(expected) {
                    assert!(
                        (got - wanted).abs() < 3e-7,
                        "{link:?} {arithmetic:?}: {got}"
                    );
                }
                assert_eq!(prediction.len(), expected.len(), "{link:?}");
            }
        }
    }
}
