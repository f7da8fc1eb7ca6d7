//! The frameworks that models come from, and what of each can be told from a
//! request alone.

use std::fmt;

/// A framework, as `InputConfig.Framework` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Framework {
    /// `TENSORFLOW`: a SavedModel or a frozen graph.
    Tensorflow,
    /// `KERAS`: an HDF5 or a `.keras` file.
    Keras,
    /// `MXNET`: a symbol and its parameters.
    Mxnet,
    /// `ONNX`.
    Onnx,
    /// `PYTORCH`: TorchScript or an exported program.
    Pytorch,
    /// `XGBOOST`.
    Xgboost,
    /// `TFLITE`.
    Tflite,
    /// `DARKNET`: a configuration and its weights.
    Darknet,
    /// `SKLEARN`.
    Sklearn,
}

/// Which axis of an image's shape is which, as a request gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Batch, channels, height, width.
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

impl Layout {
    /// The name, a letter for each axis.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }
}

/// Versions of a framework: from the first one that is accepted up to the end
/// of a major version.
struct Versions {
    first: (u32, u32),
    last_major: u32,
}

impl Framework {
    /// Every framework.
    pub const ALL: [Self; 9] = [
        Self::Tensorflow,
        Self::Keras,
        Self::Mxnet,
        Self::Onnx,
        Self::Pytorch,
        Self::Xgboost,
        Self::Tflite,
        Self::Darknet,
        Self::Sklearn,
    ];

    /// The framework that a request names.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensorflow => "TENSORFLOW",
            Self::Keras => "KERAS",
            Self::Mxnet => "MXNET",
            Self::Onnx => "ONNX",
            Self::Pytorch => "PYTORCH",
            Self::Xgboost => "XGBOOST",
            Self::Tflite => "TFLITE",
            Self::Darknet => "DARKNET",
            Self::Sklearn => "SKLEARN",
        }
    }

    /// Whether its models are tree ensembles, and no networks.
    #[must_use]
    pub fn makes_trees(self) -> bool {
        matches!(self, Self::Xgboost | Self::Sklearn)
    }

    /// In which layout a request gives the shapes of images. Keras models are
    /// channel-last, but their shapes are given channel-first.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::Tensorflow | Self::Tflite => Layout::Nhwc,
            _ => Layout::Nchw,
        }
    }

    /// Whether a model's file never says what shapes its inputs have, so that a
    /// request must.
    #[must_use]
    pub fn needs_shapes(self) -> bool {
        self == Self::Mxnet
    }

    /// Whether models of that version are accepted. The service's own
    /// documentation lists fewer: newer ones are read as well.
    #[must_use]
    pub fn accepts_version(self, version: &str) -> bool {
        let Some(versions) = self.versions() else {
            return false;
        };
        major_and_minor(version).is_some_and(|(major, minor)| {
            (major, minor) >= versions.first && major <= versions.last_major
        })
    }

    /// The accepted versions, for use in a sentence.
    #[must_use]
    pub fn versions_in_words(self) -> String {
        match self.versions() {
            None => "none".to_owned(),
            Some(Versions { first, last_major }) => {
                format!("{}.{} up to the last {last_major}.x", first.0, first.1)
            }
        }
    }

    fn versions(self) -> Option<Versions> {
        let (first, last_major) = match self {
            Self::Tensorflow => ((1, 12), 2),
            Self::Keras => ((2, 2), 3),
            Self::Mxnet => ((1, 0), 1),
            Self::Onnx => ((1, 2), 1),
            Self::Pytorch => ((1, 4), 2),
            Self::Xgboost => ((0, 90), 3),
            Self::Tflite => ((1, 13), 2),
            Self::Sklearn => ((0, 20), 1),
            Self::Darknet => return None,
        };
        Some(Versions { first, last_major })
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tensorflow => "TensorFlow",
            Self::Keras => "Keras",
            Self::Mxnet => "MXNet",
            Self::Onnx => "ONNX",
            Self::Pytorch => "PyTorch",
            Self::Xgboost => "XGBoost",
            Self::Tflite => "TensorFlow Lite",
            Self::Darknet => "Darknet",
            Self::Sklearn => "scikit-learn",
        })
    }
}

/// `2.9` of `2.9.1`, `1.7` of `1.7-1`; a part that is no number is not needed
/// behind the second.
fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let (major, rest) = version.split_once('.')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some((major.parse().ok()?, rest[..digits].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for framework in Framework::ALL {
            assert_eq!(Framework::parse(framework.name()), Some(framework));
        }
        assert_eq!(Framework::parse("CAFFE"), None);
        assert_eq!(Framework::parse("onnx"), None);
    }

    #[test]
    fn versions_are_accepted_from_a_first_one_on() {
        for (framework, version, accepted) in [
            (Framework::Tensorflow, "1.15.3", true),
            (Framework::Tensorflow, "2.9", true),
            (Framework::Tensorflow, "2.21.0", true),
            (Framework::Tensorflow, "1.4", false),
            (Framework::Tensorflow, "3.0", false),
            (Framework::Pytorch, "1.13", true),
            (Framework::Pytorch, "1.2", false),
            (Framework::Mxnet, "1.8", true),
            (Framework::Mxnet, "2.0", false),
            (Framework::Xgboost, "1.3.3", true),
            (Framework::Xgboost, "1.7-1", true),
            (Framework::Xgboost, "0.90", true),
            (Framework::Xgboost, "0.72", false),
            (Framework::Tflite, "1.15", true),
            (Framework::Darknet, "1.0", false),
            (Framework::Onnx, "1.x", false),
            (Framework::Onnx, "17", false),
        ] {
            let found = framework.accepts_version(version);
            assert_eq!(found, accepted, "{framework} {version}");
        }
    }
}
