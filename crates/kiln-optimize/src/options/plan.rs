//! From an order to what is done.

use super::deployment::{self, Kernel};
use super::error::OptionsError;
use super::method::{Method, served_name};
use super::properties::Properties;
use super::quantization::Quantization;
use super::settings::{Given, Settings};
use super::table::KnownOption;
use crate::gguf::GgufType;
use crate::layout::Layout;
use crate::quantize::{Granularity, Grid};
use crate::{Order, Technique};

/// What is done with a model.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Its weights are quantized.
    Quantize(Box<Quantization>),
    /// Its weights are cut for so many accelerators.
    Shard(usize),
    /// It is converted to GGUF, with tensors of a type of that format.
    Convert(GgufType),
}

/// What is done, and what comes with it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What is done.
    pub plan: Plan,
    /// The `serving.properties` of the result.
    pub properties: Properties,
    /// What a person should know.
    pub remarks: Vec<String>,
}

/// Options that are about the cloud's own tools, and never reach a result.
const DROPPED: [&str; 6] = [
    "model_id",
    "model_dir",
    "properties_dir",
    "save_mp_checkpoint_path",
    "upload_checkpoints_s3url",
    "upload_checkpoints_s3uri",
];

/// The value of `option.load_format` by which the cloud's containers choose sharding.
const FAST_MODEL_LOADER: &str = "sagemaker_fast_model_loader";
/// The one by which vLLM loads shards.
const SHARDED_STATE: &str = "sharded_state";

/// Decides what is done for an order with a model whose `serving.properties` are given.
///
/// # Errors
/// What is wrong with the options, or why it cannot be done here.
pub fn plan(
    order: &Order,
    properties: &Properties,
    has_data: bool,
) -> Result<Planned, OptionsError> {
    let settings = Settings::gather(&order.environment, properties);
    let plan = match order.technique {
        Technique::Quantization => quantization(&settings, has_data)?,
        Technique::Sharding => sharding(&settings)?,
        Technique::Compilation => conversion(&settings)?,
        Technique::SpeculativeDecoding => return Err(OptionsError::SpeculativeDecoding),
    };
    let mut remarks = deployment::remarks(&order.deployment, kernel(&plan))?;
    remarks.extend(borrowed(&plan, has_data));
    remarks.extend(unknown(&settings));
    Ok(Planned {
        properties: served(&plan, &settings, properties),
        plan,
        remarks,
    })
}

fn quantization(settings: &Settings, has_data: bool) -> Result<Plan, OptionsError> {
    let load_format = settings.get("load_format");
    if load_format.is_some_and(|given| given.value == FAST_MODEL_LOADER) {
        return Err(both(settings));
    }
    let formats = [("auto", ()), ("safetensors", ())];
    settings.one_of("load_format", &formats, "auto or safetensors")?;
    let quantization = Quantization::of(settings, has_data)?;
    Ok(Plan::Quantize(Box::new(quantization)))
}

fn sharding(settings: &Settings) -> Result<Plan, OptionsError> {
    let formats = [(FAST_MODEL_LOADER, ()), (SHARDED_STATE, ())];
    let expected = "sagemaker_fast_model_loader or sharded_state";
    settings.one_of("load_format", &formats, expected)?;
    Ok(Plan::Shard(degree(settings)?))
}

fn conversion(settings: &Settings) -> Result<Plan, OptionsError> {
    let formats = [("auto", ()), ("gguf", ())];
    settings.one_of("load_format", &formats, "auto or gguf")?;
    Ok(Plan::Convert(gguf_type(settings)?))
}

fn degree(settings: &Settings) -> Result<usize, OptionsError> {
    if settings.get("quantize").is_some() {
        return Err(both(settings));
    }
    let given = settings.get("tensor_parallel_degree");
    let degree = given.and_then(|given| given.value.parse().ok());
    let degree = degree.filter(|degree| *degree > 0);
    degree.ok_or_else(|| OptionsError::NoDegree {
        received: given.map_or("None", |given| given.value).to_owned(),
    })
}

fn both(settings: &Settings) -> OptionsError {
    let value = |name, or: &str| {
        let given = settings.get(name);
        given.map_or(or, |given| given.value).to_owned()
    };
    OptionsError::ShardingAndQuantization {
        load_format: value("load_format", FAST_MODEL_LOADER),
        quantize: value("quantize", Method::Awq.name()),
    }
}

