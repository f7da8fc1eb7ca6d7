//! Sets of optimisations for processors. None is the best for all networks, so several
//! are tried where the result can be timed.

use super::Device;
use crate::target::Arch;

/// A set of the compiler's optimisations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// What the compiler does by itself.
    Plain,
    /// Matrices are laid out in tiles, for kernels written by hand.
    Tiled,
    /// Tiled, and convolutions become products of matrices.
    Im2col,
    /// Tiled, and convolutions have their channels last.
    ChannelsLast,
}

const TILED: [&str; 3] = [
    "--iree-opt-level=O3",
    "--iree-opt-data-tiling",
    "--iree-llvmcpu-enable-ukernels=all",
];

const IM2COL: &str = "--iree-global-opt-use-im2col-for-convs";

const CHANNELS_LAST: &str = "--iree-preprocessing-pass-pipeline=builtin.module(\
     util.func(iree-preprocessing-convert-conv-to-channels-last,\
     iree-preprocessing-convert-1x1-filter-conv2d-to-matmul))";

impl Preset {
    /// Its name in logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tiled => "tiled",
            Self::Im2col => "im2col",
            Self::ChannelsLast => "channels-last",
        }
    }

    /// Its flags.
    pub(super) fn flags(self) -> Vec<String> {
        let (tiled, last) = match self {
            Self::Plain => (&[][..], &[][..]),
            Self::Tiled => (&TILED[..], &[][..]),
            Self::Im2col => (&TILED[..], &[IM2COL][..]),
            Self::ChannelsLast => (&TILED[..], &[CHANNELS_LAST][..]),
        };
        tiled
            .iter()
            .chain(last)
            .map(|flag| (*flag).to_owned())
            .collect()
    }

    /// Whether it is only for networks that no other preset can build: where there are
    /// convolutions, the plain code was never the fastest of any network.
    pub(super) fn is_last_resort(self, convolutions: bool) -> bool {
        self == Self::Plain && convolutions
    }

    /// The presets for a network, the most promising first. One that makes a network
    /// many times slower than the best does harm only where it is not timed, so such
    /// ones come late.
    pub(super) fn for_network(device: &Device, convolutions: bool) -> Vec<Self> {
        match device {
            Device::Cpu(platform) if wide(platform.arch) && convolutions => {
                vec![Self::Im2col, Self::ChannelsLast, Self::Plain]
            }
            Device::Cpu(platform) if wide(platform.arch) => vec![Self::Tiled, Self::Plain],
            Device::Cpu(_) | Device::Cuda(_) | Device::Vulkan(_) => vec![Self::Plain],
        }
    }
}

/// Whether the compiler has kernels for the architecture.
fn wide(arch: Arch) -> bool {
    matches!(arch, Arch::X86_64 | Arch::Arm64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Os, Platform};

    fn presets(arch: Arch, convolutions: bool) -> Vec<&'static str> {
        let device = Device::Cpu(Platform {
            os: Os::Linux,
            arch,
            cpu: None,
            features: Vec::new(),
        });
        let presets = Preset::for_network(&device, convolutions);
        presets.into_iter().map(Preset::name).collect()
    }

    #[test]
    fn the_safe_preset_comes_first() {
        assert_eq!(presets(Arch::X86_64, true)[0], "im2col");
        assert_eq!(presets(Arch::Arm64, false), ["tiled", "plain"]);
        assert_eq!(presets(Arch::ArmEabihf, true), ["plain"]);
        let cuda = Device::Cuda("sm_80".to_owned());
        assert_eq!(Preset::for_network(&cuda, true), [Preset::Plain]);
    }

    #[test]
    fn every_preset_has_flags_of_its_own() {
        let all = [
            Preset::Plain,
            Preset::Tiled,
            Preset::Im2col,
            Preset::ChannelsLast,
        ];
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(one.flags(), other.flags());
                assert_ne!(one.name(), other.name());
            }
        }
    }
}
