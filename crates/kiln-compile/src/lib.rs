//! A framework's model and a target make a native artifact, verified. Nothing
//! here speaks to a store or a network: bytes come in, and bytes go out.

pub mod archive;
pub mod array;
pub mod dlr;
pub mod exported;
pub mod framework;
pub mod front;
pub mod input_config;
pub mod literal;
pub mod neural;
pub mod options;
mod order;
pub mod parts;
pub mod pipeline;
pub mod predict;
pub mod python;
pub mod target;
pub mod trees;

pub use order::Order;
