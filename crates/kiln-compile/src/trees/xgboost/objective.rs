//! What XGBoost's objectives do to the base score and to the sums.

use crate::trees::{Link, TreesError};

/// A version of XGBoost: major and minor.
pub(super) type Version = (u32, u32);

/// Since this version, the base score of `binary:logitraw` is a margin.
const LOGITRAW_AS_GIVEN: Version = (1, 3);

/// One objective's link function, and its inverse for the base score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Objective {
    pub link: Link,
    base: Base,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Base {
    AsGiven,
    Logit,
    Log,
}

impl Objective {
    /// The objective of this name, as models spell it, for the version that
    /// wrote the model.
    pub fn named(name: &str, version: Version) -> Result<Self, TreesError> {
        let (link, base) = match name {
            "binary:logistic" | "reg:logistic" => (Link::Sigmoid { scale: 1.0 }, Base::Logit),
            "binary:logitraw" if version < LOGITRAW_AS_GIVEN => (Link::Identity, Base::Logit),
            "binary:logitraw" => (Link::Identity, Base::AsGiven),
            "binary:hinge" => (Link::Hinge, Base::AsGiven),
            "multi:softmax" => (Link::Argmax, Base::AsGiven),
            "multi:softprob" => (Link::Softmax, Base::AsGiven),
            "reg:linear"
            | "reg:squarederror"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror"
            | "reg:quantileerror"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map" => (Link::Identity, Base::AsGiven),
            "reg:gamma" | "reg:tweedie" | "count:poisson" | "survival:cox" | "survival:aft" => {
                (Link::Exp, Base::Log)
            }
            other => {
                let what = format!("the objective {other:?}");
                return Err(TreesError::unsupported(what));
            }
        };
        Ok(Self { link, base })
    }

    /// What sums start from, for a base score as users give it.
    pub fn margin(self, score: f32) -> f32 {
        match self.base {
            Base::AsGiven => score,
            Base::Logit => -(1.0 / score - 1.0).ln(),
            Base::Log => score.ln(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_scores_become_margins() {
        let cases = [
            ("reg:squarederror", (1, 0), 0.5, 0.5),
            ("binary:logistic", (1, 0), 0.5, 0.0),
            ("binary:logitraw", (1, 2), 0.75, 3.0_f32.ln()),
            ("binary:logitraw", (1, 3), 0.75, 0.75),
            ("multi:softprob", (3, 2), 0.5, 0.5),
            ("count:poisson", (1, 7), 2.0, std::f32::consts::LN_2),
        ];
        for (name, version, score, margin) in cases {
            let objective = Objective::named(name, version).unwrap();
            assert!((objective.margin(score) - margin).abs() < 1e-6, "{name}");
        }
    }

    #[test]
    fn an_unknown_objective_is_named() {
        let error = Objective::named("mine", (3, 0)).unwrap_err().to_string();
        let expected = "The model uses the objective \"mine\", which cannot be compiled.";
        assert_eq!(error, expected);
    }
}
