//! The exporter's first line.

use serde::Deserialize;

use super::malformed;
use crate::trees::{Link, TreesError};

const FORMAT: &str = "kiln-trees 1";
/// More than any model has; what a file claims beyond it is not reserved for.
const MOST: usize = 1 << 28;

/// What the line says.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    format: String,
    pub features: u32,
    pub feature_names: Vec<String>,
    pub groups: usize,
    pub trees: usize,
    divisor_bits: u64,
    scale_bits: u64,
    link: String,
}

impl Head {
    pub fn parse(line: &[u8]) -> Result<Self, TreesError> {
        let head: Self =
            serde_json::from_slice(line).map_err(|error| malformed(error.to_string()))?;
        if head.format != FORMAT {
            return Err(malformed(format!("its form is {:?}", head.format)));
        }
        if head.groups > MOST || head.trees > MOST {
            return Err(malformed("it claims more than there can be"));
        }
        Ok(head)
    }

    /// What sums are divided by. Its bits are given, since a decimal number
    /// might lose the last of them.
    pub fn divisor(&self) -> f64 {
        f64::from_bits(self.divisor_bits)
    }

    pub fn link(&self) -> Result<Link, TreesError> {
        let scale = f64::from_bits(self.scale_bits);
        Ok(match self.link.as_str() {
            "identity" => Link::Identity,
            "exp" => Link::Exp,
            "softmax" => Link::Softmax,
            "both" => Link::SigmoidOfBoth { scale },
            "complement" => Link::Complement,
            "isolation" => Link::Isolation { offset: scale },
            other => return Err(malformed(format!("its link is {other:?}"))),
        })
    }
}
