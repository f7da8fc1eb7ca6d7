//! What every form of XGBoost's models has in common once its arrays are
//! read: nodes made of columns, weights of dropped trees, groups of outputs.

use crate::trees::{
    Arithmetic, Ensemble, Missing, Node, Parts, Split, Target, Test, Tree, TreesError,
};

use super::objective::Objective;

/// What marks a leaf's children.
pub(super) const NO_CHILD: i32 = -1;

/// One node as XGBoost keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    pub left: i32,
    pub right: i32,
    pub feature: u32,
    pub default_left: bool,
    /// A split's threshold, or a leaf's value.
    pub number: f32,
}

impl Raw {
    pub fn is_leaf(&self) -> bool {
        self.left == NO_CHILD
    }

    /// The split that it is.
    pub fn split(&self, test: Test) -> Node {
        Node::Split(Split {
            feature: self.feature,
            test,
            missing: Missing::Nan,
            missing_left: self.default_left,
            // A negative child is beyond every tree, and so refused with the
            // others that lead nowhere.
            left: u32::try_from(self.left).unwrap_or(u32::MAX),
            right: u32::try_from(self.right).unwrap_or(u32::MAX),
        })
    }
}

/// The facts about a whole model.
pub(super) struct Learner {
    pub features: u32,
    pub feature_names: Vec<String>,
    pub objective: Objective,
    /// One margin for each output, or one for all.
    pub margins: Vec<f32>,
    /// Zero where the model has but one output.
    pub outputs: u32,
    pub trees: Vec<Tree>,
    /// DART's weight of each tree, or nothing.
    pub weights: Vec<f32>,
}

impl Learner {
    /// The ensemble that it describes.
    pub fn ensemble(mut self) -> Result<Ensemble, TreesError> {
        self.fold_weights()?;
        let base = self.base()?;
        Ensemble::new(Parts {
            features: self.features,
            feature_names: self.feature_names,
            base,
            trees: self.trees,
            divisor: 1.0,
            link: self.objective.link,
            arithmetic: Arithmetic::Single,
        })
    }

    fn fold_weights(&mut self) -> Result<(), TreesError> {
        let (weights, trees) = (self.weights.len(), self.trees.len());
        if weights == 0 {
            return Ok(());
        }
        if weights != trees {
            let reason = format!("it has {weights} weights for {trees} trees");
            return Err(malformed(reason));
        }
        for (tree, weight) in self.trees.iter_mut().zip(&self.weights) {
            for value in &mut tree.values {
                *value = f64::from(*value as f32 * weight);
            }
        }
        Ok(())
    }

    fn base(&self) -> Result<Vec<f64>, TreesError> {
        let outputs = self.outputs.max(1) as usize;
        if let [margin] = self.margins[..] {
            // What cannot be right must not reserve memory.
            if outputs > 1 && outputs > self.trees.len().max(1) * self.widest() {
                let reason = format!("it claims {outputs} outputs");
                return Err(malformed(reason));
            }
            return Ok(vec![f64::from(margin); outputs]);
        }
        if self.margins.len() != outputs {
            let scores = self.margins.len();
            let reason = format!("it has {scores} base scores for {outputs} outputs");
            return Err(malformed(reason));
        }
        Ok(self.margins.iter().copied().map(f64::from).collect())
    }

    fn widest(&self) -> usize {
        let wide = |tree: &Tree| match tree.target {
            Target::Group(_) => 1,
            Target::Every => tree.values.len(),
        };
        self.trees.iter().map(wide).max().unwrap_or(1).max(1)
    }
}

pub(super) fn malformed(reason: impl Into<String>) -> TreesError {
    TreesError::Malformed {
        format: "XGBoost",
        reason: reason.into(),
    }
}

/// The output that a tree of `tree_info` adds to.
pub(super) fn target(at: usize, group: i32) -> Result<Target, TreesError> {
    let wrong = |_| TreesError::tree(at, format!("it adds to output {group}"));
    u32::try_from(group).map(Target::Group).map_err(wrong)
}
