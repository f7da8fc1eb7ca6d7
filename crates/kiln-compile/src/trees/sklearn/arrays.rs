//! Arrays of numbers in little endian, one after another.

use super::malformed;
use crate::trees::TreesError;

/// What is left of the arrays.
pub(super) struct Arrays<'a> {
    rest: &'a [u8],
}

pub(super) fn too_short() -> TreesError {
    malformed("it ends too soon")
}

impl<'a> Arrays<'a> {
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub fn bytes(&mut self, count: usize) -> Result<Vec<u8>, TreesError> {
        self.take::<1>(count).map(|items| items.concat())
    }

    pub fn words(&mut self, count: usize) -> Result<Vec<u32>, TreesError> {
        let items = self.take(count)?;
        Ok(items.iter().map(|item| u32::from_le_bytes(*item)).collect())
    }

    pub fn signed(&mut self, count: usize) -> Result<Vec<i32>, TreesError> {
        let items = self.take(count)?;
        Ok(items.iter().map(|item| i32::from_le_bytes(*item)).collect())
    }

    pub fn doubles(&mut self, count: usize) -> Result<Vec<f64>, TreesError> {
        let items = self.take(count)?;
        Ok(items.iter().map(|item| f64::from_le_bytes(*item)).collect())
    }

    /// Fails unless everything has been taken.
    pub fn end(&self) -> Result<(), TreesError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(malformed("there is more than it says"))
    }

    fn take<const WIDTH: usize>(&mut self, count: usize) -> Result<&'a [[u8; WIDTH]], TreesError> {
        let length = count.checked_mul(WIDTH).ok_or_else(too_short)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(taken.as_chunks().0)
    }
}
