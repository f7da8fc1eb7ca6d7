//! One layer of a model: what it computes between its linear layers.
//!
//! Decoders and encoders alike do four steps, each of which multiplies some rows by the
//! weights of linear layers that share their input. Decoders norm what goes into a step,
//! encoders what comes out of one.

use super::forward::{Activation, Heads, Rotations, Sight, attend, root_mean_square};
use super::weights::{Vectors, look_up};
use crate::OptimizeError;
use crate::model::{Family, Geometry, Model, Scaling};

/// A part of a layer that ends with linear layers and what is done with their output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Queries, keys and values, and the attention.
    Attend,
    /// The attention's output, which is added to what flows.
    Project,
    /// The first half of the feed-forward layer.
    Widen,
    /// Its second half, which is added to what flows.
    Narrow,
}

impl Step {
    /// The steps in their order.
    pub const ALL: [Self; 4] = [Self::Attend, Self::Project, Self::Widen, Self::Narrow];

    /// The step after it, in the same layer.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The linear layers of the step.
    #[must_use]
    pub fn linears(self, family: Family) -> &'static [&'static str] {
        match (self, family.is_encoder()) {
            (Self::Attend, false) => &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
            (Self::Project, false) => &["self_attn.o_proj"],
            (Self::Widen, false) => &["mlp.gate_proj", "mlp.up_proj"],
            (Self::Narrow, false) => &["mlp.down_proj"],
            (Self::Attend, true) => &[
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
            ],
            (Self::Project, true) => &["attention.output.dense"],
            (Self::Widen, true) => &["intermediate.dense"],
            (Self::Narrow, true) => &["output.dense"],
        }
    }

    /// How many columns the step's linear layers have.
    #[must_use]
    pub fn columns(self, geometry: &Geometry) -> usize {
        match self {
            Self::Attend | Self::Widen => geometry.hidden,
            Self::Project => geometry.heads * geometry.head_dim,
            Self::Narrow => geometry.intermediate,
        }
    }
}

/// What the layers of a model have in common.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its measures.
    pub geometry: &'a Geometry,
    activation: Activation,
    rotations: Option<Rotations>,
}

impl<'a> Plan<'a> {
    /// Understands a model whose samples have at most `longest` tokens.
    pub fn new(model: &'a Model, longest: usize) -> Result<Self, OptimizeError> {
        let families = [
            Family::Llama,
            Family::Mistral,
            Family::Qwen2,
            Family::Qwen3,
            Family::Bert,
            Family::Roberta,
        ];
        let geometry = model.expect(&families, "be calibrated")?;
        let Some(activation) = Activation::named(&geometry.activation) else {
            return Err(OptimizeError::Unsupported(format!(
                "a model with the activation '{}' cannot be calibrated",
                geometry.activation
            )));
        };
        let rotations = match &geometry.rope {
            Some(rope) => {
                if let Scaling::Other(name) = &rope.scaling {
                    return Err(OptimizeError::Unsupported(format!(
                        "a model whose positions are scaled by '{name}' cannot be calibrated"
                    )));
                }
                Some(Rotations::new(rope, geometry.head_dim, longest))
            }
            None => None,
        };
        Ok(Self {
            model,
            geometry,
            activation,
            rotations,
        })
    }

    /// The names of a step's linear layers in a layer.
    #[must_use]
    pub fn modules(&self, layer: usize, step: Step) -> Vec<String> {
        let prefix = self.model.layer_prefix(layer);
        let linears = step.linears(self.model.config().family);
        linears
            .iter()
            .map(|linear| format!("{prefix}{linear}"))
            .collect()
    }

    /// How many tokens a sample may have, if it is to have at most `wanted`.
    #[must_use]
    pub fn longest(&self, wanted: usize) -> usize {
        match self.geometry.positions.filter(|_| self.is_encoder()) {
            Some(positions) => wanted.min(positions.saturating_sub(self.first_position())),
            None => wanted,
        }
    }

    /// What flows into the first layer for the tokens of a sample.
    pub fn embed(&self, tokens: &[u32]) -> Result<Vec<f32>, OptimizeError> {
        let (model, prefix) = (self.model, self.model.prefix());
        let mut rows = vec![0f32; tokens.len() * self.geometry.hidden];
        let mut add_rows = |table: &str, numbers: &[usize]| {
            look_up(
                model,
                &format!("{prefix}{table}.weight"),
                numbers,
                &mut |at, row| {
                    add(&mut rows[at * row.len()..(at + 1) * row.len()], row);
                },
            )
        };
        let numbers: Vec<usize> = tokens.iter().map(|token| *token as usize).collect();
        if !self.is_encoder() {
            add_rows("embed_tokens", &numbers)?;
            return Ok(rows);
        }
        add_rows("embeddings.word_embeddings", &numbers)?;
        let first = self.first_position();
        let positions: Vec<usize> = (first..first + tokens.len()).collect();
        add_rows("embeddings.position_embeddings", &positions)?;
        add_rows("embeddings.token_type_embeddings", &vec![0; tokens.len()])?;
        let names = ["LayerNorm.weight", "LayerNorm.bias"];
        let norm = Vectors::named(model, &format!("{prefix}embeddings."), &names)?;
        norm.norm(&mut rows, "LayerNorm", self.geometry.epsilon);
        Ok(rows)
    }

    /// Applies the norm over what flows out of the last layer, where there is one.
    pub fn finish(&self, rows: &mut [f32]) -> Result<(), OptimizeError> {
        if !self.is_encoder() {
            let norm = Vectors::named(self.model, self.model.prefix(), &["norm.weight"])?;
            norm.norm(rows, "norm", self.geometry.epsilon);
        }
        Ok(())
    }

