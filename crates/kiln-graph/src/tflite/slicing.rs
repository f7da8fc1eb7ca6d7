//! Operators that cut a part out of a tensor.

use super::call::{Call, Converted};

/// Beyond the end of every axis.
const END: i64 = i64::MAX;

pub(super) fn slice(call: &mut Call) -> Converted {
    let lengths = call.integers(2)?;
    let axes: Vec<i64> = (0..lengths.len() as i64).collect();
    let Some(starts) = call.constant(1)? else {
        return moving_slice(call, &lengths, &axes);
    };
    if starts.len() != lengths.len() {
        return Err("its starts and lengths differ in number".to_owned());
    }
    let ends: Vec<i64> = starts
        .iter()
        .zip(&lengths)
        .map(|(start, length)| match length {
            -1 => END,
            length => start.saturating_add(*length),
        })
        .collect();
    let data = call.real(0)?;
    let graph = call.graph();
    let (starts, ends, axes) = (graph.list(&starts), graph.list(&ends), graph.list(&axes));
    Ok(vec![graph.node(
        "Slice",
        &[&data, &starts, &ends, &axes],
        &[],
    )])
}

/// A slice whose place is not known before the network runs.
fn moving_slice(call: &mut Call, lengths: &[i64], axes: &[i64]) -> Converted {
    if lengths.contains(&-1) {
        return Err("that both its place and its length vary is not implemented".to_owned());
    }
    let (data, starts) = (call.real(0)?, call.sizes(1)?);
    let graph = call.graph();
    let lengths = graph.list(lengths);
    let ends = graph.node("Add", &[&starts, &lengths], &[]);
    let axes = graph.list(axes);
    Ok(vec![graph.node(
        "Slice",
        &[&data, &starts, &ends, &axes],
        &[],
    )])
}

pub(super) fn strided_slice(call: &mut Call) -> Converted {
    let lists = [call.integers(1)?, call.integers(2)?, call.integers(3)?];
    let masks = Masks {
        begin: call.option(0)?,
        end: call.option(1)?,
        ellipsis: call.option(2)?,
        new_axis: call.option(3)?,
        shrink: call.option(4)?,
        is_length: call.flag(5)?,
    };
    let plan = plan(&lists, &masks, call.info(0)?.dims.len())?;
    let mut data = call.real(0)?;
    let graph = call.graph();
    if !plan.axes.is_empty() {
        let lists = [&plan.starts, &plan.ends, &plan.axes, &plan.steps];
        let [starts, ends, axes, steps] = lists.map(|values| graph.list(values));
        data = graph.node("Slice", &[&data, &starts, &ends, &axes, &steps], &[]);
    }
    for (operator, axes) in [("Squeeze", &plan.gone), ("Unsqueeze", &plan.new)] {
        if !axes.is_empty() {
            let axes = graph.list(axes);
            data = graph.node(operator, &[&data, &axes], &[]);
        }
    }
    Ok(vec![data])
}

/// What the bits of a strided slice's options say of the places in its lists.
struct Masks {
    begin: i32,
    end: i32,
    ellipsis: i32,
    new_axis: i32,
    shrink: i32,
    /// Whether ends are counted from the beginnings.
    is_length: bool,
}

/// A strided slice as a slice, then a squeeze, then an unsqueeze.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    starts: Vec<i64>,
    ends: Vec<i64>,
    axes: Vec<i64>,
    steps: Vec<i64>,
    /// Axes of what is sliced that go.
    gone: Vec<i64>,
    /// Axes of the result that are new.
    new: Vec<i64>,
}

fn plan(
    [begins, ends, strides]: &[Vec<i64>; 3],
    masks: &Masks,
    rank: usize,
) -> Result<Plan, String> {
    let places = begins.len();
    if ends.len() != places || strides.len() != places || places > 32 {
        return Err("its begins, ends and strides differ in number".to_owned());
    }
    let is_set = |mask: i32, place: usize| mask >> place & 1 == 1;
    let is_ellipsis = |place: usize| is_set(masks.ellipsis, place);
    let takes_axis = |place: &usize| !is_ellipsis(*place) && !is_set(masks.new_axis, *place);
    let taken = (0..places).filter(takes_axis).count();
    let skipped = rank
        .checked_sub(taken)
        .ok_or("it names more axes than there are")?;
    let mut plan = Plan::default();
    let (mut axis, mut result) = (0_i64, 0_i64);
    for place in 0..places {
        if is_ellipsis(place) {
            axis += skipped as i64;
            result += skipped as i64;
            continue;
        }
        if is_set(masks.new_axis, place) {
            plan.new.push(result);
            result += 1;
            continue;
        }
        let (begin, stride) = (begins[place], strides[place]);
        if stride == 0 {
            return Err("one of its strides is 0".to_owned());
        }
        if is_set(masks.shrink, place) {
            plan.gone.push(axis);
            // -1 is the last one, and what follows that is the end.
            let end = if begin == -1 {
                END
            } else {
                begin.saturating_add(1)
            };
            plan.cut(axis, begin, end, 1);
        } else {
            let (first, last) = if stride > 0 {
                (0, END)
            } else {
                (END, i64::MIN)
            };
            let start = if is_set(masks.begin, place) {
                first
            } else {
                begin
            };
            let end = match is_set(masks.end, place) {
                true => last,
                false if masks.is_length => begin.saturating_add(ends[place]),
                false => ends[place],
            };
            plan.cut(axis, start, end, stride);
            result += 1;
        }
        axis += 1;
    }
    Ok(plan)
}

impl Plan {
    fn cut(&mut self, axis: i64, start: i64, end: i64, step: i64) {
        if (start, end, step) == (0, END, 1) {
            return;
        }
        self.axes.push(axis);
        self.starts.push(start);
        self.ends.push(end);
        self.steps.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Masks = Masks {
        begin: 0,
        end: 0,
        ellipsis: 0,
        new_axis: 0,
        shrink: 0,
        is_length: false,
    };

    fn planned(lists: [&[i64]; 3], masks: Masks, rank: usize) -> Plan {
        plan(&lists.map(<[i64]>::to_vec), &masks, rank).unwrap()
    }

    #[test]
    fn masks_open_the_ends() {
        // x[1:, ::-1]
        let masks = Masks {
            begin: 2,
            end: 3,
            ..NONE
        };
        let expected = Plan {
            starts: vec![1, END],
            ends: vec![END, i64::MIN],
            axes: vec![0, 1],
            steps: vec![1, -1],
            ..Plan::default()
        };
        assert_eq!(planned([&[1, 0], &[0, 0], &[1, -1]], masks, 3), expected);
    }

    #[test]
    fn an_ellipsis_takes_what_nobody_names() {
        // x[..., 2, newaxis] of three dimensions
        let masks = Masks {
            ellipsis: 1,
            new_axis: 4,
            shrink: 2,
            ..NONE
        };
        let expected = Plan {
            starts: vec![2],
            ends: vec![3],
            axes: vec![2],
            steps: vec![1],
            gone: vec![2],
            new: vec![2],
        };
        assert_eq!(
            planned([&[0, 2, 0], &[0, 3, 0], &[1, 1, 1]], masks, 3),
            expected
        );
    }

    #[test]
    fn the_last_one_can_be_taken() {
        let masks = Masks { shrink: 1, ..NONE };
        let plan = planned([&[-1], &[0], &[1]], masks, 1);
        assert_eq!(
            (plan.starts, plan.ends, plan.gone),
            (vec![-1], vec![END], vec![0])
        );
    }
}
