//! One node that is being converted, with what it sees.

use super::attributes::Attributes;
use crate::foreign::{self, Building};

/// A value and its sizes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub(super) name: String,
    pub(super) dims: Vec<usize>,
}

/// What a translation gives: a value for each output, or why there is none, as
/// the end of a sentence.
pub(super) type Converted = Result<Vec<Value>, String>;

/// One node.
pub(super) struct Call<'a> {
    pub(super) graph: &'a mut Building,
    pub(super) attributes: &'a Attributes,
    pub(super) inputs: Vec<Value>,
}

/// Refuses sizes that no machine has room for: what is computed from others
/// cannot overflow.
pub(super) fn check(dims: &[usize]) -> Result<(), String> {
    let count = dims.iter().try_fold(1_usize, |all, size| {
        all.checked_mul((*size).max(1))
            .filter(|all| *all <= i32::MAX as usize)
    });
    match count {
        Some(_) if dims.len() <= 32 => Ok(()),
        _ => Err("what it gives is too large".to_owned()),
    }
}

/// A size that was computed and is one only if it is not negative.
pub(super) fn size(value: i64) -> Result<usize, String> {
    let size = usize::try_from(value)
        .ok()
        .filter(|size| *size <= i32::MAX as usize);
    size.ok_or_else(|| format!("one of its sizes would be {value}"))
}

