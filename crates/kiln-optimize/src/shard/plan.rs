//! Which part of which tensor goes where: the names and shapes that vLLM gives its
//! parameters on each rank.
//!
//! Queries, keys and values are one parameter, and so are the gate and the way up. What
//! makes outputs is cut by rows, what takes them in by columns, the vocabulary by tokens;
//! norms and the biases of what is cut by columns are everywhere. If there are fewer heads
//! of keys than ranks, several ranks have the same ones.

use std::ops::Range;

use super::{limits, vocabulary};
use crate::OptimizeError;
use crate::model::{Family, Geometry, Model};
use crate::safetensors::{Tensor, TensorSpec};

/// What no runtime has as a parameter: it is computed.
const COMPUTED: [&str; 3] = [
    "rotary_emb.inv_freq",
    "rotary_emb.cos_cached",
    "rotary_emb.sin_cached",
];

/// What goes where.
#[derive(Debug)]
pub(super) struct Plan {
    /// The tensors of each rank.
    pub(super) ranks: Vec<Vec<Sharded>>,
    /// Where the parts of each of the model's tensors go.
    pub(super) destinations: Vec<Vec<Destination>>,
    /// How many layers there are.
    pub(super) layers: usize,
}

/// A tensor of a rank.
#[derive(Debug)]
pub(super) struct Sharded {
    pub(super) spec: TensorSpec,
    /// Its bytes that come from nowhere and are zero.
    pub(super) padding: Range<u64>,
}

/// A rectangle of a tensor and its place in one of a rank's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) rank: usize,
    /// Which of the rank's tensors.
    pub(super) tensor: usize,
    /// The first byte in it.
    pub(super) at: u64,
    /// The rows of the source.
    pub(super) rows: Range<usize>,
    /// The bytes of each row.
    pub(super) columns: Range<usize>,
}

impl Plan {
    /// What becomes of the model on so many ranks, if it can be cut so.
    pub(super) fn new(model: &Model, ranks: usize) -> Result<Self, OptimizeError> {
        let geometry = model.expect(Family::DECODERS, "be sharded")?;
        limits::check(model, geometry, ranks)?;
        let mut drawing = Drawing {
            model,
            geometry,
            ranks,
            plan: Self {
                ranks: (0..ranks).map(|_| Vec::new()).collect(),
                destinations: vec![Vec::new(); model.tensors().len()],
                layers: geometry.layers,
            },
        };
        drawing.vocabulary()?;
        for layer in 0..geometry.layers {
            drawing.layer(layer)?;
        }
        drawing.everywhere("norm.weight", "model.norm.weight")?;
        drawing.plan.refuse_strangers(model)?;
        Ok(drawing.plan)
    }

    /// Everything that the model has must have found its place.
    fn refuse_strangers(&self, model: &Model) -> Result<(), OptimizeError> {
        let placed = self.destinations.iter().zip(model.tensors());
        for (places, tensor) in placed {
            let computed = COMPUTED.iter().any(|name| tensor.name.ends_with(name));
            let tied = is_tied_head(model, tensor);
            if places.is_empty() && !computed && !tied {
                return Err(OptimizeError::Unsupported(format!(
                    "the model has the tensor {}, which vLLM's sharded_state has no place for",
                    tensor.name
                )));
            }
        }
        Ok(())
    }
}

/// A second copy of the embeddings, which some models are saved with.
fn is_tied_head(model: &Model, tensor: &Tensor) -> bool {
    let geometry = model.config().geometry.as_ref();
    tensor.name == "lm_head.weight" && geometry.is_some_and(|geometry| geometry.tied)
}

/// A part of one of the model's tensors that becomes a part of a rank's.
struct Piece<'a> {
    tensor: &'a Tensor,
    number: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

/// A plan while it is made.
struct Drawing<'a> {
    model: &'a Model,
    geometry: &'a Geometry,
    ranks: usize,
    plan: Plan,
}

