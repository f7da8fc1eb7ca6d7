//! Targets that only their makers' compilers build for.

use super::{Place, TargetError};

/// Whether only its maker's compiler builds for the target of that name: a device's, such
/// as `ml_inf1`, or a platform's, such as `LINUX_ARM64_NNA`.
#[must_use]
pub fn needs_vendor(target: &str) -> bool {
    let is_refused = |place| matches!(place, Err(TargetError::Vendor { .. }));
    let platform = parts(target).map(|(os, arch, accelerator)| {
        let accelerator = Some(accelerator);
        Place::of_platform(os, arch, accelerator)
    });
    is_refused(Place::of_device(target)) || platform.is_some_and(is_refused)
}

/// The parts of a platform's name. Of these, only an architecture's has underscores.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (os, rest) = name.split_once('_')?;
    let (arch, accelerator) = rest.rsplit_once('_')?;
    Some((os, arch, accelerator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_targets_need_their_maker() {
        let cases = [
            ("ml_inf1", true),
            ("ml_inf2", true),
            ("ml_trn1", true),
            ("ml_eia2", true),
            ("amba_cv22", true),
            ("LINUX_ARM64_NNA", true),
            ("ANDROID_X86_64_NNA", true),
            ("ml_c5", false),
            ("coreml", false),
            ("LINUX_X86_NNA", false),
            ("LINUX_X86_64", false),
            ("LINUX_ARM64_MALI", false),
            ("ml_inf3", false),
            ("", false),
        ];
        for (target, expected) in cases {
            assert_eq!(needs_vendor(target), expected, "{target}");
        }
    }
}
