//! What of a request can be judged before any model is looked at: everything that
//! CreateCompilationJob refuses.

mod error;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use crate::framework::Framework;
use crate::input_config::{self, InputConfig, Rules};
use crate::options::Options;
use crate::order::Order;
use crate::target::{Arch, Place, Plan, Target};

pub use error::RequestError;

/// An order that can be carried out, as far as can be told without the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Where the model comes from.
    pub framework: Framework,
    /// The version that was given.
    pub framework_version: Option<String>,
    /// What was said of the inputs. Where nothing was, the model must.
    pub inputs: Option<InputConfig>,
    /// What it is compiled for.
    pub target: Target,
    /// The compiler options.
    pub options: Options,
}

/// Reads and checks an order.
///
/// # Errors
///
/// The first thing that is wrong with it, in words for the one who gave it.
pub fn check(order: &Order) -> Result<Checked, RequestError> {
    let framework = framework(order)?;
    let place = place(order)?;
    let options = match &order.compiler_options {
        None => Options::default(),
        Some(text) => Options::read(text)?,
    };
    options.check(framework, &place)?;
    let target = place.target(&options)?;
    expect_possible(framework, &target)?;
    let inputs = inputs(order, framework, &target)?;
    Ok(Checked {
        framework,
        framework_version: order.framework_version.clone(),
        inputs,
        target: match framework.makes_trees() {
            true => target.for_trees(&options),
            false => target,
        },
        options,
    })
}

fn framework(order: &Order) -> Result<Framework, RequestError> {
    let framework = Framework::parse(&order.framework)
        .ok_or_else(|| RequestError::Framework(order.framework.clone()))?;
    match &order.framework_version {
        Some(version) if !framework.accepts_version(version) => Err(RequestError::Version {
            framework,
            version: version.clone(),
            accepted: framework.versions_in_words(),
        }),
        _ => Ok(framework),
    }
}

fn place(order: &Order) -> Result<Place, RequestError> {
    let platform = (order.target_os.as_deref(), order.target_arch.as_deref());
    match (order.target_device.as_deref(), platform) {
        (Some(device), (None, None)) => Ok(Place::of_device(device)?),
        (None, (Some(os), Some(arch))) => {
            let accelerator = order.target_accelerator.as_deref();
            Ok(Place::of_platform(os, arch, accelerator)?)
        }
        (Some(_), _) => Err(RequestError::TwoTargets),
        (None, _) => Err(RequestError::NoTarget),
    }
}

fn expect_possible(framework: Framework, target: &Target) -> Result<(), RequestError> {
    let refuse = |reason| {
        Err(RequestError::Combination {
            framework,
            target: target.name.clone(),
            reason,
        })
    };
    match &target.plan {
        Plan::CoreMl => match framework {
            Framework::Pytorch | Framework::Tensorflow | Framework::Keras => Ok(()),
            _ => refuse("Models of PYTORCH, TENSORFLOW and KERAS are converted to Core ML"),
        },
        Plan::Build(build) if build.platform.arch == Arch::X86 && !framework.makes_trees() => {
            refuse("On 32-bit x86 only XGBOOST and SKLEARN models can run")
        }
        Plan::Build(_) => Ok(()),
    }
}

fn inputs(
    order: &Order,
    framework: Framework,
    target: &Target,
) -> Result<Option<InputConfig>, RequestError> {
    let rules = Rules {
        list_form: framework == Framework::Pytorch || framework.makes_trees(),
        core_ml: target.plan == Plan::CoreMl,
    };
    match &order.data_input_config {
        Some(text) => Ok(Some(input_config::read(text, rules)?)),
        None if framework.needs_shapes() => Err(RequestError::NoInputs(framework)),
        None => Ok(None),
    }
}