fn gguf_type(settings: &Settings) -> Result<GgufType, OptionsError> {
    let words = [
        ("F16", GgufType::F16),
        ("Q8_0", GgufType::Q8_0),
        ("Q4_0", GgufType::Q4_0),
    ];
    let given = settings.one_of("gguf_type", &words, "F16, Q8_0 or Q4_0")?;
    given.ok_or(OptionsError::Compilation)
}

fn kernel(plan: &Plan) -> Kernel {
    match plan {
        Plan::Shard(_) => Kernel::Unquantized,
        Plan::Convert(_) => Kernel::Gguf,
        Plan::Quantize(quantization) => match quantization.layout {
            Layout::PackQuantized => Kernel::WeightOnly,
            Layout::IntQuantized => Kernel::Int8,
            Layout::FloatQuantized => Kernel::Fp8,
            Layout::Awq => Kernel::Awq,
            Layout::Gptq => Kernel::Gptq,
        },
    }
}

/// That a method's name says more than is done, and what the reader of the result
/// cannot make use of.
fn borrowed(plan: &Plan, has_data: bool) -> Vec<String> {
    let Plan::Quantize(quantization) = plan else {
        return Vec::new();
    };
    let mut remarks = Vec::new();
    let method = quantization.method;
    if quantization.only_borrows_the_layout() {
        remarks.push(match has_data {
            false => format!(
                "OPTION_QUANTIZE={method} without its calibration: the weights are rounded and \
                 stored in the layout of {method}, and no activations were looked at. Give \
                 OPTION_CALIBRATION_DATA for {method} itself"
            ),
            true => format!(
                "OPTION_QUANTIZE={method} with OPTION_CALIBRATION_METHOD={}: the weights are \
                 stored in the layout of {method}, without its own calibration",
                quantization.calibration.name()
            ),
        });
    }
    let has_zero_points = matches!(
        quantization.scheme.grid,
        Grid::Int {
            symmetric: false,
            ..
        }
    );
    if method == Method::Gptq && has_zero_points {
        remarks.push(
            "vLLM does not read gptq with zero points: have OPTION_SYMMETRIC=true, or \
             OPTION_QUANTIZE=w4a16, whose zero points it reads"
                .to_owned(),
        );
    }
    let group = Granularity::Group(128);
    if matches!(method, Method::W4a16 | Method::W8a16) && quantization.scheme.granularity != group {
        remarks.push("smaller groups than 128 make the model larger and more exact".to_owned());
    }
    remarks
}

fn unknown(settings: &Settings) -> Vec<String> {
    let unknown = settings.all().filter(|(name, _)| !is_known(name));
    let remark = |(name, given): (&str, Given<'_>)| {
        let name = spelled(name);
        format!("{given} means nothing here, and is passed on as option.{name}")
    };
    unknown.map(remark).collect()
}

fn is_known(name: &str) -> bool {
    DROPPED.contains(&name) || KnownOption::find(name).is_some()
}

/// What the server of the result is told: what the model said, what nobody here knows,
/// and how the result is to be loaded.
fn served(plan: &Plan, settings: &Settings, properties: &Properties) -> Properties {
    let mut served = properties.clone();
    for (written, _) in properties.options() {
        let name = written.to_lowercase();
        if DROPPED.contains(&name.as_str()) || KnownOption::find(&name).is_some_and(used_up) {
            served.set(written, None);
        }
    }
    for (name, given) in settings.all() {
        let kept = KnownOption::find(name).is_none_or(|option| !used_up(option));
        let name = spelled(name);
        let there = properties
            .options()
            .any(|(other, _)| other.eq_ignore_ascii_case(name));
        if kept && !DROPPED.contains(&name) && !there {
            served.set(name, Some(given.value));
        }
    }
    match plan {
        Plan::Quantize(quantization) => {
            served.set("quantize", Some(served_name(quantization.layout)))
        }
        Plan::Shard(_) => served.set("load_format", Some(SHARDED_STATE)),
        Plan::Convert(_) => {}
    }
    served
}

fn used_up(option: &KnownOption) -> bool {
    !option.served
}

/// The one option whose name has a capital letter in it.
fn spelled(name: &str) -> &str {
    match name {
        "entrypoint" => "entryPoint",
        other => other,
    }
}
