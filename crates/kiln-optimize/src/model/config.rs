//! What `config.json` says: everything as it is there, and of known families the measures
//! as numbers.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::family::Family;
use super::rope::Rope;
use crate::OptimizeError;

/// Longer ones are not written by anyone.
const LONGEST: u64 = 16 << 20;

/// What `config.json` says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// All of it.
    pub raw: Map<String, Value>,
    /// `model_type`.
    pub model_type: String,
    /// The first of `architectures`, as in `LlamaForCausalLM`.
    pub architecture: Option<String>,
    /// The family that the `model_type` belongs to.
    pub family: Family,
    /// The measures of a known family's model.
    pub geometry: Option<Geometry>,
}

/// The measures of a decoder or encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// Width of what flows from layer to layer.
    pub hidden: usize,
    /// Width inside of the feed-forward layers.
    pub intermediate: usize,
    /// How many layers there are.
    pub layers: usize,
    /// How many heads queries have.
    pub heads: usize,
    /// How many heads keys and values have.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// How many tokens there are.
    pub vocabulary: usize,
    /// How many positions there are, if there is an end to them.
    pub positions: Option<usize>,
    /// What is added to a variance before its root is taken.
    pub epsilon: f64,
    /// The name of the activation, as in `silu`.
    pub activation: String,
    /// How positions rotate; encoders learn theirs.
    pub rope: Option<Rope>,
    /// How far back a token looks, if not to the beginning.
    pub sliding_window: Option<usize>,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the attention's output has a bias.
    pub output_bias: bool,
    /// Whether the feed-forward layers have biases.
    pub mlp_bias: bool,
    /// Whether the last layer has the embeddings' weights.
    pub tied: bool,
    /// The number of the padding's token.
    pub padding: Option<usize>,
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, OptimizeError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(OptimizeError::Model(
                    "there is no config.json directly under the model's prefix".to_owned(),
                ));
            }
            Err(error) => return Err(OptimizeError::read(path)(error)),
        };
        let size = file.metadata().map_err(OptimizeError::read(path))?.len();
        if size > LONGEST {
            return Err(OptimizeError::Config(format!(
                "has {size} bytes; more than {LONGEST} are not read"
            )));
        }
        let raw = serde_json::from_reader(BufReader::new(file).take(LONGEST))
            .map_err(|error| OptimizeError::Config(format!("is not a JSON object: {error}")))?;
        Self::parse(raw)
    }

    /// Understands it.
    pub fn parse(raw: Map<String, Value>) -> Result<Self, OptimizeError> {
        let model_type = text(&raw, "model_type")?.unwrap_or_default().to_owned();
        let architecture = match raw.get("architectures") {
            None | Some(Value::Null) => None,
            Some(Value::Array(names)) => names.first().and_then(Value::as_str).map(str::to_owned),
            Some(_) => return Err(wrong("architectures", "a list")),
        };
        let family = Family::of(&model_type);
        let geometry = match family {
            Family::Other => None,
            Family::Bert | Family::Roberta => Some(encoder(&raw)?),
            _ => Some(decoder(&raw, family)?),
        };
        Ok(Self {
            raw,
            model_type,
            architecture,
            family,
            geometry,
        })
    }

    /// How the model is quantized already, if it is.
    #[must_use]
    pub fn quantized(&self) -> Option<&str> {
        let quantization = ["quantization_config", "compression_config"]
            .iter()
            .find_map(|field| self.raw.get(*field)?.as_object())?;
        let method = quantization.get("quant_method").and_then(Value::as_str);
        Some(method.unwrap_or("a method without a name"))
    }
}

