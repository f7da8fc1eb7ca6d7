//! The document that XGBoost writes as JSON or as UBJSON; both are read as the
//! same structures.

use serde::Deserialize;

use crate::trees::{CategorySet, Ensemble, Node, Target, Test, Tree, TreesError};

use super::leaves::{Learner, Raw, malformed, target};
use super::objective::{Objective, Version};
use super::scalars::{BaseScore, Count, Flag, Single, quote_what_json_lacks};
use super::ubjson;

/// XGBoost's own bound for a category.
const CATEGORIES: u32 = 1 << 24;
/// How much memory the sets of categories of one model may take, in words: a
/// single large category costs a whole row of bits.
const MOST_WORDS: usize = 1 << 24;
/// The `split_type` of a split by category.
const CATEGORICAL: Count = Count(1);

pub(super) fn read_json(text: &[u8]) -> Result<Ensemble, TreesError> {
    let text = quote_what_json_lacks(text);
    let document: Document = serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("its JSON is wrong: {error}")))?;
    document.ensemble()
}

pub(super) fn read_ubjson(bytes: &[u8]) -> Result<Ensemble, TreesError> {
    let document: Document =
        ubjson::read(bytes).map_err(|error| malformed(format!("its UBJSON is wrong: {error}")))?;
    document.ensemble()
}

#[derive(Deserialize)]
struct Document {
    learner: LearnerDocument,
    #[serde(default)]
    version: Vec<Count>,
}

#[derive(Deserialize)]
struct LearnerDocument {
    #[serde(default)]
    feature_names: Vec<String>,
    gradient_booster: Booster,
    learner_model_param: LearnerParameters,
    objective: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct LearnerParameters {
    base_score: BaseScore,
    num_class: Count,
    num_feature: Count,
    #[serde(default)]
    num_target: Count,
}

/// `gbtree` has its model at once, `dart` inside of another booster.
#[derive(Deserialize)]
struct Booster {
    name: String,
    model: Option<Model>,
    gbtree: Option<Inner>,
    #[serde(default)]
    weight_drop: Vec<Single>,
}

#[derive(Deserialize)]
struct Inner {
    model: Model,
}

/// Both are absent from `gblinear`.
#[derive(Deserialize)]
struct Model {
    #[serde(default)]
    tree_info: Vec<i32>,
    #[serde(default)]
    trees: Vec<Columns>,
}

/// A tree, with an array for each fact about its nodes.
#[derive(Deserialize)]
struct Columns {
    tree_param: TreeParameters,
    left_children: Vec<i32>,
    right_children: Vec<i32>,
    split_indices: Vec<Count>,
    split_conditions: Vec<Single>,
    default_left: Vec<Flag>,
    #[serde(default)]
    split_type: Vec<Count>,
    #[serde(default)]
    categories: Vec<Count>,
    #[serde(default)]
    categories_nodes: Vec<Count>,
    #[serde(default)]
    categories_segments: Vec<Count>,
    #[serde(default)]
    categories_sizes: Vec<Count>,
    #[serde(default)]
    base_weights: Vec<Single>,
    /// Where 3.1 and later keep vectors; before, they are `base_weights`.
    #[serde(default)]
    leaf_weights: Vec<Single>,
}

#[derive(Deserialize)]
struct TreeParameters {
    #[serde(default)]
    size_leaf_vector: Count,
}

impl Document {
    fn ensemble(self) -> Result<Ensemble, TreesError> {
        let part = |at: usize| self.version.get(at).copied().unwrap_or_default().0;
        self.learner.ensemble((part(0), part(1)))
    }
}

impl LearnerDocument {
    fn ensemble(self, version: Version) -> Result<Ensemble, TreesError> {
        let objective = Objective::named(&self.objective.name, version)?;
        let parameters = self.learner_model_param;
        let scores = parameters.base_score.0;
        let weights = self.gradient_booster.weight_drop.iter();
        let weights = weights.map(|weight| weight.0).collect();
        Learner {
            features: parameters.num_feature.0,
            feature_names: self.feature_names,
            objective,
            margins: scores
                .into_iter()
                .map(|score| objective.margin(score))
                .collect(),
            outputs: parameters.num_class.0.max(parameters.num_target.0),
            trees: self.gradient_booster.model()?.trees()?,
            weights,
        }
        .ensemble()
    }
}

impl Booster {
    fn model(self) -> Result<Model, TreesError> {
        let model = match &self.name[..] {
            "gbtree" => self.model,
            "dart" => self.gbtree.map(|inner| inner.model),
            other => {
                let what = format!("the booster {other:?}");
                return Err(TreesError::unsupported(what));
            }
        };
        model.ok_or_else(|| malformed("its booster has no model"))
    }
}

impl Model {
    fn trees(&self) -> Result<Vec<Tree>, TreesError> {
        if self.tree_info.len() != self.trees.len() {
            let (groups, trees) = (self.tree_info.len(), self.trees.len());
            let reason = format!("it has outputs of {groups} trees, and {trees} trees");
            return Err(malformed(reason));
        }
        let mut words = MOST_WORDS;
        let trees = self.trees.iter().zip(&self.tree_info).enumerate();
        trees
            .map(|(at, (columns, group))| columns.tree(at, *group, &mut words))
            .collect()
    }
}

impl Columns {
    fn tree(&self, at: usize, group: i32, words: &mut usize) -> Result<Tree, TreesError> {
        let (sets, set_of) = self.sets(at, words)?;
        let vectors = self.vectors();
        let mut values: Vec<f64> = match &vectors {
            Some(vectors) => vectors
                .weights
                .iter()
                .map(|weight| f64::from(weight.0))
                .collect(),
            None => Vec::new(),
        };
        let mut nodes = Vec::with_capacity(self.left_children.len());
        for (node, set) in set_of.into_iter().enumerate() {
            let broken = |reason: &str| TreesError::node(at, node, reason);
            let raw = self
                .raw(node)
                .ok_or_else(|| broken("a column has no place for it"))?;
            nodes.push(if !raw.is_leaf() {
                let test = self.test(node, &raw, set);
                raw.split(test.ok_or_else(|| broken("it has no categories"))?)
            } else if let Some(vectors) = &vectors {
                let first = vectors.first(node, &raw);
                Node::Leaf(first.ok_or_else(|| broken("it has no vector"))?)
            } else {
                values.push(f64::from(raw.number));
                Node::Leaf(values.len() as u32 - 1)
            });
        }
        let target = match vectors {
            Some(_) => Target::Every,
            None => target(at, group)?,
        };
        Ok(Tree {
            nodes,
            values,
            sets,
            target,
        })
    }