    /// The position of a sample's first token.
    fn first_position(&self) -> usize {
        match self.model.config().family {
            Family::Roberta => self.geometry.padding.map_or(2, |padding| padding + 1),
            _ => 0,
        }
    }

    /// Whether tokens look at all others, and a sample has one meaning.
    #[must_use]
    pub fn is_encoder(&self) -> bool {
        self.model.config().family.is_encoder()
    }

    /// Where tokens of a layer look.
    fn sight(&self, layer: usize) -> Sight {
        if self.is_encoder() {
            return Sight::Everywhere;
        }
        let config = &self.model.config().raw;
        let kinds = config.get("layer_types").and_then(|kinds| kinds.as_array());
        let slides = match kinds.and_then(|kinds| kinds.get(layer)?.as_str()) {
            Some(kind) => kind == "sliding_attention",
            None => match self.model.config().family {
                Family::Qwen2 | Family::Qwen3 => {
                    let full = config
                        .get("max_window_layers")
                        .and_then(|count| count.as_u64());
                    full.is_some_and(|full| layer as u64 >= full)
                }
                _ => true,
            },
        };
        Sight::Back(self.geometry.sliding_window.filter(|_| slides))
    }
}

/// A layer's norms and biases, with what they need to be applied.
#[derive(Debug)]
pub struct Layer<'a> {
    plan: &'a Plan<'a>,
    index: usize,
    sight: Sight,
    vectors: Vectors,
}

impl<'a> Layer<'a> {
    /// Reads a layer's vectors.
    pub fn read(plan: &'a Plan<'a>, index: usize) -> Result<Self, OptimizeError> {
        Ok(Self {
            plan,
            index,
            sight: plan.sight(index),
            vectors: Vectors::read(plan.model, &plan.model.layer_prefix(index))?,
        })
    }

    /// Its number.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The norms and biases.
    pub fn vectors_mut(&mut self) -> &mut Vectors {
        &mut self.vectors
    }

    /// The bias of a linear layer, if it has one.
    #[must_use]
    pub fn bias(&self, module: &str) -> Option<&[f32]> {
        self.vectors.find_whole(&format!("{module}.bias"))
    }

    /// Makes of what flows into a layer what its first step multiplies.
    pub fn before_attention(&self, rows: &mut [f32]) {
        if !self.plan.is_encoder() {
            self.norm(rows, "input_layernorm");
        }
    }

    /// Makes of what flows in the middle of a layer what its third step multiplies.
    pub fn before_widening(&self, rows: &mut [f32]) {
        if !self.plan.is_encoder() {
            self.norm(rows, "post_attention_layernorm");
        }
    }

    /// Attends with queries, keys and values.
    #[must_use]
    pub fn attend(
        &self,
        lengths: &[usize],
        mut projected: Vec<Vec<f32>>,
        threads: usize,
    ) -> Vec<f32> {
        let geometry = self.plan.geometry;
        for (rows, name) in projected
            .iter_mut()
            .zip(["self_attn.q_norm", "self_attn.k_norm"])
        {
            if let Some(weight) = self.vectors.find(&format!("{name}.weight")) {
                root_mean_square(rows, weight, geometry.epsilon);
            }
        }
        if let Some(rotations) = &self.plan.rotations {
            for (rows, count) in projected
                .iter_mut()
                .zip([geometry.heads, geometry.kv_heads])
            {
                turn_all(rotations, rows, count, geometry.head_dim, lengths);
            }
        }
        let heads = Heads {
            queries: geometry.heads,
            keys: geometry.kv_heads,
            width: geometry.head_dim,
            sight: self.sight,
        };
        attend(
            &heads,
            lengths,
            &projected[0],
            &projected[1],
            &projected[2],
            threads,
        )
    }

    /// Adds the attention's output to what flows.
    pub fn after_projection(&self, flowing: &mut [f32], output: &[f32]) {
        add(flowing, output);
        if self.plan.is_encoder() {
            self.norm(flowing, "attention.output.LayerNorm");
        }
    }

    /// What the second half of the feed-forward layer multiplies: the bent output of the
    /// first half, times that of the gate's companion where there is a gate.
    #[must_use]
    pub fn bend(&self, widened: Vec<Vec<f32>>) -> Vec<f32> {
        let mut widened = widened.into_iter();
        let mut bent = widened.next().unwrap_or_default();
        let activation = self.plan.activation;
        match widened.next() {
            Some(up) => {
                for (x, up) in bent.iter_mut().zip(&up) {
                    *x = activation.of(*x) * up;
                }
            }
            None => {
                for x in &mut bent {
                    *x = activation.of(*x);
                }
            }
        }
        bent
    }

    /// Adds the output of the feed-forward layer to what flows.
    pub fn after_narrowing(&self, flowing: &mut [f32], output: &[f32]) {
        add(flowing, output);
        if self.plan.is_encoder() {
            self.norm(flowing, "output.LayerNorm");
        }
    }

    fn norm(&self, rows: &mut [f32], name: &str) {
        self.vectors.norm(rows, name, self.plan.geometry.epsilon);
    }
}

fn turn_all(
    rotations: &Rotations,
    rows: &mut [f32],
    heads: usize,
    width: usize,
    lengths: &[usize],
) {
    let positions = lengths.iter().flat_map(|length| 0..*length);
    for (token, position) in rows.chunks_exact_mut(heads * width).zip(positions) {
        for head in token.chunks_exact_mut(width) {
            rotations.turn(head, position);
        }
    }
}

fn add(rows: &mut [f32], output: &[f32]) {
    for (x, y) in rows.iter_mut().zip(output) {
        *x += y;
    }
}
