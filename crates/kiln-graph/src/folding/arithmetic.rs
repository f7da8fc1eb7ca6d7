//! Constants that are computed element by element.

use super::numbers::{from_real, from_whole, is_real, to_real, to_whole};
use super::places::broadcast;
use crate::model::{Element, Tensor};
use crate::shapes::Site;

/// A function of one tensor.
pub(super) fn unary(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    if let Some(all) = to_whole(tensor) {
        let each = |&one: &i128| whole_unary(site.operator(), tensor.element(), one);
        let all: Vec<i128> = all.iter().map(each).collect::<Option<_>>()?;
        return from_whole(tensor.element(), tensor.dims(), &all);
    }
    let all = to_real(tensor)?;
    let all: Vec<f64> = all
        .iter()
        .map(|&one| real_unary(site.operator(), one))
        .collect::<Option<_>>()?;
    from_real(tensor.element(), tensor.dims(), &all)
}

fn whole_unary(operator: &str, element: Element, one: i128) -> Option<i128> {
    Some(match operator {
        "Abs" => one.abs(),
        "Neg" => -one,
        "Sign" => one.signum(),
        "Relu" => one.max(0),
        "Floor" | "Ceil" | "Round" => one,
        "Not" if element == Element::Bool => i128::from(one == 0),
        "BitwiseNot" => !one,
        _ => return None,
    })
}

fn real_unary(operator: &str, one: f64) -> Option<f64> {
    Some(match operator {
        "Abs" => one.abs(),
        "Neg" => -one,
        "Sign" if one == 0.0 || one.is_nan() => one,
        "Sign" => one.signum(),
        "Relu" => one.max(0.0),
        "Floor" => one.floor(),
        "Ceil" => one.ceil(),
        "Round" => one.round_ties_even(),
        "Sqrt" => one.sqrt(),
        "Exp" => one.exp(),
        "Log" => one.ln(),
        "Sin" => one.sin(),
        "Cos" => one.cos(),
        "Tan" => one.tan(),
        "Tanh" => one.tanh(),
        "Sigmoid" => 1.0 / (1.0 + (-one).exp()),
        "Reciprocal" => 1.0 / one,
        _ => return None,
    })
}

/// A function of tensors of one type that are brought to one shape.
pub(super) fn several(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let all: Vec<&Tensor> = (0..site.inputs().len())
        .map(|place| site.constant(place))
        .collect::<Option<_>>()?;
    let element = all.first()?.element();
    if is_real(element) {
        let mut result = spread(all[0], dims, to_real)?;
        for next in &all[1..] {
            let next = spread(next, dims, to_real)?;
            let each = result.iter().zip(&next);
            result = each
                .map(|(&a, &b)| real_binary(site, a, b))
                .collect::<Option<_>>()?;
        }
        if site.operator() == "Mean" {
            result.iter_mut().for_each(|sum| *sum /= all.len() as f64);
        }
        return from_real(element, dims, &result);
    }
    if site.operator() == "Pow" && all.get(1).is_some_and(|by| is_real(by.element())) {
        let (base, by) = (
            spread(all[0], dims, to_real)?,
            spread(all[1], dims, to_real)?,
        );
        let powers: Vec<f64> = base.iter().zip(&by).map(|(a, b)| a.powf(*b)).collect();
        return from_real(element, dims, &powers);
    }
    let mut result = spread(all[0], dims, to_whole)?;
    for next in &all[1..] {
        let next = spread(next, dims, to_whole)?;
        let each = result.iter().zip(&next);
        result = each
            .map(|(&a, &b)| whole_binary(site, a, b))
            .collect::<Option<_>>()?;
    }
    from_whole(element, dims, &result)
}

/// The numbers of a tensor, repeated to fill a shape.
fn spread<T: Copy>(
    tensor: &Tensor,
    dims: &[usize],
    numbers: fn(&Tensor) -> Option<Vec<T>>,
) -> Option<Vec<T>> {
    let all = numbers(tensor)?;
    if tensor.dims() == dims {
        return Some(all);
    }
    broadcast(tensor.dims(), dims)?
        .iter()
        .map(|&place| all.get(place).copied())
        .collect()
}

fn real_binary(site: &Site, one: f64, two: f64) -> Option<f64> {
    Some(match site.operator() {
        "Add" | "Sum" | "Mean" => one + two,
        "Sub" => one - two,
        "Mul" => one * two,
        "Div" => one / two,
        "Pow" => one.powf(two),
        "Mod" if site.is_on("fmod") => one % two,
        "Max" if one.is_nan() || two.is_nan() => f64::NAN,
        "Min" if one.is_nan() || two.is_nan() => f64::NAN,
        "Max" => one.max(two),
        "Min" => one.min(two),
        _ => return None,
    })
}

