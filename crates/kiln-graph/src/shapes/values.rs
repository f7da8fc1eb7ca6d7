//! Sizes that are followed through arithmetic: what a shape's elements become, as
//! far as each is known, when they are picked, joined and computed with.

use super::Site;
use super::fact::Size;
use super::selection::{Cut, slice_of};
use crate::model::Dim;

/// What is known of the elements of an operator's first output, which is a scalar
/// or a vector.
pub(super) fn followed(site: &Site) -> Option<Vec<Size>> {
    match site.operator() {
        "Identity" | "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" => {
            site.sizes(0).map(<[Size]>::to_vec)
        }
        "Cast" | "CastLike" => site.sizes(0).map(<[Size]>::to_vec),
        "Concat" => joined(site),
        "Gather" => gathered(site),
        "Slice" => sliced(site),
        "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" if site.inputs().len() == 2 => computed(site),
        "Where" => chosen(site),
        "ReduceProd" => product(site),
        _ => None,
    }
}

fn joined(site: &Site) -> Option<Vec<Size>> {
    let all: Option<Vec<&[Size]>> = (0..site.inputs().len())
        .map(|place| site.sizes(place))
        .collect();
    Some(all?.concat())
}

fn gathered(site: &Site) -> Option<Vec<Size>> {
    let sizes = site.sizes(0).filter(|_| site.rank(0) == Some(1))?;
    let count = i64::try_from(sizes.len()).ok()?;
    let pick = |place: i64| {
        let place = if place < 0 {
            place.checked_add(count)?
        } else {
            place
        };
        sizes.get(usize::try_from(place).ok()?).cloned()
    };
    site.ints_of(1)?.into_iter().map(pick).collect()
}

fn sliced(site: &Site) -> Option<Vec<Size>> {
    let sizes = site.sizes(0).filter(|_| site.rank(0) == Some(1))?;
    let slice = slice_of(site, 1).ok()??;
    let &[(_, Some(start), Some(end), step)] = slice.as_slice() else {
        return None;
    };
    let cut = Cut::new(i128::try_from(sizes.len()).ok()?, start, end, step).ok()?;
    let at = |n: i128| usize::try_from(cut.first + n * cut.step).ok();
    (0..cut.count).map(|n| sizes.get(at(n)?).cloned()).collect()
}

fn computed(site: &Site) -> Option<Vec<Size>> {
    let (one, two) = (site.sizes(0)?, site.sizes(1)?);
    if !site.element(0)?.is_integer() {
        return None;
    }
    let count = if one.len() == 1 { two.len() } else { one.len() };
    let of = |sizes: &[Size], place: usize| match sizes {
        [only] => Some(only.clone()),
        _ => sizes.get(place).cloned(),
    };
    if two.len() != 1 && two.len() != count {
        return None;
    }
    (0..count)
        .map(|n| Some(combined(site.operator(), of(one, n)?, of(two, n)?)))
        .collect()
}

fn combined(operator: &str, one: Size, two: Size) -> Size {
    if let (Size::Known(one), Size::Known(two)) = (&one, &two) {
        let result = match operator {
            "Add" => one.checked_add(*two),
            "Sub" => one.checked_sub(*two),
            "Mul" => one.checked_mul(*two),
            "Div" => one.checked_div(*two),
            "Max" => Some(*one.max(two)),
            "Min" => Some(*one.min(two)),
            _ => None,
        };
        return result.map_or(Size::Unknown, Size::Known);
    }
    match (operator, one, two) {
        ("Add" | "Sub", one, Size::Known(0)) | ("Mul" | "Div", one, Size::Known(1)) => one,
        ("Add", Size::Known(0), two) | ("Mul", Size::Known(1), two) => two,
        _ => Size::Unknown,
    }
}

/// A choice between sizes, such as -1 where a shape is to stay.
fn chosen(site: &Site) -> Option<Vec<Size>> {
    let (yes, no) = (site.sizes(1)?, site.sizes(2)?);
    let condition = site.reals_of(0)?;
    let count = condition.len().max(yes.len()).max(no.len());
    let at = |length: usize, n: usize| if length == 1 { 0 } else { n };
    let pick = |n: usize| {
        let yes_or_no = condition.get(at(condition.len(), n))?;
        let from = if *yes_or_no == 0.0 { no } else { yes };
        from.get(at(from.len(), n)).cloned()
    };
    (0..count).map(pick).collect()
}

fn product(site: &Site) -> Option<Vec<Size>> {
    let sizes = site.sizes(0).filter(|_| site.rank(0) == Some(1))?;
    let product = sizes
        .iter()
        .try_fold(1i64, |all, size| all.checked_mul(size.known()?))
        .map_or(Size::Unknown, Size::Known);
    site.dims(0).map(<[Dim]>::len).map(|_| vec![product])
}