    fn test(&self, node: usize, raw: &Raw, set: Option<u32>) -> Option<Test> {
        let kind = self.split_type.get(node).copied().unwrap_or_default();
        if kind != CATEGORICAL {
            return Some(Test::Below(f64::from(raw.number)));
        }
        let members_left = false;
        set.map(|set| Test::Among { set, members_left })
    }

    fn vectors(&self) -> Option<Vectors<'_>> {
        let width = self.tree_param.size_leaf_vector.0;
        let only_leaves = !self.leaf_weights.is_empty();
        let weights = match only_leaves {
            true => &self.leaf_weights,
            false => &self.base_weights,
        };
        (width > 1).then_some(Vectors {
            weights,
            width,
            only_leaves,
        })
    }

    fn raw(&self, node: usize) -> Option<Raw> {
        Some(Raw {
            left: *self.left_children.get(node)?,
            right: *self.right_children.get(node)?,
            feature: self.split_indices.get(node)?.0,
            default_left: self.default_left.get(node)?.0,
            number: self.split_conditions.get(node)?.0,
        })
    }

    /// The sets of categories, and which one each node has.
    fn sets(
        &self,
        at: usize,
        words: &mut usize,
    ) -> Result<(Vec<CategorySet>, Vec<Option<u32>>), TreesError> {
        let mut sets = Vec::new();
        let mut set_of = vec![None; self.left_children.len()];
        for (place, node) in self.categories_nodes.iter().enumerate() {
            let node = node.0 as usize;
            let broken = |reason: &str| TreesError::node(at, node, reason);
            let segment = self.segment(place);
            let segment = segment.ok_or_else(|| broken("its categories are not there"))?;
            let slot = set_of.get_mut(node);
            *slot.ok_or_else(|| broken("there is no such node"))? = Some(sets.len() as u32);
            sets.push(set(segment, words).map_err(broken)?);
        }
        Ok((sets, set_of))
    }

    fn segment(&self, place: usize) -> Option<&[Count]> {
        let from = self.categories_segments.get(place)?.0 as usize;
        let size = self.categories_sizes.get(place)?.0 as usize;
        self.categories.get(from..)?.get(..size)
    }
}

/// The vectors of a tree's leaves, one after another.
struct Vectors<'a> {
    weights: &'a [Single],
    width: u32,
    only_leaves: bool,
}

impl Vectors<'_> {
    /// Where a leaf's vector begins. If splits have none, a leaf keeps its
    /// place among the leaves as its right child.
    fn first(&self, node: usize, raw: &Raw) -> Option<u32> {
        let place = match self.only_leaves {
            true => u32::try_from(raw.right).ok()?,
            false => u32::try_from(node).ok()?,
        };
        place.checked_mul(self.width)
    }
}

fn set(categories: &[Count], words: &mut usize) -> Result<CategorySet, &'static str> {
    let largest = categories.iter().map(|category| category.0).max();
    if largest.is_some_and(|largest| largest >= CATEGORIES) {
        return Err("one of its categories is larger than XGBoost allows");
    }
    let length = largest.map_or(0, |largest| largest as usize / 32 + 1);
    *words = words
        .checked_sub(length + categories.len())
        .ok_or("the model's sets of categories take too much memory")?;
    let mut bits = vec![0; length];
    for category in categories {
        bits[category.0 as usize / 32] |= 1 << (category.0 % 32);
    }
    Ok(CategorySet::from_words(bits))
}
