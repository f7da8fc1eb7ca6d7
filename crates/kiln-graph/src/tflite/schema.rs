//! The tables of the schema, with what a network's meaning rests on.

use bytes::Bytes;

use super::FORMAT;
use super::flat::{Flat, Table};
use crate::foreign::ForeignError;
use crate::model::{Element, RANK_LIMIT};

/// A file that was read: its first graph.
pub(super) struct File<'a> {
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    pub(super) operators: Vec<Operator<'a>>,
    pub(super) buffers: Vec<Bytes>,
}

/// A value: a constant if its buffer is not empty.
pub(super) struct TensorInfo {
    pub(super) name: String,
    pub(super) element: Element,
    /// Its sizes; those that are -1 in `signature` may be others.
    pub(super) dims: Vec<usize>,
    pub(super) signature: Vec<i32>,
    pub(super) buffer: usize,
    pub(super) quantisation: Option<Quantisation>,
    /// Whether it keeps its contents from one run to the next.
    pub(super) is_variable: bool,
    pub(super) is_sparse: bool,
}

/// What a quantised number stands for: (number - zero point) × scale.
pub(super) struct Quantisation {
    /// One, or one for each place along `axis`.
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Vec<i64>,
    pub(super) axis: usize,
}

/// One operation.
pub(super) struct Operator<'a> {
    pub(super) code: i32,
    /// The name of one that is not of the schema.
    pub(super) custom: &'a str,
    /// Numbers of tensors; -1 for what is left out.
    pub(super) inputs: Vec<i32>,
    pub(super) outputs: Vec<i32>,
    /// What it is told beside its inputs: a table that depends on the operator.
    pub(super) options: Option<Table<'a>>,
}

impl<'a> File<'a> {
    pub(super) fn read(flat: &'a Flat<'a>) -> Result<Self, ForeignError> {
        let model = flat.root()?;
        let version = model.u32(0)?;
        if version != 3 {
            let reason = format!("its schema is of version {version} instead of 3");
            return Err(ForeignError::malformed(FORMAT, reason));
        }
        let codes = model
            .tables(1)?
            .iter()
            .map(operator_code)
            .collect::<Result<Vec<_>, _>>()?;
        let graphs = model.tables(2)?;
        let graph = graphs.first();
        let graph = graph.ok_or_else(|| ForeignError::malformed(FORMAT, "it has no graph"))?;
        let outputs = graph.i32s(2)?;
        if outputs.is_empty() {
            return Err(ForeignError::malformed(FORMAT, "its graph has no outputs"));
        }
        let operators = graph.tables(3)?;
        let operators = operators.iter().map(|table| operator(table, &codes));
        Ok(Self {
            tensors: graph
                .tables(0)?
                .iter()
                .map(tensor)
                .collect::<Result<_, _>>()?,
            inputs: graph.i32s(1)?,
            outputs,
            operators: operators.collect::<Result<_, _>>()?,
            buffers: buffers(flat, &model)?,
        })
    }
}

fn operator_code<'a>(table: &Table<'a>) -> Result<(i32, &'a str), ForeignError> {
    // The first field is what old files have; it ends at 127.
    let code = i32::from(table.u8(0)?).max(table.i32(3, 0)?);
    Ok((code, table.text(1)?))
}

/// The constants' bytes. Those of very large files lie behind all tables.
fn buffers(flat: &Flat, model: &Table) -> Result<Vec<Bytes>, ForeignError> {
    let one = |table: &Table| {
        let [at, length] = [table.u64(1)?, table.u64(2)?];
        if at <= 1 {
            return table.bytes(0);
        }
        let beyond = |_| ForeignError::malformed(FORMAT, "it points beyond its end");
        let at = usize::try_from(at).map_err(beyond)?;
        flat.slice(at, usize::try_from(length).map_err(beyond)?)
    };
    model.tables(4)?.iter().map(one).collect()
}

fn tensor(table: &Table) -> Result<TensorInfo, ForeignError> {
    let name = table.text(3)?.to_owned();
    let broken =
        |reason: String| ForeignError::malformed(FORMAT, format!("the tensor `{name}` {reason}"));
    let code = table.u8(1)?;
    let element = element(code).ok_or_else(|| broken(format!("has the unknown type {code}")))?;
    let dims = table.i32s(0)?;
    if dims.len() > RANK_LIMIT {
        return Err(broken("has too many dimensions".to_owned()));
    }
    let positive = |size: &i32| usize::try_from(*size);
    let dims: Result<Vec<usize>, _> = dims.iter().map(positive).collect();
    let dims = dims.map_err(|_| broken("has a negative size".to_owned()))?;
    Ok(TensorInfo {
        element,
        dims,
        signature: table.i32s(7)?,
        buffer: table.u32(2)? as usize,
        quantisation: table
            .table(4)?
            .as_ref()
            .map(quantisation)
            .transpose()?
            .flatten(),
        is_variable: table.flag(5)?,
        is_sparse: table.table(6)?.is_some(),
        name,
    })
}

/// The element type of a number in the schema.
pub(super) fn element(code: u8) -> Option<Element> {
    use Element as E;
    const TYPES: [Option<Element>; 19] = [
        Some(E::F32),
        Some(E::F16),
        Some(E::I32),
        Some(E::U8),
        Some(E::I64),
        Some(E::String),
        Some(E::Bool),
        Some(E::I16),
        Some(E::Complex64),
        Some(E::I8),
        Some(E::F64),
        Some(E::Complex128),
        Some(E::U64),
        None,
        None,
        Some(E::U32),
        Some(E::U16),
        Some(E::I4),
        Some(E::Bf16),
    ];
    TYPES.get(usize::from(code)).copied().flatten()
}

fn quantisation(table: &Table) -> Result<Option<Quantisation>, ForeignError> {
    let scales = table.f32s(2)?;
    let axis = usize::try_from(table.i32(6, 0)?);
    let axis = axis.map_err(|_| ForeignError::malformed(FORMAT, "an axis in it is negative"))?;
    let zero_points = table.i64s(3)?;
    let found = Quantisation {
        scales,
        zero_points,
        axis,
    };
    Ok((!found.scales.is_empty()).then_some(found))
}

fn operator<'a>(table: &Table<'a>, codes: &[(i32, &'a str)]) -> Result<Operator<'a>, ForeignError> {
    let code = codes.get(table.u32(0)? as usize);
    let &(code, custom) = code.ok_or_else(|| {
        ForeignError::malformed(FORMAT, "it uses an operator that it does not list")
    })?;
    Ok(Operator {
        code,
        custom,
        inputs: table.i32s(1)?,
        outputs: table.i32s(2)?,
        options: table.table(4)?,
    })
}
