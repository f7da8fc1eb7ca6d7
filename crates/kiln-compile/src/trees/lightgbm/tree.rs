//! One tree of LightGBM's text. Its splits come first and its leaves after
//! them: a child of -1 is leaf 0, one of -2 leaf 1.

use crate::trees::{CategorySet, Missing, Node, Split, Target, Test, Tree, TreesError};

use super::section::Section;

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;

pub(super) fn read(at: usize, group: u32, section: &Section<'_>) -> Result<Tree, TreesError> {
    if section
        .get("is_linear")
        .is_some_and(|linear| linear.trim() == "1")
    {
        return Err(TreesError::unsupported("linear trees"));
    }
    let values: Vec<f64> = section.numbers("leaf_value")?;
    let leaves: usize = section.number("num_leaves")?;
    if leaves == 0 || leaves != values.len() {
        let reason = format!("it has {} values for {leaves} leaves", values.len());
        return Err(TreesError::tree(at, reason));
    }
    let columns = Columns::read(section)?;
    let splits = leaves - 1;
    let sets = sets(at, section)?;
    let mut nodes = Vec::with_capacity(splits + leaves);
    for node in 0..splits {
        let split = columns.split(node, splits);
        nodes.push(Node::Split(
            split.map_err(|reason| TreesError::node(at, node, reason))?,
        ));
    }
    nodes.extend((0..leaves as u32).map(Node::Leaf));
    Ok(Tree {
        nodes,
        values,
        sets,
        target: Target::Group(group),
    })
}

/// A line for each fact about the splits.
struct Columns {
    features: Vec<u32>,
    thresholds: Vec<f64>,
    decisions: Vec<u8>,
    left: Vec<i32>,
    right: Vec<i32>,
}

impl Columns {
    fn read(section: &Section<'_>) -> Result<Self, TreesError> {
        Ok(Self {
            features: section.numbers("split_feature")?,
            thresholds: section.numbers("threshold")?,
            decisions: section.numbers("decision_type")?,
            left: section.numbers("left_child")?,
            right: section.numbers("right_child")?,
        })
    }

    fn split(&self, node: usize, splits: usize) -> Result<Split, String> {
        let absent = |column: &str| format!("there is no {column} for it");
        let threshold = *self
            .thresholds
            .get(node)
            .ok_or_else(|| absent("threshold"))?;
        let decision = *self
            .decisions
            .get(node)
            .ok_or_else(|| absent("decision type"))?;
        let left = *self.left.get(node).ok_or_else(|| absent("left child"))?;
        let right = *self.right.get(node).ok_or_else(|| absent("right child"))?;
        let is_categorical = decision & CATEGORICAL != 0;
        Ok(Split {
            feature: *self.features.get(node).ok_or_else(|| absent("feature"))?,
            test: match is_categorical {
                true => among(threshold)?,
                false => Test::AtMost(threshold),
            },
            // A missing category is in no set, and so goes to the right.
            missing: match is_categorical {
                true => Missing::Nan,
                false => missing(decision)?,
            },
            missing_left: !is_categorical && decision & DEFAULT_LEFT != 0,
            left: place(left, splits)?,
            right: place(right, splits)?,
        })
    }
}

/// For a categorical split, the threshold is the place of its set.
fn among(threshold: f64) -> Result<Test, String> {
    if !(0.0..f64::from(u32::MAX)).contains(&threshold) {
        return Err(format!("{threshold} is no place of a set of categories"));
    }
    Ok(Test::Among {
        set: threshold as u32,
        members_left: true,
    })
}

fn missing(decision: u8) -> Result<Missing, String> {
    match decision >> 2 & 3 {
        0 => Ok(Missing::Never),
        1 => Ok(Missing::NanOrZero),
        2 => Ok(Missing::Nan),
        _ => Err(format!("its decision type {decision} has no meaning")),
    }
}

/// A child's place among the nodes. One that no tree has is refused with the
/// other ways that lead nowhere.
fn place(child: i32, splits: usize) -> Result<u32, String> {
    let place = match usize::try_from(child) {
        Ok(split) if split < splits => split,
        Ok(_) => return Err(format!("its child {child} is beyond the last split")),
        Err(_) => splits + !child as usize,
    };
    u32::try_from(place).map_err(|_| format!("its child {child} is no node"))
}

fn sets(at: usize, section: &Section<'_>) -> Result<Vec<CategorySet>, TreesError> {
    let boundaries: Vec<usize> = section.numbers("cat_boundaries")?;
    let words: Vec<u32> = section.numbers("cat_threshold")?;
    let set = |pair: &[usize]| {
        let words = words.get(pair[0]..pair[1]);
        let reason = "its sets of categories are not there";
        let words = words.ok_or_else(|| TreesError::tree(at, reason))?;
        Ok(CategorySet::from_words(words.to_vec()))
    };
    boundaries.windows(2).map(set).collect()
}