fn decoder(raw: &Map<String, Value>, family: Family) -> Result<Geometry, OptimizeError> {
    let hidden = needed(raw, "hidden_size")?;
    let heads = needed(raw, "num_attention_heads")?;
    let head_dim = match (count(raw, "head_dim")?, family) {
        (Some(width), _) => width,
        (None, Family::Qwen3) => 128,
        (None, _) if hidden % heads == 0 => hidden / heads,
        (None, _) => {
            return Err(OptimizeError::Config(format!(
                "has a hidden_size of {hidden}, which is no multiple of its {heads} heads, and no head_dim"
            )));
        }
    };
    if head_dim % 2 != 0 {
        return Err(OptimizeError::Config(format!(
            "has a head_dim of {head_dim}, whose halves cannot be rotated"
        )));
    }
    let kv_heads = count(raw, "num_key_value_heads")?.unwrap_or(heads);
    if heads % kv_heads != 0 {
        return Err(OptimizeError::Config(format!(
            "has {heads} heads, which is no multiple of its {kv_heads} heads of keys"
        )));
    }
    let bias = flag(raw, "attention_bias")?.unwrap_or(false);
    Ok(Geometry {
        hidden,
        intermediate: needed(raw, "intermediate_size")?,
        layers: needed(raw, "num_hidden_layers")?,
        heads,
        kv_heads,
        head_dim,
        vocabulary: needed(raw, "vocab_size")?,
        positions: count(raw, "max_position_embeddings")?,
        epsilon: number(raw, "rms_norm_eps")?.unwrap_or(1e-6),
        activation: text(raw, "hidden_act")?.unwrap_or("silu").to_owned(),
        rope: Some(Rope::of(raw)?),
        sliding_window: sliding_window(raw, family)?,
        qkv_bias: bias || family == Family::Qwen2,
        output_bias: bias && family != Family::Qwen2,
        mlp_bias: flag(raw, "mlp_bias")?.unwrap_or(false),
        tied: flag(raw, "tie_word_embeddings")?.unwrap_or(false),
        padding: token(raw, "pad_token_id")?,
    })
}

/// Llama has none whatever its file says, and Qwen's only counts if it is switched on.
fn sliding_window(
    raw: &Map<String, Value>,
    family: Family,
) -> Result<Option<usize>, OptimizeError> {
    let counts = match family {
        Family::Mistral => true,
        Family::Qwen2 | Family::Qwen3 => flag(raw, "use_sliding_window")?.unwrap_or(false),
        _ => false,
    };
    match counts {
        true => count(raw, "sliding_window"),
        false => Ok(None),
    }
}

fn encoder(raw: &Map<String, Value>) -> Result<Geometry, OptimizeError> {
    let hidden = needed(raw, "hidden_size")?;
    let heads = needed(raw, "num_attention_heads")?;
    if hidden % heads != 0 {
        return Err(OptimizeError::Config(format!(
            "has a hidden_size of {hidden}, which is no multiple of its {heads} heads"
        )));
    }
    Ok(Geometry {
        hidden,
        intermediate: needed(raw, "intermediate_size")?,
        layers: needed(raw, "num_hidden_layers")?,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads,
        vocabulary: needed(raw, "vocab_size")?,
        positions: Some(count(raw, "max_position_embeddings")?.unwrap_or(512)),
        epsilon: number(raw, "layer_norm_eps")?.unwrap_or(1e-12),
        activation: text(raw, "hidden_act")?.unwrap_or("gelu").to_owned(),
        rope: None,
        sliding_window: None,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        tied: flag(raw, "tie_word_embeddings")?.unwrap_or(true),
        padding: token(raw, "pad_token_id")?,
    })
}

fn wrong(field: &str, kind: &str) -> OptimizeError {
    OptimizeError::Config(format!("has {field}, which is not {kind}"))
}

fn value<'a>(raw: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    raw.get(field).filter(|value| !value.is_null())
}

/// A text, if there is one.
pub(super) fn text<'a>(
    raw: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<&'a str>, OptimizeError> {
    value(raw, field)
        .map(|value| value.as_str().ok_or_else(|| wrong(field, "a text")))
        .transpose()
}

/// A number, if there is one.
pub(super) fn number(raw: &Map<String, Value>, field: &str) -> Result<Option<f64>, OptimizeError> {
    value(raw, field)
        .map(|value| value.as_f64().ok_or_else(|| wrong(field, "a number")))
        .transpose()
}

/// An object, if there is one.
pub(super) fn object<'a>(
    raw: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<&'a Map<String, Value>>, OptimizeError> {
    value(raw, field)
        .map(|value| value.as_object().ok_or_else(|| wrong(field, "an object")))
        .transpose()
}

fn flag(raw: &Map<String, Value>, field: &str) -> Result<Option<bool>, OptimizeError> {
    value(raw, field)
        .map(|value| value.as_bool().ok_or_else(|| wrong(field, "true or false")))
        .transpose()
}

/// Counts have to fit in 32 bits, so that no product of two overflows.
fn count(raw: &Map<String, Value>, field: &str) -> Result<Option<usize>, OptimizeError> {
    let counted = |value: &Value| {
        let count = value.as_u64().filter(|count| *count > 0);
        let count = count.and_then(|count| u32::try_from(count).ok());
        count
            .map(|count| count as usize)
            .ok_or_else(|| wrong(field, "a whole number above 0"))
    };
    value(raw, field).map(counted).transpose()
}