impl Call<'_> {
    /// An input.
    pub(super) fn input(&self, place: usize) -> Result<Value, String> {
        let value = self.inputs.get(place).cloned();
        value.ok_or_else(|| format!("its input {place} is missing"))
    }

    /// An input and how many dimensions it has, which may be no fewer than these.
    pub(super) fn ranked(&self, place: usize, least: usize) -> Result<Value, String> {
        let value = self.input(place)?;
        match value.dims.len() >= least {
            true => Ok(value),
            false => Err(format!(
                "its input {place} has {} dimensions instead of {least}",
                value.dims.len()
            )),
        }
    }

    /// A node on these values, whose sizes will be `dims`.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&Value],
        with: foreign::Attributes,
        dims: Vec<usize>,
    ) -> Value {
        let inputs: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let name = self.graph.node(operator, &inputs, with);
        Value { name, dims }
    }

    /// An operator on each element.
    pub(super) fn each(&mut self, operator: &str, data: &Value) -> Value {
        self.node(operator, &[data], &[], data.dims.clone())
    }

    /// An operator on each element and a number.
    pub(super) fn with_scalar(&mut self, operator: &str, data: &Value, number: f32) -> Value {
        let name = self.graph.with_scalar(operator, &data.name, number);
        Value {
            name,
            dims: data.dims.clone(),
        }
    }

    /// An operator on two values, of which each may be spread over the other.
    pub(super) fn pair(
        &mut self,
        operator: &str,
        left: &Value,
        right: &Value,
    ) -> Result<Value, String> {
        let dims = spread(&left.dims, &right.dims)?;
        Ok(self.node(operator, &[left, right], &[], dims))
    }

    /// The same elements in other sizes.
    pub(super) fn reshape(&mut self, data: &Value, dims: Vec<usize>) -> Result<Value, String> {
        check(&dims)?;
        let [old, new] = [&data.dims, &dims].map(|dims| dims.iter().product::<usize>());
        if old != new {
            return Err(format!("{:?} cannot become {dims:?}", data.dims));
        }
        let sizes: Vec<i64> = dims.iter().map(|size| *size as i64).collect();
        let name = self.graph.reshape(&data.name, &sizes);
        Ok(Value { name, dims })
    }

    /// The dimensions in another order, each of which is named once.
    pub(super) fn transpose(&mut self, data: &Value, order: &[usize]) -> Value {
        let dims = order.iter().map(|&axis| data.dims[axis]).collect();
        let order: Vec<i64> = order.iter().map(|axis| *axis as i64).collect();
        let name = self.graph.transpose(&data.name, &order);
        Value { name, dims }
    }

    /// What lies from `start` up to `end` along an axis.
    pub(super) fn slice(
        &mut self,
        data: &Value,
        axis: usize,
        start: usize,
        end: usize,
    ) -> Result<Value, String> {
        if start > end || end > data.dims[axis] {
            return Err(format!(
                "{} places do not reach from {start} to {end}",
                data.dims[axis]
            ));
        }
        let name = self
            .graph
            .slice(&data.name, axis as i64, start as i64, end as i64);
        let mut dims = data.dims.clone();
        dims[axis] = end - start;
        Ok(Value { name, dims })
    }

    /// Values one behind the other along an axis.
    pub(super) fn concat(&mut self, parts: &[Value], axis: usize) -> Result<Value, String> {
        let first = parts.first().ok_or("it has no inputs")?;
        let mut dims = first.dims.clone();
        if axis >= dims.len() {
            return Err(format!("it has no axis {axis}"));
        }
        let but_axis = |dims: &[usize]| {
            let mut dims = dims.to_vec();
            dims.get_mut(axis).map(std::mem::take);
            dims
        };
        if let Some(other) = parts
            .iter()
            .find(|part| but_axis(&part.dims) != but_axis(&dims))
        {
            return Err(format!("{dims:?} and {:?} cannot be joined", other.dims));
        }
        dims[axis] = parts.iter().map(|part| part.dims[axis]).sum();
        let parts: Vec<&Value> = parts.iter().collect();
        Ok(self.node("Concat", &parts, &[("axis", (axis as i64).into())], dims))
    }

    /// A number in every place.
    pub(super) fn filled(&mut self, number: f32, dims: Vec<usize>) -> Value {
        let sizes: Vec<i64> = dims.iter().map(|size| *size as i64).collect();
        let (number, sizes) = (self.graph.scalar(number), self.graph.list(&sizes));
        let name = self.graph.node("Expand", &[&number, &sizes], &[]);
        Value { name, dims }
    }

    /// A list of one number for each channel, so that it spreads over `data`.
    pub(super) fn along(
        &mut self,
        list: &Value,
        data: &Value,
        axis: usize,
    ) -> Result<Value, String> {
        let mut dims = vec![1; data.dims.len()];
        dims[axis] = list.dims.iter().product();
        self.reshape(list, dims)
    }

    /// An attribute that is an axis, counted from the first.
    pub(super) fn axis(&self, name: &str, otherwise: i64, rank: usize) -> Result<usize, String> {
        counted(self.attributes.int(name)?.unwrap_or(otherwise), rank)
    }
}

/// An axis counted from the first, which may be given counted from the last.
pub(super) fn counted(axis: i64, rank: usize) -> Result<usize, String> {
    let rank = rank as i64;
    let place = if axis < 0 {
        axis.saturating_add(rank)
    } else {
        axis
    };
    match (0..rank).contains(&place) {
        true => Ok(place as usize),
        false => Err(format!("it has no axis {axis}")),
    }
}

/// The sizes of two values together, where 1 spreads over any size.
pub(super) fn spread(left: &[usize], right: &[usize]) -> Result<Vec<usize>, String> {
    let rank = left.len().max(right.len());
    let at = |dims: &[usize], place: usize| {
        (place + dims.len())
            .checked_sub(rank)
            .map_or(1, |place| dims[place])
    };
    let both = (0..rank).map(|place| match (at(left, place), at(right, place)) {
        (one, other) if one == other || other == 1 => Ok(one),
        (1, other) => Ok(other),
        _ => Err(format!("{left:?} and {right:?} do not fit together")),
    });
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_spread() {
        assert_eq!(spread(&[2, 1, 4], &[3, 1]), Ok(vec![2, 3, 4]));
        assert_eq!(spread(&[], &[3]), Ok(vec![3]));
        assert!(spread(&[2], &[3]).is_err());
    }
}