impl<'a> Drawing<'a> {
    fn find(&self, name: &str) -> Result<(usize, &'a Tensor), OptimizeError> {
        let tensors = self.model.tensors();
        let found = tensors.binary_search_by(|tensor| tensor.name.as_str().cmp(name));
        match found {
            Ok(number) => Ok((number, &tensors[number])),
            Err(_) => Err(OptimizeError::Model(format!(
                "the model has no tensor {name}, which its config.json calls for"
            ))),
        }
    }

    /// The embeddings and the head, or once both if they are one: then vLLM keeps the name
    /// that comes first.
    fn vocabulary(&mut self) -> Result<(), OptimizeError> {
        let embeddings = format!("{}embed_tokens.weight", self.model.prefix());
        let named = match self.geometry.tied {
            true => vec![(embeddings.as_str(), "lm_head.weight")],
            false => vec![
                (embeddings.as_str(), "model.embed_tokens.weight"),
                ("lm_head.weight", "lm_head.weight"),
            ],
        };
        for (source, name) in named {
            let (number, tensor) = self.find(source)?;
            refuse_shape(tensor, &[self.geometry.vocabulary, self.geometry.hidden])?;
            for rank in 0..self.ranks {
                let part = vocabulary::part(self.geometry.vocabulary, self.ranks, rank);
                let Some((height, rows)) = part else { continue };
                let piece = whole_rows(tensor, number, rows);
                self.place(rank, name, height, vec![piece])?;
            }
        }
        Ok(())
    }

