//! What an order's options ask for: `OPTION_*` of its environment, and `option.*` of the
//! model's own `serving.properties`.
//!
//! [`TABLE`] has all of them. [`plan`] decides from them, and from nothing else, what is
//! done; whether a model can take it is seen later.

mod calibration;
mod deployment;
mod error;
mod ignore;
mod method;
mod plan;
mod properties;
mod quantization;
mod settings;
mod table;

pub use calibration::Calibration;
pub use deployment::{Kernel, remarks};
pub use error::OptionsError;
pub use ignore::Ignore;
pub use method::{Activations, Method};
pub use plan::{Plan, Planned, plan};
pub use properties::Properties;
pub use quantization::Quantization;
pub use table::{KnownOption, TABLE, Use};

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::quantization_of;
