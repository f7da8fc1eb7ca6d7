//! What a quantization is: the method that was asked for, made into a scheme for the
//! weights, a layout for the files, and what a calibration has to do.

use std::fmt;

use super::error::OptionsError;
use super::ignore::Ignore;
use super::settings::Settings;
use super::table::{TABLE, Use};
use crate::quantize::{Granularity, Grid, Rounding, Scheme};

/// `OPTION_QUANTIZE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Four bits, in AutoAWQ's layout.
    Awq,
    /// Four bits, in GPTQ's layout.
    Gptq,
    /// Eight bits of floating point.
    Fp8,
    /// Integers of four bits.
    W4a16,
    /// Integers of eight bits.
    W8a16,
    /// Integers of eight bits for weights and activations.
    Int8,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Awq,
        Self::Gptq,
        Self::Fp8,
        Self::W4a16,
        Self::W8a16,
        Self::Int8,
    ];

    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Awq => "awq",
            Self::Gptq => "gptq",
            Self::Fp8 => "fp8",
            Self::W4a16 => "w4a16",
            Self::W8a16 => "w8a16",
            Self::Int8 => "int8",
        }
    }

    pub(super) fn all() -> String {
        enumeration(Self::ALL.map(Self::name))
    }

    fn of(settings: &Settings) -> Result<Self, OptionsError> {
        let Some(given) = settings.get("quantize") else {
            return Ok(Self::Awq);
        };
        let mut all = Self::ALL.into_iter();
        let method = all.find(|method| method.name().eq_ignore_ascii_case(given.value));
        method.ok_or_else(|| OptionsError::Method(given.value.to_owned()))
    }

    /// The ways to calibrate that it takes, the one that it uses by itself first.
    fn calibrations(self) -> &'static [Calibration] {
        use Calibration::{Awq, Gptq, Importance, None};
        match self {
            Self::Awq => &[Awq, Importance, None],
            Self::Gptq => &[Gptq, Importance, None],
            Self::W4a16 | Self::W8a16 => &[Importance, Awq, Gptq, None],
            Self::Int8 => &[Importance, Gptq, None],
            Self::Fp8 => &[None],
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How codes, scales and zero points are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// compressed-tensors' `pack-quantized`.
    PackQuantized,
    /// compressed-tensors' `int-quantized`.
    IntQuantized,
    /// compressed-tensors' `float-quantized`.
    FloatQuantized,
    /// AutoAWQ's "gemm".
    Awq,
    /// GPTQ, version 1.
    Gptq,
}

impl Layout {
    /// What a server calls it: `option.quantize`, and `quant_method` in `config.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PackQuantized | Self::IntQuantized | Self::FloatQuantized => "compressed-tensors",
            Self::Awq => "awq",
            Self::Gptq => "gptq",
        }
    }
}

/// What becomes of activations when the model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activations {
    /// They stay as they are.
    Untouched,
    /// They are quantized, each token with a scale of its own.
    PerToken,
    /// They are quantized, so many neighbours of a token with a scale of their own.
    PerGroup(usize),
    /// They are quantized with a scale that a calibration has found.
    Static,
}

/// What texts are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calibration {
    /// Nothing.
    None,
    /// How much each input of a layer matters to the search for scales.
    Importance,
    /// Activation-aware scaling, folded into the layers before.
    Awq,
    /// Errors are made good by the columns that come later.
    Gptq,
}

impl Calibration {
    /// Its name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Importance => "importance",
            Self::Awq => "awq",
            Self::Gptq => "gptq",
        }
    }

    fn of(settings: &Settings, method: Method, has_data: bool) -> Result<Self, OptionsError> {
        let takes = method.calibrations();
        let words = [Self::None, Self::Importance, Self::Awq, Self::Gptq];
        let words = words.map(|word| (word.name(), word));
        let expected = "none, importance, awq or gptq";
        match settings.one_of("calibration_method", &words, expected)? {
            Some(asked) if !takes.contains(&asked) => Err(OptionsError::Calibration {
                calibration: asked.name(),
                method,
                takes: enumeration(takes.iter().map(|way| way.name())),
            }),
            Some(asked) if asked != Self::None && !has_data => Err(OptionsError::NoData {
                what: format!("OPTION_CALIBRATION_METHOD={}", asked.name()),
            }),
            Some(asked) => Ok(asked),
            None if !has_data => Ok(Self::None),
            // Importance guides a search for scales, and there is none.
            None if takes[0] == Self::Importance && nearest(settings)? => Ok(Self::None),
            None => Ok(takes[0]),
        }
    }
}

/// What is done with a model's weights.
#[derive(Debug, Clone)]
pub struct Quantization {
    /// The method that was asked for.
    pub method: Method,
    /// How weights are quantized.
    pub scheme: Scheme,
    /// How they are stored.
    pub layout: Layout,
    /// What becomes of activations.
    pub activations: Activations,
    /// What texts are used for.
    pub calibration: Calibration,
    /// Which linear layers are left as they are.
    pub ignore: Ignore,
    /// Samples that a calibration uses at most.
    pub samples: usize,
    /// Tokens of a sample that it uses at most.
    pub length: usize,
}