fn whole_binary(site: &Site, one: i128, two: i128) -> Option<i128> {
    Some(match site.operator() {
        "Add" | "Sum" => one + two,
        "Sub" => one - two,
        "Mul" => one.checked_mul(two)?,
        "Div" => one.checked_div(two)?,
        "Mod" if site.is_on("fmod") => one.checked_rem(two)?,
        "Mod" => {
            let rest = one.checked_rem(two)?;
            if rest != 0 && (rest < 0) != (two < 0) {
                rest + two
            } else {
                rest
            }
        }
        "Pow" => one.checked_pow(u32::try_from(two).ok()?)?,
        "Max" => one.max(two),
        "Min" => one.min(two),
        "BitwiseAnd" => one & two,
        "BitwiseOr" => one | two,
        "BitwiseXor" => one ^ two,
        _ => return None,
    })
}

/// A question about two tensors.
pub(super) fn comparison(site: &Site, dims: &[usize]) -> Option<Tensor> {
    let (one, two) = (site.constant(0)?, site.constant(1)?);
    let answers: Vec<i128> = match (to_whole(one), to_whole(two)) {
        (Some(_), Some(_)) => {
            let (one, two) = (spread(one, dims, to_whole)?, spread(two, dims, to_whole)?);
            let each = one.iter().zip(&two);
            each.map(|(a, b)| answer(site.operator(), a, b))
                .collect::<Option<_>>()?
        }
        _ => {
            let (one, two) = (spread(one, dims, to_real)?, spread(two, dims, to_real)?);
            let each = one.iter().zip(&two);
            each.map(|(a, b)| answer(site.operator(), a, b))
                .collect::<Option<_>>()?
        }
    };
    from_whole(Element::Bool, dims, &answers)
}

fn answer<T: PartialOrd + Default>(operator: &str, one: &T, two: &T) -> Option<i128> {
    let nothing = T::default();
    let is = |value: &T| *value != nothing;
    Some(i128::from(match operator {
        "Equal" => one == two,
        "Greater" => one > two,
        "GreaterOrEqual" => one >= two,
        "Less" => one < two,
        "LessOrEqual" => one <= two,
        "And" => is(one) && is(two),
        "Or" => is(one) || is(two),
        "Xor" => is(one) != is(two),
        _ => return None,
    }))
}

pub(super) fn is_nan_or_infinite(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let (up, down) = (
        site.int_or("detect_positive", 1),
        site.int_or("detect_negative", 1),
    );
    let each = |one: f64| match site.operator() {
        "IsNaN" => one.is_nan(),
        _ => (one == f64::INFINITY && up != 0) || (one == f64::NEG_INFINITY && down != 0),
    };
    let answers: Vec<i128> = to_real(tensor)?
        .into_iter()
        .map(|one| i128::from(each(one)))
        .collect();
    from_whole(Element::Bool, tensor.dims(), &answers)
}

pub(super) fn cast(site: &Site, element: Element) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    if tensor.element() == element {
        return Some(tensor.clone());
    }
    match to_whole(tensor) {
        Some(all) => from_whole(element, tensor.dims(), &all),
        None => {
            let all = to_real(tensor)?;
            // What a number beyond the type's range becomes is left to the machine.
            let fits = |one: &f64| one.abs() < 9e18;
            let whole = element.is_integer() && !all.iter().all(fits);
            if whole {
                None
            } else {
                from_real(element, tensor.dims(), &all)
            }
        }
    }
}

pub(super) fn clip(site: &Site) -> Option<Tensor> {
    let tensor = site.constant(0)?;
    let bound = |place: usize| match (site.input(place), site.constant(place)) {
        (None, _) => Some(None),
        (Some(_), bound) => super::numbers::to_one(bound?).map(Some),
    };
    let (low, high) = (bound(1)?, bound(2)?);
    let each = |one: f64| {
        let raised = low.map_or(one, |low| if one < low { low } else { one });
        high.map_or(raised, |high| if raised > high { high } else { raised })
    };
    // Numbers of 64 bits would lose their last digits.
    if matches!(tensor.element(), Element::I64 | Element::U64) {
        let largest = to_whole(tensor)?
            .into_iter()
            .map(i128::abs)
            .max()
            .unwrap_or(0);
        if largest > 1 << 52 {
            return None;
        }
    }
    let all: Vec<f64> = to_real(tensor)?.into_iter().map(each).collect();
    from_real(tensor.element(), tensor.dims(), &all)
}
