//! An image that is sampled at the places of a grid.
//!
//! Each place lies between pixels, its taps. All taps of all places are taken at once, a
//! row of channels each, from within the image alone: compilers take those that lie outside
//! from whatever memory is there and multiply them by 0, which what is no number survives.

use super::steps::Steps;
use crate::model::{Dim, Element, Node, Tensor};
use crate::shapes::Mismatch;
use crate::shapes::dim::computed;
use crate::versions::Place;

/// How a place's value comes of the pixels around it.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// What lies outside of the image.
#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// How to sample which image.
struct Sampling {
    mode: Mode,
    padding: Padding,
    align_corners: bool,
    /// How many images there are, if it is known.
    batch: Option<usize>,
    channels: usize,
    /// The image's sizes.
    sizes: Vec<usize>,
    /// The type of the image's elements.
    element: Element,
    /// The type that places are computed in.
    precise: Element,
}

/// One axis of all taps: which pixel, whether it lies inside, and how much it counts.
struct Taps {
    pixel: String,
    inside: Option<String>,
    weight: Option<String>,
}

/// The nodes that sample as this one does.
pub(super) fn lowered(node: &Node, place: &mut Place) -> Result<Vec<Node>, Mismatch> {
    let missing = |which| Mismatch(format!("its {which} is missing"));
    let image = node.input(0).ok_or_else(|| missing("image"))?;
    let grid = node.input(1).ok_or_else(|| missing("grid"))?;
    let sampling = Sampling::of(node, [image, grid], place)?;
    Ok(sampling.nodes(image, grid, Steps::new(node, place)))
}

impl Sampling {
    fn of(node: &Node, [image, grid]: [&str; 2], place: &Place) -> Result<Self, Mismatch> {
        let unknown = || Mismatch::new("the sizes of its image are not known");
        let fact = (place.facts)(image).ok_or_else(unknown)?;
        let Some([batch, channels, sizes @ ..]) = fact.dims() else {
            return Err(unknown());
        };
        let axes = sizes.len();
        if !(1..=3).contains(&axes) {
            return Err(Mismatch(format!("its image has {axes} axes")));
        }
        let grid = (place.facts)(grid).ok_or_else(|| Mismatch::new("its grid is unknown"))?;
        let fits = |dims: &[Dim]| {
            let each = dims.last().and_then(Dim::known);
            dims.len() == axes + 2 && each.is_none_or(|each| each == axes)
        };
        if !grid.dims().is_some_and(fits) {
            let (image, grid) = (fact.written(), grid.written());
            return Err(Mismatch(format!(
                "a grid of {grid} is none for an image of {image}"
            )));
        }
        let sizes: Option<Vec<usize>> = sizes.iter().map(Dim::known).collect();
        let sizes = sizes.ok_or_else(unknown)?;
        computed(
            sizes
                .iter()
                .fold(1, |all: i128, &size| all.saturating_mul(size as i128)),
        )?;
        let sampling = Self {
            mode: mode(node.text("mode").unwrap_or("linear"))?,
            padding: padding(node.text("padding_mode").unwrap_or("zeros"))?,
            align_corners: node.int("align_corners").unwrap_or(0) != 0,
            batch: batch.known(),
            channels: channels.known().ok_or_else(unknown)?,
            sizes,
            element: fact.element().unwrap_or(Element::F32),
            precise: match grid.element() {
                Some(Element::F64) => Element::F64,
                _ => Element::F32,
            },
        };
        if sampling.sizes.contains(&0) || sampling.channels == 0 {
            return Err(Mismatch::new("its image is empty"));
        }
        if sampling.mode != Mode::Nearest && !sampling.element.is_float() {
            let element = sampling.element;
            return Err(Mismatch(format!("it interpolates {element}")));
        }
        Ok(sampling)
    }

