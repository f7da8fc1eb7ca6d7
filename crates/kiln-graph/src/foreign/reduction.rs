//! Operators that make one element of many along some axes.

use super::Building;

/// What is made of many elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    Mean,
    Max,
    Min,
    Product,
    Sum,
    /// The sum of what they are without their signs.
    L1,
    /// The root of the sum of their squares.
    L2,
}

impl Reduction {
    fn operator(self) -> &'static str {
        match self {
            Self::Mean => "ReduceMean",
            Self::Max => "ReduceMax",
            Self::Min => "ReduceMin",
            Self::Product => "ReduceProd",
            Self::Sum => "ReduceSum",
            Self::L1 => "ReduceL1",
            Self::L2 => "ReduceL2",
        }
    }
}

impl Building {
    /// `data` reduced along these axes, which stay as dimensions of one if `keeps`.
    pub(crate) fn reduce(
        &mut self,
        reduction: Reduction,
        data: &str,
        axes: &[i64],
        keeps: bool,
    ) -> String {
        let operator = reduction.operator();
        let keeps = ("keepdims", i64::from(keeps).into());
        if reduction == Reduction::Sum {
            // The only one whose axes are an input already.
            let axes = self.list(axes);
            return self.node(operator, &[data, &axes], &[keeps]);
        }
        self.node(operator, &[data], &[("axes", axes.to_vec().into()), keeps])
    }
}
