//! What a volume that is full is called in a failure reason.

use std::fmt;

use super::tree::Usage;

const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];

/// Why a job may not go on filling the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// There is more than the job's volume holds.
    Volume {
        /// The volume's size.
        limit: u64,
        /// What is there.
        usage: Usage,
    },
    /// What the disk has left is needed by others.
    Disk {
        /// Bytes that are left.
        left: u64,
        /// What the job holds.
        usage: Usage,
    },
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Volume { usage, .. } | Self::Disk { usage, .. }) = self;
        let held = Size(usage.bytes());
        match self {
            Self::Volume { limit, .. } => {
                let limit = Size(*limit);
                write!(
                    f,
                    "The volume of {limit} (VolumeSizeInGB) is full: the job has filled {held}"
                )?;
            }
            Self::Disk { left, .. } => {
                let left = Size(*left);
                write!(
                    f,
                    "The disk of this machine is nearly full: {left} are left, and the job holds {held}"
                )?;
            }
        }
        let mut most = usage.largest().take(2);
        if let Some((place, bytes)) = most.next() {
            write!(f, ", of which {} {place}", Size(bytes))?;
        }
        if let Some((place, bytes)) = most.next() {
            write!(f, " and {} {place}", Size(bytes))?;
        }
        match self {
            Self::Volume { .. } => f.write_str(". Please use a larger volume"),
            Self::Disk { .. } => f.write_str(". Please ensure that there is enough disk space"),
        }
    }
}

/// A number of bytes as a person reads it; a gigabyte of a volume is a GiB.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths =
            |unit: u64| (u128::from(self.0) * 10 + u128::from(unit) / 2) / u128::from(unit);
        let Some((unit, name)) = UNITS.iter().find(|(unit, _)| tenths(*unit) >= 10) else {
            return write!(f, "{} bytes", self.0);
        };
        let tenths = tenths(*unit);
        match (tenths / 10, tenths % 10) {
            (whole, 0) => write!(f, "{whole} {name}"),
            (whole, tenth) => write!(f, "{whole}.{tenth} {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_at_a_glance() {
        let cases = [
            (0, "0 bytes"),
            (900, "900 bytes"),
            (1023, "1 KB"),
            (1024, "1 KB"),
            (1 << 30, "1 GB"),
            ((1 << 30) - 1, "1 GB"),
            (1_395_864_372, "1.3 GB"),
            (16 << 40, "16384 GB"),
            (u64::MAX, "17179869184 GB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Size(bytes).to_string(), expected, "{bytes}");
        }
    }

    #[test]
    fn the_sentence_says_which_volume_how_much_and_where() {
        let usage = |counted: &[(usize, u64)]| {
            let mut usage = Usage::default();
            counted
                .iter()
                .for_each(|(place, bytes)| usage.add(*place, *bytes));
            usage
        };
        let volume = |counted: &[(usize, u64)]| Exceeded::Volume {
            limit: 1 << 30,
            usage: usage(counted),
        };
        let cases = [
            (
                volume(&[
                    (0, 1 << 20),
                    (1, 1_288_490_189),
                    (4, 100 << 20),
                    (5, 3 << 20),
                ]),
                "The volume of 1 GB (VolumeSizeInGB) is full: the job has filled 1.3 GB, of which \
                 1.2 GB in /opt/ml/model and 103 MB outside of /opt/ml. Please use a larger volume",
            ),
            (
                volume(&[(3, 2 << 30)]),
                "The volume of 1 GB (VolumeSizeInGB) is full: the job has filled 2 GB, of which \
                 2 GB in /opt/ml/checkpoints. Please use a larger volume",
            ),
            (
                Exceeded::Disk {
                    left: 300 << 20,
                    usage: usage(&[(2, 5 << 30)]),
                },
                "The disk of this machine is nearly full: 300 MB are left, and the job holds 5 GB, \
                 of which 5 GB in /opt/ml/output. Please ensure that there is enough disk space",
            ),
            (
                Exceeded::Disk {
                    left: 0,
                    usage: Usage::default(),
                },
                "The disk of this machine is nearly full: 0 bytes are left, and the job holds \
                 0 bytes. Please ensure that there is enough disk space",
            ),
        ];
        for (exceeded, expected) in cases {
            assert_eq!(exceeded.to_string(), expected);
        }
    }
}