impl Quantization {
    /// Decides from the options.
    pub(super) fn of(settings: &Settings, has_data: bool) -> Result<Self, OptionsError> {
        let method = Method::of(settings)?;
        refuse_others(settings, method)?;
        let calibration = Calibration::of(settings, method, has_data)?;
        let (grid, granularity, layout, activations) = form(settings, method, has_data)?;
        let nearest = nearest(settings)?;
        if nearest && calibration == Calibration::Importance {
            return Err(OptionsError::Exclusive {
                one: "OPTION_ROUNDING=nearest".to_owned(),
                other: "OPTION_CALIBRATION_METHOD=importance".to_owned(),
            });
        }
        let rounding = if nearest {
            Rounding::Nearest
        } else {
            Rounding::Searched
        };
        Ok(Self {
            method,
            scheme: Scheme {
                grid,
                granularity,
                rounding,
            },
            layout,
            activations,
            calibration,
            ignore: ignored(settings, method)?,
            samples: settings.count("calib_size")?.unwrap_or(512),
            length: settings.count("max_model_len")?.unwrap_or(2048),
        })
    }

    /// Whether the model has to be run on texts.
    #[must_use]
    pub fn is_calibrated(&self) -> bool {
        self.calibration != Calibration::None || self.activations == Activations::Static
    }

    /// Whether the method's name promises a calibration that does not take place.
    #[must_use]
    pub fn only_borrows_the_layout(&self) -> bool {
        let named = matches!(self.method, Method::Awq | Method::Gptq);
        named && self.calibration.name() != self.method.name()
    }

    /// Bits of a code.
    #[must_use]
    pub fn bits(&self) -> u8 {
        match self.scheme.grid {
            Grid::Int { bits, .. } => bits,
            Grid::Fp8 => 8,
        }
    }
}

fn nearest(settings: &Settings) -> Result<bool, OptionsError> {
    let words = [("nearest", true), ("searched", false)];
    let nearest = settings.one_of("rounding", &words, "searched or nearest")?;
    Ok(nearest.unwrap_or(false))
}

type Form = (Grid, Granularity, Layout, Activations);

/// What a method's own options make of it.
fn form(settings: &Settings, method: Method, has_data: bool) -> Result<Form, OptionsError> {
    let int = |bits, symmetric| Grid::Int { bits, symmetric };
    let symmetric = settings.flag("symmetric")?.unwrap_or(true);
    let group = Granularity::Group(group(settings, "group_size")?);
    Ok(match method {
        Method::W4a16 => {
            let grid = int(4, symmetric);
            (grid, group, Layout::PackQuantized, Activations::Untouched)
        }
        Method::W8a16 => {
            let grid = int(8, symmetric);
            (grid, group, Layout::PackQuantized, Activations::Untouched)
        }
        Method::Gptq => {
            let grid = int(4, symmetric);
            (grid, group, Layout::Gptq, Activations::Untouched)
        }
        Method::Awq => awq(settings)?,
        Method::Int8 => (
            int(8, true),
            Granularity::Channel,
            Layout::IntQuantized,
            Activations::PerToken,
        ),
        Method::Fp8 => fp8(settings, has_data)?,
    })
}

fn awq(settings: &Settings) -> Result<Form, OptionsError> {
    let bits = settings.one_of("awq_weight_bit_width", &[("4", 4)], "4")?;
    settings.one_of("awq_mm_version", &[("GEMM", ())], "GEMM")?;
    let grid = Grid::Int {
        bits: bits.unwrap_or(4),
        symmetric: !settings.flag("awq_zero_point")?.unwrap_or(true),
    };
    let group = Granularity::Group(group(settings, "awq_block_size")?);
    Ok((grid, group, Layout::Awq, Activations::Untouched))
}

fn fp8(settings: &Settings, has_data: bool) -> Result<Form, OptionsError> {
    let fixed = (Granularity::Tensor, Activations::Static);
    let dynamic = (Granularity::Channel, Activations::PerToken);
    let block = (Granularity::Block(128), Activations::PerGroup(128));
    let schemes = [
        ("FP8", fixed),
        ("FP8_DYNAMIC", dynamic),
        ("FP8_BLOCK", block),
    ];
    let expected = "FP8, FP8_DYNAMIC or FP8_BLOCK";
    let scheme = settings.one_of("fp8_scheme", &schemes, expected)?;
    let (granularity, activations) = match scheme {
        Some(asked) if asked == fixed && !has_data => {
            return Err(OptionsError::NoData {
                what: "OPTION_FP8_SCHEME=FP8, whose scales of activations are fixed,".to_owned(),
            });
        }
        Some(asked) => asked,
        None if has_data => fixed,
        None => dynamic,
    };
    Ok((Grid::Fp8, granularity, Layout::FloatQuantized, activations))
}

fn group(settings: &Settings, name: &str) -> Result<usize, OptionsError> {
    let sizes = [("128", 128), ("64", 64), ("32", 32)];
    let size = settings.one_of(name, &sizes, "128, 64 or 32")?;
    Ok(size.unwrap_or(128))
}

fn ignored(settings: &Settings, method: Method) -> Result<Ignore, OptionsError> {
    let name = match method {
        Method::Awq => "awq_ignore_layers",
        Method::Fp8 => "fp8_ignore",
        Method::Gptq | Method::W4a16 | Method::W8a16 | Method::Int8 => "ignore",
    };
    Ignore::read(settings.get(name), method == Method::Awq)
}

/// Refuses options of other methods.
fn refuse_others(settings: &Settings, method: Method) -> Result<(), OptionsError> {
    for option in TABLE {
        let Use::Quantization(methods) = option.r#use else {
            continue;
        };
        if let Some(given) = settings.get(option.name)
            && !methods.contains(&method)
        {
            return Err(OptionsError::Contradiction {
                option: given.to_string(),
                with: enumeration(methods.iter().map(|method| method.name())),
                method,
            });
        }
    }
    Ok(())
}

/// Words as a person lists them.
fn enumeration<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => (*last).to_owned(),
        None => String::new(),
    }
}
