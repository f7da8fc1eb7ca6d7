//! Quantised tensors: numbers of 8 bits that stand for others.

use super::schema::{Quantisation, TensorInfo};
use crate::foreign::Building;
use crate::model::{Attribute, Element};

/// Names of scales and zero points, and the attribute that says their axis.
type Parameters = (Vec<String>, Vec<(&'static str, Attribute)>);

impl Quantisation {
    /// What a quantised value stands for.
    pub(super) fn dequantise(
        &self,
        graph: &mut Building,
        value: &str,
        info: &TensorInfo,
    ) -> Result<String, String> {
        self.apply(graph, "DequantizeLinear", value, (info.element, &info.dims))
            .map_err(|reason| of_tensor(info, &reason))
    }

    /// What weights stand for whose dimensions have been put in another order.
    pub(super) fn dequantise_permuted(
        &self,
        graph: &mut Building,
        value: &str,
        info: &TensorInfo,
        order: &[usize],
    ) -> Result<String, String> {
        let dims: Vec<usize> = order.iter().map(|&axis| info.dims[axis]).collect();
        let moved = Self {
            scales: self.scales.clone(),
            zero_points: self.zero_points.clone(),
            axis: order
                .iter()
                .position(|&axis| axis == self.axis)
                .unwrap_or(0),
        };
        moved
            .apply(graph, "DequantizeLinear", value, (info.element, &dims))
            .map_err(|reason| of_tensor(info, &reason))
    }

    /// The quantised value that stands for this one.
    pub(super) fn quantise(
        &self,
        graph: &mut Building,
        value: &str,
        info: &TensorInfo,
    ) -> Result<String, String> {
        if info.element == Element::I32 {
            return Err(of_tensor(info, "is to int32, which is not implemented"));
        }
        self.apply(graph, "QuantizeLinear", value, (info.element, &info.dims))
            .map_err(|reason| of_tensor(info, &reason))
    }

    fn apply(
        &self,
        graph: &mut Building,
        operator: &str,
        value: &str,
        (element, dims): (Element, &[usize]),
    ) -> Result<String, String> {
        // Numbers that were never quantised may bear the range that they have.
        if element == Element::F32 {
            return Ok(value.to_owned());
        }
        let (parameters, axis) = self.parameters(graph, element, dims)?;
        let mut inputs = vec![value];
        inputs.extend(parameters.iter().map(String::as_str));
        Ok(graph.node(operator, &inputs, &axis))
    }

    fn parameters(
        &self,
        graph: &mut Building,
        element: Element,
        dims: &[usize],
    ) -> Result<Parameters, String> {
        if !self
            .scales
            .iter()
            .all(|scale| scale.is_finite() && *scale > 0.0)
        {
            return Err("has scales that are not positive".to_owned());
        }
        let is_single = self.scales.len() == 1;
        if !is_single && dims.get(self.axis) != Some(&self.scales.len()) {
            return Err("has other than one scale for each channel".to_owned());
        }
        let (min, max) = match element {
            Element::I8 => (-128, 127),
            Element::U8 => (0, 255),
            // Biases, which are always centred.
            Element::I32 => (0, 0),
            other => return Err(format!("is to {other}, which is not implemented")),
        };
        let zero_point = |place: usize| self.zero_points.get(place).copied().unwrap_or(0);
        let zero_points: Vec<i64> = (0..self.scales.len()).map(zero_point).collect();
        if zero_points.iter().any(|point| !(min..=max).contains(point)) {
            return Err("has zero points out of range".to_owned());
        }
        let bytes: Vec<u8> = zero_points.iter().map(|point| *point as u8).collect();
        let signed: Vec<i8> = zero_points.iter().map(|point| *point as i8).collect();
        let scales = match is_single {
            true => graph.scalar(self.scales[0]),
            false => graph.list(&self.scales),
        };
        let zero_points = match (element, is_single) {
            (Element::I8, true) => Some(graph.scalar(signed[0])),
            (Element::I8, false) => Some(graph.list(&signed)),
            (Element::U8, true) => Some(graph.scalar(bytes[0])),
            (Element::U8, false) => Some(graph.list(&bytes)),
            _ => None,
        };
        let mut axis: Vec<(&str, Attribute)> = Vec::new();
        if !is_single {
            axis.push(("axis", (self.axis as i64).into()));
        }
        Ok((
            [Some(scales), zero_points].into_iter().flatten().collect(),
            axis,
        ))
    }
}

fn of_tensor(info: &TensorInfo, reason: &str) -> String {
    format!("the quantisation of the tensor `{}` {reason}", info.name)
}