    fn nodes(&self, image: &str, grid: &str, mut steps: Steps) -> Vec<Node> {
        let taps: Vec<Taps> = (0..self.sizes.len())
            .map(|axis| self.taps(axis, grid, &mut steps))
            .collect();
        let rows = self.rows(image, &mut steps);
        let places = self.row_numbers(image, &taps, &mut steps);
        let mut values = steps.node(Node::new("Gather", &[&rows, &places], &[]).with("axis", 0));
        if let Some(weight) = product("Mul", taps.iter().map(|tap| &tap.weight), &mut steps) {
            let weight = match self.element == self.precise {
                true => weight,
                false => steps.cast(&weight, self.element),
            };
            let weight = unsqueezed(&weight, 3, &mut steps);
            values = steps.step("Mul", &[&values, &weight]);
        }
        if let Some(inside) = product("And", taps.iter().map(|tap| &tap.inside), &mut steps) {
            let inside = unsqueezed(&inside, 3, &mut steps);
            let zero = steps.number(Element::F32, 0.0);
            let zero = steps.cast(&zero, self.element);
            values = steps.step("Where", &[&inside, &values, &zero]);
        }
        let axis = steps.list(&[1_i64]);
        let values = match self.taps_per_axis() {
            1 => steps.step("Squeeze", &[&values, &axis]),
            _ => steps.node(Node::new("ReduceSum", &[&values, &axis], &[]).with("keepdims", 0)),
        };
        let turned = Node::new("Transpose", &[&values], &[]).with("perm", vec![0_i64, 2, 1]);
        let values = steps.node(turned);
        let ahead = steps.node(Node::new("Shape", &[image], &[]).with("end", 2));
        let shape = Node::new("Shape", &[grid], &[]).with("start", 1);
        let behind = steps.node(shape.with("end", -1));
        let joined = Node::new("Concat", &[&ahead, &behind], &[]).with("axis", 0);
        let shape = steps.node(joined);
        steps.finish(Node::new("Reshape", &[&values, &shape], &[]))
    }

    fn taps_per_axis(&self) -> usize {
        match self.mode {
            Mode::Nearest => 1,
            Mode::Linear => 2,
            Mode::Cubic => 4,
        }
    }

    /// The taps of an axis: for each image, each combination of all axes' taps, and each
    /// place.
    fn taps(&self, axis: usize, grid: &str, steps: &mut Steps) -> Taps {
        let (coordinate, strange) = self.coordinate(axis, grid, steps);
        if self.mode == Mode::Nearest {
            let tap = steps.step("Round", &[&coordinate]);
            let (pixel, inside) = self.pixel(axis, &tap, steps);
            let weight = None;
            return Taps {
                pixel,
                inside,
                weight,
            };
        }
        let first = steps.step("Floor", &[&coordinate]);
        let offsets = self.offsets(axis, steps);
        let tap = steps.step("Add", &[&first, &offsets]);
        let away = steps.step("Sub", &[&coordinate, &tap]);
        let away = steps.step("Abs", &[&away]);
        let (pixel, inside) = self.pixel(axis, &tap, steps);
        let weight = match self.mode {
            Mode::Cubic => self.cubic(&away, steps),
            _ => self.horner(&[-1.0, 1.0], &away, steps),
        };
        let none = steps.number(self.precise, f64::NAN);
        let weight = Some(steps.step("Where", &[&strange, &none, &weight]));
        Taps {
            pixel,
            inside,
            weight,
        }
    }

