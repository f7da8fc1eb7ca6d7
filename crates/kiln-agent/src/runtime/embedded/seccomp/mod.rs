//! The system calls that a container may make.
//!
//! Two filters are installed one over the other. The first lets through what
//! Docker's default profile lets through and answers everything else with
//! `ENOSYS`, so that programs fall back from calls that are newer than the list.
//! The second answers the calls that are refused on purpose with `EPERM`, which
//! is what programs expect of a call that needs a privilege.

mod calls;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Any of the flags by which `clone` makes a namespace.
const NEW_NAMESPACE: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64;

/// The execution domains that a program may ask for: Linux, with the layout of
/// addresses randomised or not, with 64 or 32 bits, or only asking.
const PERSONALITIES: [u64; 5] = [0x0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The filter cannot be written for this processor or from these rules.
    #[error("the system call filter cannot be made: {0}")]
    Make(#[from] seccompiler::BackendError),
    /// The kernel refuses the filter.
    #[error("the kernel refuses the system call filter: {0}")]
    Install(#[from] seccompiler::Error),
}

/// Whether the kernel can filter system calls.
#[must_use]
pub fn is_available() -> bool {
    std::fs::exists("/proc/sys/kernel/seccomp/actions_avail").unwrap_or(false)
}

/// The filters, ready to be installed.
#[derive(Debug, Clone)]
pub struct Filters {
    known: BpfProgram,
    refused: BpfProgram,
}

impl Filters {
    /// The filters for the processor that this program was built for.
    ///
    /// # Errors
    /// When no filter can be written for it.
    pub fn new() -> Result<Self, FilterError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let known = SeccompFilter::new(
            known_rules(),
            SeccompAction::Errno(libc::ENOSYS as u32),
            SeccompAction::Allow,
            arch,
        )?;
        let refused = SeccompFilter::new(
            refused_rules()?,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM as u32),
            arch,
        )?;
        Ok(Self {
            known: known.try_into()?,
            refused: refused.try_into()?,
        })
    }

    /// Installs the filters for this process and all that it starts, for good.
    ///
    /// # Errors
    /// When the kernel refuses them.
    pub fn install(&self) -> Result<(), FilterError> {
        // The kernel takes the answer of the filter installed last where two
        // filters both refuse a call.
        seccompiler::apply_filter(&self.known)?;
        seccompiler::apply_filter(&self.refused)?;
        Ok(())
    }
}

/// What the first filter knows: all calls of the list, refused ones included,
/// so that it is the second filter that answers those.
fn known_rules() -> Rules {
    calls::ALLOWED
        .iter()
        .chain(calls::REFUSED)
        .chain(calls::ALLOWED_ON_THIS_PROCESSOR)
        .map(|number| (*number, Vec::new()))
        .collect()
}

/// What the second filter refuses: the dangerous calls, and harmless calls with
/// dangerous arguments.
fn refused_rules() -> Result<Rules, FilterError> {
    let mut rules: Rules = calls::REFUSED
        .iter()
        .map(|number| (*number, Vec::new()))
        .collect();
    rules.insert(libc::SYS_clone, namespace_flags()?);
    rules.insert(
        libc::SYS_personality,
        vec![SeccompRule::new(other_personalities()?)?],
    );
    rules.insert(
        libc::SYS_socket,
        vec![SeccompRule::new(vec![is(0, libc::AF_VSOCK as u64)?])?],
    );
    rules.insert(
        libc::SYS_ioctl,
        vec![SeccompRule::new(vec![is(1, libc::TIOCSTI)?])?],
    );
    Ok(rules)
}

/// One rule for each flag that makes a namespace.
fn namespace_flags() -> Result<Vec<SeccompRule>, FilterError> {
    let mut rules = Vec::new();
    for bit in (0..u64::BITS)
        .map(|shift| 1_u64 << shift)
        .filter(|bit| NEW_NAMESPACE & bit != 0)
    {
        let condition =
            SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bit), bit)?;
        rules.push(SeccompRule::new(vec![condition])?);
    }
    Ok(rules)
}

/// The conditions that together hold for none of [`PERSONALITIES`].
fn other_personalities() -> Result<Vec<SeccompCondition>, FilterError> {
    let differs = |value| {
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
            .map_err(FilterError::from)
    };
    PERSONALITIES.into_iter().map(differs).collect()
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, FilterError> {
    Ok(SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::Eq,
        value,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_the_kernel() {
        let filters = Filters::new().unwrap();
        // BPF_MAXINSNS of the kernel.
        for program in [&filters.known, &filters.refused] {
            assert!(program.len() < 4096, "{} instructions", program.len());
        }
    }

    #[test]
    fn no_call_is_both_allowed_and_refused() {
        let refused = calls::REFUSED;
        let allowed = calls::ALLOWED
            .iter()
            .chain(calls::ALLOWED_ON_THIS_PROCESSOR);
        for number in allowed {
            assert!(!refused.contains(number), "call {number}");
        }
    }
}
