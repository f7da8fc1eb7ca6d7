//! The link functions of LightGBM's objectives.

use crate::trees::{Link, TreesError};

/// What an `objective=` line asks for; without one, sums are the prediction.
pub(super) fn link(line: Option<&str>) -> Result<Link, TreesError> {
    let mut words = line.unwrap_or("").split_ascii_whitespace();
    let name = words.next().unwrap_or("");
    let sigmoid = || -> Result<Link, TreesError> {
        let given = words.clone().find_map(|word| word.strip_prefix("sigmoid:"));
        let Some(given) = given else {
            return Ok(Link::Sigmoid { scale: 1.0 });
        };
        let wrong = |_| TreesError::unsupported(format!("the sigmoid {given:?}"));
        given
            .parse()
            .map(|scale| Link::Sigmoid { scale })
            .map_err(wrong)
    };
    Ok(match name {
        "regression" | "regression_l1" | "huber" | "fair" | "quantile" | "mape"
            if words.clone().any(|word| word == "sqrt") =>
        {
            Link::SignedSquare
        }
        "" | "none" | "null" | "custom" | "regression" | "regression_l1" | "huber" | "fair"
        | "quantile" | "mape" | "lambdarank" | "rank_xendcg" => Link::Identity,
        "poisson" | "gamma" | "tweedie" => Link::Exp,
        "binary" | "multiclassova" => sigmoid()?,
        "multiclass" => Link::Softmax,
        "cross_entropy" => Link::Sigmoid { scale: 1.0 },
        "cross_entropy_lambda" => Link::LogOnePlusExp,
        other => {
            let what = format!("the objective {other:?}");
            return Err(TreesError::unsupported(what));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_links() {
        let cases = [
            (None, Some(Link::Identity)),
            (Some("regression"), Some(Link::Identity)),
            (Some("regression sqrt"), Some(Link::SignedSquare)),
            (Some("quantile alpha:0.7"), Some(Link::Identity)),
            (Some("poisson"), Some(Link::Exp)),
            (
                Some("binary sigmoid:1.5"),
                Some(Link::Sigmoid { scale: 1.5 }),
            ),
            (Some("binary sigmoid:x"), None),
            (Some("multiclass num_class:3"), Some(Link::Softmax)),
            (
                Some("multiclassova num_class:3 sigmoid:2"),
                Some(Link::Sigmoid { scale: 2.0 }),
            ),
            (Some("cross_entropy_lambda"), Some(Link::LogOnePlusExp)),
            (Some("another"), None),
        ];
        for (line, expected) in cases {
            assert_eq!(link(line).ok(), expected, "{line:?}");
        }
    }
}
