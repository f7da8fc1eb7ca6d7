//! Tree ensembles: what XGBoost, LightGBM and scikit-learn trained, read into one
//! form that can be evaluated and packed.
//!
//! [`read_xgboost`], [`read_lightgbm`] and [`read_sklearn`] make an [`Ensemble`] from a file's
//! bytes, which may come from anyone: whatever they hold, the answer is an
//! ensemble whose every index is sound, or a [`TreesError`]. [`pack`] makes of
//! it what the [`KERNEL`] evaluates, and [`build`] links the two into a library.

mod build;
mod ensemble;
mod error;
mod evaluate;
#[cfg(test)]
mod fuzz;
mod lightgbm;
mod link;
mod pack;
mod sklearn;
mod tree;
mod xgboost;

pub use build::{Built, build};
pub use ensemble::{Arithmetic, Ensemble, Parts};
pub use error::TreesError;
pub use lightgbm::read as read_lightgbm;
pub use link::Link;
pub use pack::{KERNEL, KERNEL_FLAGS, MODEL, pack};
pub use sklearn::{EXPORTER as SKLEARN_EXPORTER, read as read_sklearn};
pub use tree::{CategorySet, Missing, Node, Split, Target, Test, Tree};
pub use xgboost::{EXPORTER as XGBOOST_EXPORTER, read as read_xgboost};
