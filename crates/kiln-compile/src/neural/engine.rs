//! The seam that engines stand behind: a network goes in, files that a loader opens come
//! out. Which of several ways to build it is kept, the caller's judge decides.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kiln_graph::model::{Element, Model, Type};

use super::compiler::Mlir;
use super::{NeuralError, Signature};

/// A network that is to be built.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The network in IREE's torch-onnx form.
    pub mlir: Mlir<'a>,
    /// Its inputs and outputs.
    pub signature: &'a Signature,
    /// What matters for how it is built.
    pub traits: Traits,
}

/// What of a network matters for how it is built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traits {
    /// It has convolutions, which most ways to build differ in.
    pub convolutions: bool,
    /// It computes with numbers of 64 bits.
    pub doubles: bool,
}

impl Traits {
    /// Those of a network whose types are all known.
    #[must_use]
    pub fn of(model: &Model) -> Self {
        let graph = &model.graph;
        let mut nodes = graph.nodes.iter();
        let values = graph.inputs.iter().chain(&graph.outputs);
        let mut types = graph
            .types
            .values()
            .chain(values.filter_map(|value| value.ty.as_ref()));
        let is_double = |ty: &Type| ty.as_tensor().is_some_and(|ty| ty.element == Element::F64);
        let mut constants = graph.initializers.values();
        Self {
            convolutions: nodes.any(|node| node.operator.contains("Conv")),
            doubles: types.any(is_double)
                || constants.any(|constant| constant.element() == Element::F64),
        }
    }
}

/// What came of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It answers as it should, one run in this time.
    Holds(Duration),
    /// It does not, for this reason.
    Fails(String),
    /// Its first run took so long that it was not looked at further.
    TooSlow(Duration),
}

/// Looks at a candidate: a folder with all that is built. The judge may add files that
/// it needs to open it; they stay if the candidate is kept. One whose first run takes
/// longer than the given time has lost already.
pub type Judge<'a> = dyn FnMut(&Path, Option<Duration>) -> Verdict + 'a;

/// How far a build may go.
pub struct Trials<'a> {
    /// Candidates are made below this folder, which is empty.
    pub scratch: &'a Path,
    /// None where the target cannot run here: the most promising way is taken unseen.
    pub judge: Option<&'a mut Judge<'a>>,
    /// Where lines about the progress go.
    pub log: &'a mut dyn FnMut(&str),
}

/// A way that was tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its name.
    pub name: String,
    /// How long the build took.
    pub build: Duration,
    /// One run of it, if it was judged and held.
    pub run: Option<Duration>,
    /// Why it was not kept, if it could not be.
    pub failure: Option<String>,
}

/// What was built.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// The folder with its files, below the scratch folder.
    pub folder: PathBuf,
    /// The name of the way that was kept.
    pub kept: String,
    /// All ways that were tried.
    pub trials: Vec<Trial>,
    /// What the model's owner should know.
    pub remarks: Vec<String>,
    /// The release of what has built it.
    pub release: String,
}

/// Builds networks for one device.
pub trait Engine {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Builds a network.
    fn build(&self, network: &Network<'_>, trials: &mut Trials<'_>) -> Result<Built, NeuralError>;
}
