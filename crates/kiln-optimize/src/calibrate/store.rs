//! Rows of activations in a file: they are read and written in parts, so that they take no
//! memory, whatever their number.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use half::bf16;

use super::linear::Precision;
use crate::OptimizeError;

/// How numbers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// As they are.
    Exact,
    /// Rounded to `BF16`, for what is multiplied as such anyway.
    Rounded,
}

impl Keeping {
    /// How what is multiplied so is kept.
    #[must_use]
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::Full => Self::Exact,
            Precision::Half => Self::Rounded,
        }
    }

    /// Bytes of a number.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Exact => 4,
            Self::Rounded => 2,
        }
    }
}

/// A file of rows.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    file: File,
    width: usize,
    keeping: Keeping,
}

impl Store {
    /// Makes a file, in the place of one that may be there.
    pub fn create(path: &Path, width: usize, keeping: Keeping) -> Result<Self, OptimizeError> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(path).map_err(OptimizeError::written(path))?;
        Ok(Self::over(path, file, width, keeping))
    }

    /// Opens a file for reading.
    pub fn open(path: &Path, width: usize, keeping: Keeping) -> Result<Self, OptimizeError> {
        let file = File::open(path).map_err(OptimizeError::read(path))?;
        Ok(Self::over(path, file, width, keeping))
    }

    fn over(path: &Path, file: File, width: usize, keeping: Keeping) -> Self {
        Self {
            path: path.to_path_buf(),
            file,
            width,
            keeping,
        }
    }

    /// Reads some rows.
    pub fn read(&self, rows: Range<usize>) -> Result<Vec<f32>, OptimizeError> {
        let mut bytes = vec![0u8; (rows.end - rows.start) * self.row()];
        let at = (rows.start * self.row()) as u64;
        self.file
            .read_exact_at(&mut bytes, at)
            .map_err(OptimizeError::read(&self.path))?;
        Ok(match self.keeping {
            Keeping::Exact => bytes
                .as_chunks()
                .0
                .iter()
                .map(|x| f32::from_le_bytes(*x))
                .collect(),
            Keeping::Rounded => {
                let halves = bytes.as_chunks().0.iter();
                halves
                    .map(|x| f32::from_bits(u32::from(u16::from_le_bytes(*x)) << 16))
                    .collect()
            }
        })
    }

    /// Writes rows from the row `first` on.
    pub fn write(&self, first: usize, rows: &[f32]) -> Result<(), OptimizeError> {
        let bytes: Vec<u8> = match self.keeping {
            Keeping::Exact => rows.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Keeping::Rounded => rows
                .iter()
                .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
                .collect(),
        };
        let at = (first * self.row()) as u64;
        self.file
            .write_all_at(&bytes, at)
            .map_err(OptimizeError::written(&self.path))
    }

    /// Returns when everything is on the disk.
    pub fn sync(&self) -> Result<(), OptimizeError> {
        self.file
            .sync_all()
            .map_err(OptimizeError::written(&self.path))
    }

    fn row(&self) -> usize {
        self.width * self.keeping.bytes() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("rows");
        for (keeping, third) in [(Keeping::Exact, 1.003), (Keeping::Rounded, 1.0)] {
            let store = Store::create(&path, 2, keeping).unwrap();
            store.write(1, &[1.003, -4.0]).unwrap();
            store.write(0, &[1.0, 2.0]).unwrap();
            assert_eq!(store.read(1..2).unwrap(), [third, -4.0]);
            let store = Store::open(&path, 2, keeping).unwrap();
            assert_eq!(store.read(0..2).unwrap(), [1.0, 2.0, third, -4.0]);
            assert!(store.read(1..3).is_err());
        }
    }
}
