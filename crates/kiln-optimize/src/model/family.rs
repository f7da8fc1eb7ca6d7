//! The families of models whose inner structure is known, and how they name things.

use crate::safetensors::Tensor;

/// A family of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Decoders with rotary positions and gated feed-forward layers.
    Llama,
    /// Llama's structure, perhaps with a sliding window.
    Mistral,
    /// Llama's structure with biases on queries, keys and values.
    Qwen2,
    /// Llama's structure with norms on queries and keys.
    Qwen3,
    /// Encoders with learned positions.
    Bert,
    /// BERT's structure, whose positions begin behind the padding's number.
    Roberta,
    /// Anything else.
    Other,
}

impl Family {
    /// The decoders among them.
    pub const DECODERS: &[Self] = &[Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// The family of a `model_type`.
    #[must_use]
    pub fn of(model_type: &str) -> Self {
        match model_type {
            "llama" => Self::Llama,
            "mistral" => Self::Mistral,
            "qwen2" => Self::Qwen2,
            "qwen3" => Self::Qwen3,
            "bert" => Self::Bert,
            "roberta" | "xlm-roberta" | "camembert" => Self::Roberta,
            _ => Self::Other,
        }
    }

    /// Whether it is a decoder of the structure that Llama began.
    #[must_use]
    pub fn is_decoder(self) -> bool {
        Self::DECODERS.contains(&self)
    }

    /// Whether it is an encoder of BERT's structure.
    #[must_use]
    pub fn is_encoder(self) -> bool {
        matches!(self, Self::Bert | Self::Roberta)
    }

    /// What stands between the prefix and a layer's number in the names of tensors.
    pub(super) fn layers(self) -> &'static str {
        match self.is_encoder() {
            true => "encoder.layer.",
            false => "layers.",
        }
    }

    /// The linear layers of a layer in the order in which data flows through them.
    pub(super) fn linears(self) -> &'static [&'static str] {
        match self {
            Self::Bert | Self::Roberta => &[
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "intermediate.dense",
                "output.dense",
            ],
            Self::Llama | Self::Mistral | Self::Qwen2 | Self::Qwen3 => &[
                "self_attn.q_proj",
                "self_attn.k_proj",
                "self_attn.v_proj",
                "self_attn.o_proj",
                "mlp.gate_proj",
                "mlp.up_proj",
                "mlp.down_proj",
            ],
            Self::Other => &[],
        }
    }
}

/// What stands before the names of a family's tensors, which depends on what the model's
/// body was saved with.
pub(super) fn prefix(family: Family, tensors: &[Tensor]) -> String {
    let Some(first) = family.linears().first() else {
        return String::new();
    };
    let suffix = format!("{}0.{first}.weight", family.layers());
    let prefixes = tensors
        .iter()
        .filter_map(|tensor| tensor.name.strip_suffix(&suffix));
    prefixes
        .min_by_key(|prefix| prefix.len())
        .unwrap_or_default()
        .to_owned()
}
