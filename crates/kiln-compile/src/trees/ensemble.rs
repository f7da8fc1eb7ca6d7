//! The one form of every library's trees.

use super::{Link, Tree, TreesError};

/// More outputs than any model has; a file that claims more would have us
/// reserve memory for nothing.
const MOST_GROUPS: usize = 1 << 20;

/// As many features as the packed form has room for.
const MOST_FEATURES: u32 = 1 << 28;

/// How a library counts, which decides the last digits of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Values and sums are 32 bits wide (XGBoost).
    Single,
    /// Values and sums are 64 bits wide (LightGBM, scikit-learn).
    Double,
}

/// What an ensemble is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// How many values a row has.
    pub features: u32,
    /// Their names, or none at all.
    pub feature_names: Vec<String>,
    /// What each sum starts from; there are as many sums as entries.
    pub base: Vec<f64>,
    /// The trees, in the order in which the library adds them.
    pub trees: Vec<Tree>,
    /// What sums are divided by: 1, or a forest's number of rounds.
    pub divisor: f64,
    /// How sums become predictions.
    pub link: Link,
    /// How wide values and sums are.
    pub arithmetic: Arithmetic,
}

/// Trees whose leaves add up to a prediction. Every index in it is sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    parts: Parts,
    depth: u32,
}

impl Ensemble {
    /// Takes the parts if they fit one another.
    pub fn new(mut parts: Parts) -> Result<Self, TreesError> {
        let groups = parts.base.len();
        if groups == 0 || groups > MOST_GROUPS {
            let what = format!("{groups} outputs");
            return Err(TreesError::unsupported(what));
        }
        if parts.features > MOST_FEATURES {
            let what = format!("{} features", parts.features);
            return Err(TreesError::unsupported(what));
        }
        let names = parts.feature_names.len();
        if names != 0 && names != parts.features as usize {
            let what = format!("{names} names for {} features", parts.features);
            return Err(TreesError::unsupported(what));
        }
        let mut depth = 0;
        for (at, tree) in parts.trees.iter_mut().enumerate() {
            depth = depth.max(tree.settle(at, parts.features, groups as u32)?);
        }
        Ok(Self { parts, depth })
    }

    /// What it is made of.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// How many steps the longest way through a tree takes.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// How many sums the trees add to.
    pub fn groups(&self) -> usize {
        self.parts.base.len()
    }

    /// How many numbers a row's prediction has.
    pub fn outputs(&self) -> usize {
        self.parts.link.outputs(self.groups())
    }
}
