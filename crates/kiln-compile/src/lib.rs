//! A framework's model and a target make a native artifact, verified. Nothing
//! here speaks to a store or a network: bytes come in, and bytes go out.

pub mod neural;
pub mod target;
pub mod trees;
