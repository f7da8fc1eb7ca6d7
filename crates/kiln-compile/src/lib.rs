//! A framework's model and a target make a native artifact, verified. Nothing
//! here speaks to a store or a network: bytes come in, and bytes go out.

pub mod archive;
pub mod framework;
pub mod front;
pub mod input_config;
pub mod literal;
pub mod options;
mod order;
pub mod target;
pub mod trees;

pub use order::Order;
