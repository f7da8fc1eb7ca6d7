//! Constants: tensors whose elements lie in the file.

use super::network::Network;
use super::schema::File;
use crate::model::{Element, Tensor};

/// How many bytes of constants a file may give rise to beside those that are
/// shared with it: several tensors may be made of the same bytes.
const COPIES: usize = 8;

/// What a small file may give rise to beyond that.
const LEAST: usize = 1 << 20;

/// The bytes of constants that may be made from a file.
pub(super) fn budget(file: &File) -> usize {
    let all = file
        .buffers
        .iter()
        .fold(0_usize, |all, buffer| all.saturating_add(buffer.len()));
    all.saturating_mul(COPIES).saturating_add(LEAST)
}

/// A tensor's elements, if they lie in the file.
pub(super) fn tensor(network: &mut Network, place: usize) -> Result<Option<Tensor>, String> {
    let info = &network.file.tensors[place];
    let Some(buffer) = network
        .file
        .buffers
        .get(info.buffer)
        .filter(|bytes| !bytes.is_empty())
    else {
        return Ok(None);
    };
    if info.is_sparse {
        return Err(format!(
            "the tensor `{}` is sparse, which is not implemented",
            info.name
        ));
    }
    if info.element == Element::String {
        return Err(format!(
            "the tensor `{}` is of text, which is not implemented",
            info.name
        ));
    }
    let tensor = Tensor::new(info.element, info.dims.clone(), buffer.clone());
    tensor
        .map(Some)
        .map_err(|error| format!("the tensor `{}` is broken: {error}", info.name))
}

/// The tensor with its dimensions in another order.
pub(super) fn permuted(
    network: &mut Network,
    tensor: &Tensor,
    order: &[usize],
) -> Result<Tensor, String> {
    let (Some(bytes), size) = (tensor.bytes(), tensor.element().bits() / 8) else {
        return Err("its weights are of text".to_owned());
    };
    if size == 0 || order.len() != tensor.rank() {
        return Err(format!(
            "its weights of {} have {} dimensions",
            tensor.element(),
            tensor.rank()
        ));
    }
    network.charge(bytes.len())?;
    let dims: Vec<usize> = order.iter().map(|&axis| tensor.dims()[axis]).collect();
    let mut strides = vec![size; tensor.rank()];
    for axis in (1..tensor.rank()).rev() {
        strides[axis - 1] = strides[axis] * tensor.dims()[axis];
    }
    let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
    let mut moved = Vec::with_capacity(bytes.len());
    let mut index = vec![0; dims.len()];
    for _ in 0..tensor.len() {
        let at: usize = index
            .iter()
            .zip(&strides)
            .map(|(at, stride)| at * stride)
            .sum();
        moved.extend_from_slice(&bytes[at..at + size]);
        step(&mut index, &dims);
    }
    Tensor::new(tensor.element(), dims, moved.into()).map_err(|error| error.to_string())
}

/// The next index in row-major order.
fn step(index: &mut [usize], dims: &[usize]) {
    for (at, size) in index.iter_mut().zip(dims).rev() {
        *at += 1;
        if *at < *size {
            return;
        }
        *at = 0;
    }
}
