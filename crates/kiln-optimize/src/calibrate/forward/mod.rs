//! What a transformer's layers compute beside their products.

mod activation;
mod attention;
mod norm;
mod rotary;

pub use activation::Activation;
pub use attention::{Heads, Sight, attend};
pub use norm::{mean_and_variance, root_mean_square};
pub use rotary::Rotations;