    /// The places of a grid along an axis of the image, in pixels, and which of them are no
    /// numbers: the first corner stands for those where pixels are taken.
    fn coordinate(&self, axis: usize, grid: &str, steps: &mut Steps) -> (String, String) {
        // A grid names the last axis first.
        let which = (self.sizes.len() - 1 - axis) as i64;
        let which = steps.constant(Tensor::scalar(which));
        let grid = steps.node(Node::new("Gather", &[grid, &which], &[]).with("axis", -1));
        let grid = steps.node(Node::new("Flatten", &[&grid], &[]).with("axis", 1));
        let grid = unsqueezed(&grid, 1, steps);
        let grid = steps.cast(&grid, self.precise);
        let corner = steps.number(self.precise, -1.0);
        let strange = steps.step("IsNaN", &[&grid]);
        let grid = steps.step("Where", &[&strange, &corner, &grid]);
        let size = self.sizes[axis] as f64;
        let from_corner = self.with("Add", &grid, 1.0, steps);
        let coordinate = if self.align_corners {
            let part = self.with("Mul", &from_corner, 0.5, steps);
            self.with("Mul", &part, size - 1.0, steps)
        } else {
            let doubled = self.with("Mul", &from_corner, size, steps);
            let doubled = self.with("Sub", &doubled, 1.0, steps);
            self.with("Mul", &doubled, 0.5, steps)
        };
        if self.padding == Padding::Reflection {
            return (coordinate, strange);
        }
        // Further away nothing changes, and what is infinite could not be computed with.
        let [low, high] = [-4.0, size + 4.0].map(|bound| steps.number(self.precise, bound));
        (steps.step("Clip", &[&coordinate, &low, &high]), strange)
    }

    /// Where the taps of an axis lie from the first pixel before the place, for each
    /// combination of all axes' taps.
    fn offsets(&self, axis: usize, steps: &mut Steps) -> String {
        let each = self.taps_per_axis();
        let first = if self.mode == Mode::Cubic { -1.0 } else { 0.0 };
        let combinations = each.pow(self.sizes.len() as u32);
        let stride = each.pow((self.sizes.len() - 1 - axis) as u32);
        let offsets = (0..combinations).map(|one| first + (one / stride % each) as f64);
        let offsets = steps.list(&offsets.collect::<Vec<f64>>());
        let offsets = steps.cast(&offsets, self.precise);
        unsqueezed(&offsets, 1, steps)
    }

    /// Which pixel of an axis a tap takes, and, where it makes a difference, whether the
    /// tap lies inside.
    fn pixel(&self, axis: usize, tap: &str, steps: &mut Steps) -> (String, Option<String>) {
        let last = (self.sizes[axis] - 1) as i64;
        let (tap, inside) = match self.padding {
            Padding::Border => (tap.to_owned(), None),
            Padding::Reflection => (self.reflected(axis, tap, steps), None),
            Padding::Zeros => {
                let [low, high] = [0.0, last as f64].map(|bound| steps.number(self.precise, bound));
                let low = steps.step("GreaterOrEqual", &[tap, &low]);
                let high = steps.step("LessOrEqual", &[tap, &high]);
                (tap.to_owned(), Some(steps.step("And", &[&low, &high])))
            }
        };
        let whole = steps.cast(&tap, Element::I64);
        let [low, high] = [0, last].map(|bound| steps.constant(Tensor::scalar(bound)));
        (steps.step("Clip", &[&whole, &low, &high]), inside)
    }

    /// A tap that is thrown back at the borders as often as it takes.
    fn reflected(&self, axis: usize, tap: &str, steps: &mut Steps) -> String {
        let size = self.sizes[axis] as f64;
        let (low, span) = match self.align_corners {
            true => (0.0, size - 1.0),
            false => (-0.5, size),
        };
        if span == 0.0 {
            return tap.to_owned();
        }
        let beyond = self.with("Sub", tap, low, steps);
        let beyond = steps.step("Abs", &[&beyond]);
        let turns = self.with("Div", &beyond, 2.0 * span, steps);
        let turns = steps.step("Floor", &[&turns]);
        let turns = self.with("Mul", &turns, 2.0 * span, steps);
        let left = steps.step("Sub", &[&beyond, &turns]);
        let from_far = self.with("Sub", &left, span, steps);
        let from_far = steps.step("Abs", &[&from_far]);
        let back = self.with("Sub", &from_far, span + low, steps);
        steps.step("Neg", &[&back])
    }

