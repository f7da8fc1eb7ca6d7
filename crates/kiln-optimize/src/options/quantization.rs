//! What a quantization is: the method that was asked for, made into a scheme for the
//! weights, a layout for the files, and what a calibration has to do.

use std::collections::BTreeMap;
use std::fmt;

use super::calibration::{Calibration, nearest};
use super::error::OptionsError;
use super::ignore::Ignore;
use super::method::{Activations, Method, enumeration, format_name};
use super::settings::Settings;
use super::table::{TABLE, Use};
use crate::layout::Layout;
use crate::quantize::{Granularity, Grid, Rounding, Scheme};

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
                stored: layout.stored(grid),
            },
            layout,
            activations,
            calibration,
            ignore: ignored(settings, method)?,
            samples: settings.count("calib_size")?.unwrap_or(512),
            length: settings.count("max_model_len")?.unwrap_or(2048),
        })
    }

    /// Whether there is nothing to write before the model was run on texts.
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

    /// What the options came to, by their names.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, String> {
        let rounding = match self.scheme.rounding {
            Rounding::Nearest => "nearest",
            Rounding::Searched => "searched",
        };
        let mut settings = vec![
            ("quantize", self.method.to_string()),
            ("format", format_name(self.layout).to_owned()),
            ("scheme", self.to_string()),
            ("rounding", rounding.to_owned()),
            ("calibration_method", self.calibration.name().to_owned()),
            ("ignore", self.ignore.words()),
        ];
        if self.is_calibrated() {
            settings.push(("calib_size", self.samples.to_string()));
            settings.push(("max_model_len", self.length.to_string()));
        }
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        settings.into_iter().map(named).collect()
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

impl fmt::Display for Quantization {
    /// The scheme, as in "int4 in groups of 128".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme.grid {
            Grid::Int { bits, .. } => write!(f, "int{bits}")?,
            Grid::Fp8 => f.write_str("fp8 (E4M3)")?,
        }
        match self.scheme.granularity {
            Granularity::Group(size) => write!(f, " in groups of {size}")?,
            Granularity::Channel => f.write_str(" for each output channel")?,
            Granularity::Tensor => f.write_str(" with one scale for a tensor")?,
            Granularity::Block(size) => write!(f, " in blocks of {size} x {size}")?,
        }
        if let Grid::Int {
            symmetric: false, ..
        } = self.scheme.grid
        {
            f.write_str(" with zero points")?;
        }
        f.write_str(match self.activations {
            Activations::Untouched => "",
            Activations::PerToken => ", activations for each token",
            Activations::PerGroup(_) => ", activations in groups",
            Activations::Static => ", activations with fixed scales",
        })?;
        write!(f, ", as {}", format_name(self.layout))
    }
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