    fn layer(&mut self, layer: usize) -> Result<(), OptimizeError> {
        let source = self.model.layer_prefix(layer);
        limits::check_biases(self.model, self.geometry, &source)?;
        let target = format!("model.layers.{layer}.");
        let queries = self.geometry.heads * self.geometry.head_dim / self.ranks;
        for end in ["weight", "bias"] {
            let parts = ["q", "k", "v"].map(|part| format!("{source}self_attn.{part}_proj.{end}"));
            self.fused(&parts, &format!("{target}self_attn.qkv_proj.{end}"))?;
            let parts = ["gate", "up"].map(|part| format!("{source}mlp.{part}_proj.{end}"));
            self.fused(&parts, &format!("{target}mlp.gate_up_proj.{end}"))?;
        }
        self.by_columns(&source, &target, "self_attn.o_proj", queries)?;
        let inner = self.geometry.intermediate / self.ranks;
        self.by_columns(&source, &target, "mlp.down_proj", inner)?;
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            let name = format!("layers.{layer}.{norm}.weight");
            self.everywhere(&name, &format!("model.{name}"))?;
        }
        for norm in ["self_attn.q_norm", "self_attn.k_norm"] {
            if self.model.config().family == Family::Qwen3 {
                let name = format!("layers.{layer}.{norm}.weight");
                self.everywhere(&name, &format!("model.{name}"))?;
            }
        }
        Ok(())
    }

    /// What makes outputs side by side becomes one, cut by rows. Biases are there for all
    /// or for none.
    fn fused(&mut self, sources: &[String], name: &str) -> Result<(), OptimizeError> {
        let is_bias = name.ends_with(".bias");
        if is_bias
            && sources
                .iter()
                .all(|source| self.model.find(source).is_none())
        {
            return Ok(());
        }
        let found = sources
            .iter()
            .map(|source| self.find(source))
            .collect::<Result<Vec<_>, _>>()?;
        for rank in 0..self.ranks {
            let mut pieces = Vec::new();
            for (part, (number, tensor)) in found.iter().enumerate() {
                let rows = self.rows(part, found.len(), rank);
                if rows.end > tensor.shape.first().copied().unwrap_or(0) {
                    return Err(ill_shaped(tensor));
                }
                pieces.push(whole_rows(tensor, *number, rows));
            }
            let height = pieces.iter().map(|piece| piece.rows.len()).sum();
            self.place(rank, name, height, pieces)?;
        }
        Ok(())
    }

    /// The rows that a rank has of one of `parts` that are fused: three with heads, or two
    /// of the feed-forward layer.
    fn rows(&self, part: usize, parts: usize, rank: usize) -> Range<usize> {
        let width = self.geometry.head_dim;
        let (rank, height) = match (parts, part) {
            (3, 0) => (rank, self.geometry.heads / self.ranks * width),
            (3, _) => {
                let heads = (self.geometry.kv_heads / self.ranks).max(1);
                let alike = (self.ranks / self.geometry.kv_heads).max(1);
                (rank / alike, heads * width)
            }
            _ => (rank, self.geometry.intermediate / self.ranks),
        };
        rank * height..(rank + 1) * height
    }

    /// What takes in what was cut by rows is cut by columns; its bias is added once, and
    /// so is whole.
    fn by_columns(
        &mut self,
        source: &str,
        target: &str,
        name: &str,
        width: usize,
    ) -> Result<(), OptimizeError> {
        let (number, tensor) = self.find(&format!("{source}{name}.weight"))?;
        let height = tensor.shape[0];
        let bytes = width * tensor.dtype.size();
        for rank in 0..self.ranks {
            let piece = Piece {
                tensor,
                number,
                rows: 0..height,
                columns: rank * bytes..(rank + 1) * bytes,
            };
            self.place(rank, &format!("{target}{name}.weight"), height, vec![piece])?;
        }
        let bias = format!("{source}{name}.bias");
        match self.model.find(&bias).is_some() {
            true => self.copy(&bias, &format!("{target}{name}.bias")),
            false => Ok(()),
        }
    }

    fn everywhere(&mut self, source: &str, name: &str) -> Result<(), OptimizeError> {
        let source = format!("{}{source}", self.model.prefix());
        self.copy(&source, name)
    }

    fn copy(&mut self, source: &str, name: &str) -> Result<(), OptimizeError> {
        let (number, tensor) = self.find(source)?;
        let height = tensor.shape.first().copied().unwrap_or(0);
        if tensor.shape.len() != 1 {
            return Err(ill_shaped(tensor));
        }
        for rank in 0..self.ranks {
            let piece = whole_rows(tensor, number, 0..height);
            self.place(rank, name, height, vec![piece])?;
        }
        Ok(())
    }

    /// Makes a tensor of a rank of the pieces, one below the other.
    fn place(
        &mut self,
        rank: usize,
        name: &str,
        height: usize,
        pieces: Vec<Piece<'a>>,
    ) -> Result<(), OptimizeError> {
        let first = pieces[0].tensor;
        if let Some(other) = pieces
            .iter()
            .find(|piece| piece.tensor.dtype != first.dtype)
        {
            return Err(OptimizeError::Unsupported(format!(
                "the tensors {} and {} become one, but one holds {:?} and the other {:?}",
                first.name, other.tensor.name, first.dtype, other.tensor.dtype
            )));
        }
        let width = pieces[0].columns.len();
        let mut shape = vec![height];
        if first.shape.len() > 1 {
            shape.push(width / first.dtype.size());
        }
        let tensor = self.plan.ranks[rank].len();
        let mut at = 0;
        for piece in pieces {
            let bytes = (piece.rows.len() * width) as u64;
            self.plan.destinations[piece.number].push(Destination {
                rank,
                tensor,
                at,
                rows: piece.rows,
                columns: piece.columns,
            });
            at += bytes;
        }
        self.plan.ranks[rank].push(Sharded {
            spec: TensorSpec {
                name: name.to_owned(),
                dtype: first.dtype,
                shape,
            },
            padding: at..(height * width) as u64,
        });
        Ok(())
    }
}

fn whole_rows(tensor: &Tensor, number: usize, rows: Range<usize>) -> Piece<'_> {
    let columns: usize = tensor.shape.iter().skip(1).product();
    Piece {
        tensor,
        number,
        rows,
        columns: 0..columns * tensor.dtype.size(),
    }
}

fn refuse_shape(tensor: &Tensor, expected: &[usize]) -> Result<(), OptimizeError> {
    match tensor.shape == expected {
        true => Ok(()),
        false => Err(ill_shaped(tensor)),
    }
}

fn ill_shaped(tensor: &Tensor) -> OptimizeError {
    OptimizeError::Model(format!(
        "the tensor {} has the shape {:?}, which does not go with config.json",
        tensor.name, tensor.shape
    ))
}