    /// How much taps count in Keys' interpolation, by their distance.
    fn cubic(&self, away: &str, steps: &mut Steps) -> String {
        const A: f64 = -0.75;
        let near = self.horner(&[A + 2.0, -(A + 3.0), 0.0, 1.0], away, steps);
        let far = self.horner(&[A, -5.0 * A, 8.0 * A, -4.0 * A], away, steps);
        let one = steps.number(self.precise, 1.0);
        let is_near = steps.step("LessOrEqual", &[away, &one]);
        steps.step("Where", &[&is_near, &near, &far])
    }

    /// A polynomial, its factors from the highest on.
    fn horner(&self, factors: &[f64], at: &str, steps: &mut Steps) -> String {
        let mut sum = steps.number(self.precise, factors[0]);
        for &factor in &factors[1..] {
            sum = steps.step("Mul", &[&sum, at]);
            if factor != 0.0 {
                sum = self.with("Add", &sum, factor, steps);
            }
        }
        sum
    }

    fn with(&self, operator: &str, data: &str, value: f64, steps: &mut Steps) -> String {
        let value = steps.number(self.precise, value);
        steps.step(operator, &[data, &value])
    }

    /// The pixels of all images below each other, a row of channels each.
    fn rows(&self, image: &str, steps: &mut Steps) -> String {
        let rank = self.sizes.len() as i64 + 2;
        let order: Vec<i64> = std::iter::once(0).chain(2..rank).chain([1]).collect();
        let turned = steps.node(Node::new("Transpose", &[image], &[]).with("perm", order));
        let shape = steps.list(&[-1, self.channels as i64]);
        steps.step("Reshape", &[&turned, &shape])
    }

    /// The rows of pixels that the taps take.
    fn row_numbers(&self, image: &str, taps: &[Taps], steps: &mut Steps) -> String {
        let mut number = taps[0].pixel.clone();
        for (tap, &size) in taps.iter().zip(&self.sizes).skip(1) {
            let size = steps.constant(Tensor::scalar(size as i64));
            number = steps.step("Mul", &[&number, &size]);
            number = steps.step("Add", &[&number, &tap.pixel]);
        }
        if self.batch == Some(1) {
            return number;
        }
        // Each image's rows follow those of the one before.
        let each = self.sizes.iter().product::<usize>() as i64;
        let count = steps.node(Node::new("Shape", &[image], &[]).with("end", 1));
        let axis = steps.list(&[0_i64]);
        let count = steps.step("Squeeze", &[&count, &axis]);
        let [zero, one, each] = [0, 1, each].map(|one| steps.constant(Tensor::scalar(one)));
        let images = steps.step("Range", &[&zero, &count, &one]);
        let first = steps.step("Mul", &[&images, &each]);
        let axes = steps.list(&[1_i64, 2]);
        let first = steps.step("Unsqueeze", &[&first, &axes]);
        steps.step("Add", &[&number, &first])
    }
}

fn mode(name: &str) -> Result<Mode, Mismatch> {
    match name {
        "nearest" => Ok(Mode::Nearest),
        "linear" | "bilinear" => Ok(Mode::Linear),
        "cubic" | "bicubic" => Ok(Mode::Cubic),
        other => Err(Mismatch(format!("its mode {other} is none"))),
    }
}

fn padding(name: &str) -> Result<Padding, Mismatch> {
    match name {
        "zeros" => Ok(Padding::Zeros),
        "border" => Ok(Padding::Border),
        "reflection" => Ok(Padding::Reflection),
        other => Err(Mismatch(format!("its padding_mode {other} is none"))),
    }
}

fn unsqueezed(data: &str, axis: i64, steps: &mut Steps) -> String {
    let axis = steps.list(&[axis]);
    steps.step("Unsqueeze", &[data, &axis])
}

/// What an operator makes of all axes' values, if there are any.
fn product<'a>(
    operator: &str,
    each: impl Iterator<Item = &'a Option<String>>,
    steps: &mut Steps,
) -> Option<String> {
    let mut each = each.flatten();
    let first = each.next()?.clone();
    Some(each.fold(first, |all, one| steps.step(operator, &[&all, one])))
}
