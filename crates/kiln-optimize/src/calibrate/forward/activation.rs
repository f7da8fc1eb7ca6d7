//! The functions between the two halves of a feed-forward layer.

/// A function by which a feed-forward layer bends its inner values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x times the logistic function of x.
    Silu,
    /// x times the share of a normal distribution that is below x.
    Gelu,
    /// An older approximation of it.
    GeluTanh,
    /// x where it is positive.
    Relu,
}

impl Activation {
    /// The function that `config.json` calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "silu" | "swish" => Some(Self::Silu),
            "gelu" => Some(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Some(Self::GeluTanh),
            "relu" => Some(Self::Relu),
            _ => None,
        }
    }

    /// Applies it.
    #[must_use]
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::Gelu => {
                let x = f64::from(x);
                (0.5 * x * (1.0 + error_function(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
            }
            Self::GeluTanh => {
                let inner = (2.0 / std::f32::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
                0.5 * x * (1.0 + inner.tanh())
            }
            Self::Relu => x.max(0.0),
        }
    }
}

/// The error function within 1.5e-7: Abramowitz and Stegun, 7.1.26.
fn error_function(x: f64) -> f64 {
    const TERMS: [f64; 5] = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let sum = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    (1.0 - sum * (-x * x).exp()).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_torch() {
        let cases = [
            (Activation::Silu, 1.5, 1.226_361_6),
            (Activation::Silu, -30.0, -2.807e-12),
            (Activation::Gelu, 1.5, 1.399_789_3),
            (Activation::Gelu, -0.7, -0.169_374_48),
            (Activation::Gelu, 0.0, 0.0),
            (Activation::GeluTanh, 1.5, 1.399_571_5),
            (Activation::Relu, -2.0, 0.0),
        ];
        for (function, x, expected) in cases {
            let found = function.of(x);
            assert!(
                (found - expected).abs() < 1e-6,
                "{function:?} of {x} is {found}"
            );
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert_eq!(Activation::named("gelu"), Some(Activation::Gelu));
        assert_eq!(Activation::named("xielu"), None);
    }
}