fn needed(raw: &Map<String, Value>, field: &str) -> Result<usize, OptimizeError> {
    count(raw, field)?.ok_or_else(|| OptimizeError::Config(format!("has no {field}")))
}

/// A token's number. Some have -1 for none.
fn token(raw: &Map<String, Value>, field: &str) -> Result<Option<usize>, OptimizeError> {
    match value(raw, field) {
        None => Ok(None),
        Some(value) if value.is_i64() || value.is_u64() => {
            Ok(value.as_u64().and_then(|token| usize::try_from(token).ok()))
        }
        Some(_) => Err(wrong(field, "a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(config: Value) -> Result<Config, OptimizeError> {
        Config::parse(config.as_object().unwrap().clone())
    }

    fn llama() -> Value {
        json!({"model_type": "llama", "architectures": ["LlamaForCausalLM"],
            "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300})
    }

    #[test]
    fn a_decoder_has_measures() {
        let config = parse(llama()).unwrap();
        assert_eq!(config.family, Family::Llama);
        assert_eq!(config.architecture.as_deref(), Some("LlamaForCausalLM"));
        let geometry = config.geometry.unwrap();
        assert_eq!((geometry.heads, geometry.kv_heads), (4, 2));
        assert_eq!(geometry.head_dim, 16);
        assert_eq!(geometry.epsilon, 1e-6);
        assert!(!geometry.qkv_bias && !geometry.tied);
    }

    #[test]
    fn families_differ_in_what_is_usual() {
        let cases = [
            ("qwen2", 16, true, None),
            ("qwen3", 128, false, None),
            ("mistral", 16, false, Some(32)),
        ];
        for (model_type, head_dim, qkv_bias, window) in cases {
            let mut config = llama();
            config["model_type"] = json!(model_type);
            config["sliding_window"] = json!(32);
            let geometry = parse(config).unwrap().geometry.unwrap();
            assert_eq!(geometry.head_dim, head_dim, "{model_type}");
            assert_eq!(geometry.qkv_bias, qkv_bias, "{model_type}");
            assert_eq!(geometry.sliding_window, window, "{model_type}");
        }
    }

    #[test]
    fn an_encoder_has_measures() {
        let config = parse(json!({"model_type": "bert", "hidden_size": 384,
            "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12,
            "vocab_size": 30522, "layer_norm_eps": 1e-12, "pad_token_id": 0}));
        let geometry = config.unwrap().geometry.unwrap();
        assert_eq!(geometry.head_dim, 32);
        assert_eq!(geometry.positions, Some(512));
        assert_eq!(geometry.padding, Some(0));
    }

    #[test]
    fn an_unknown_one_has_none() {
        let config = parse(json!({"model_type": "mamba", "hidden_size": "wide"})).unwrap();
        assert_eq!((config.family, config.geometry), (Family::Other, None));
        assert_eq!(parse(json!({})).unwrap().family, Family::Other);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("hidden_size", json!(null), "has no hidden_size"),
            (
                "num_hidden_layers",
                json!(0),
                "has num_hidden_layers, which is not a whole number above 0",
            ),
            (
                "vocab_size",
                json!(5_000_000_000_u64),
                "has vocab_size, which is not a whole number above 0",
            ),
            (
                "hidden_act",
                json!(3),
                "has hidden_act, which is not a text",
            ),
            (
                "hidden_size",
                json!(66),
                "has a hidden_size of 66, which is no multiple of its 4 heads, and no head_dim",
            ),
            (
                "num_key_value_heads",
                json!(3),
                "has 4 heads, which is no multiple of its 3 heads of keys",
            ),
            (
                "architectures",
                json!("Llama"),
                "has architectures, which is not a list",
            ),
        ];
        for (field, value, expected) in cases {
            let mut config = llama();
            config[field] = value;
            let said = parse(config).unwrap_err().to_string();
            assert_eq!(said, format!("ClientError: config.json {expected}"));
        }
    }

    #[test]
    fn a_quantized_model_says_so() {
        let mut config = llama();
        assert_eq!(parse(config.clone()).unwrap().quantized(), None);
        config["quantization_config"] = json!({"quant_method": "awq", "bits": 4});
        assert_eq!(parse(config).unwrap().quantized(), Some("awq"));
    }
}
