//! Darknet: a network's `.cfg` and its `.weights`.
//!
//! What comes out is what Neo's importer gives. The input is named `data`, in
//! the layout NCHW. The last layer is the first output. A `yolo` or `region`
//! layer yields its feature map with the logistic function, and where the layer
//! says so the softmax, applied, but no boxes. After the feature map of each such
//! layer, from the last to the first, follow what a client needs to find the
//! boxes: of `yolo` its mask, its anchors and the numbers (boxes, channels,
//! height, width, classes, anchors); of `region` its anchors and the numbers
//! (boxes, channels, height, width, classes, coordinates, background).

mod activation;
mod cfg;
mod convolution;
mod detection;
mod network;
mod pooling;
mod rearrange;
mod weights;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::foreign::ForeignError;
use crate::model::Model;

const FORMAT: &str = "Darknet";

/// Reads a network. `input` has the sizes of its input in the order NCHW, where
/// they are other than one image of the size in the `.cfg`.
///
/// # Errors
/// If the files are no network's, do not belong together, or name layers that
/// there is no translation for.
pub fn read(cfg: &[u8], weights: Bytes, input: Option<&[usize]>) -> Result<Model, ForeignError> {
    let sections = cfg::parse(cfg)?;
    network::convert(&sections, weights::Weights::new(weights)?, input)
}
