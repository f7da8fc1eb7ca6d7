//! Convolutions and pooling: windows that slide over an image of any number of
//! dimensions.

use super::dim::{Mismatch, computed, wide, written};
use super::fact::Fact;
use super::{Facts, Site};
use crate::model::{Dim, Element, RANK_LIMIT};

pub(super) fn convolution(site: &Site) -> Facts {
    let (image, weight, element) = match site.operator() {
        "QLinearConv" => (0, 3, site.element(7)),
        "ConvInteger" => (0, 1, Some(Element::I32)),
        _ => (0, 1, site.element(0)),
    };
    site.needed(weight)?;
    let (Some(dims), Some(weights)) = (site.dims(image), site.dims(weight)) else {
        return Ok(vec![Fact::of(element, site.rank(image).map(unknown))]);
    };
    if dims.len() < 2 || weights.len() != dims.len() {
        return Err(Mismatch(format!(
            "its input of shape {} does not go with a kernel of shape {}",
            written(dims),
            written(weights)
        )));
    }
    channels_fit(site, &dims[1], &weights[1], dims, weights)?;
    let window = Window::of(site, dims.len() - 2, Some(&weights[2..]))?;
    let mut out = vec![dims[0].clone(), weights[0].clone()];
    out.extend(window.slid(&dims[2..])?);
    Ok(vec![Fact::of(element, Some(out))])
}

fn channels_fit(
    site: &Site,
    channels: &Dim,
    each: &Dim,
    dims: &[Dim],
    weights: &[Dim],
) -> Result<(), Mismatch> {
    let (Some(channels), Some(each)) = (wide(channels), wide(each)) else {
        return Ok(());
    };
    let groups = i128::from(site.int_or("group", 1));
    if channels == each * groups {
        return Ok(());
    }
    Err(Mismatch(format!(
        "its input of shape {} has {channels} channels, where its kernel of shape {} takes {}",
        written(dims),
        written(weights),
        each * groups
    )))
}

pub(super) fn transposed_convolution(site: &Site) -> Facts {
    site.needed(1)?;
    let element = site.element(0);
    let (Some(dims), Some(weights)) = (site.dims(0), site.dims(1)) else {
        return Ok(vec![Fact::of(element, site.rank(0).map(unknown))]);
    };
    let (image, kernel) = (written(dims), written(weights));
    if dims.len() < 2 || weights.len() != dims.len() || differ(&dims[1], &weights[0]) {
        return Err(Mismatch(format!(
            "its input of shape {image} does not go with a kernel of shape {kernel}"
        )));
    }
    let groups = i128::from(site.int_or("group", 1));
    let channels = match wide(&weights[1]) {
        Some(each) => computed(each * groups)?,
        None => Dim::Unknown,
    };
    let window = Window::of(site, dims.len() - 2, Some(&weights[2..]))?;
    let mut out = vec![dims[0].clone(), channels];
    out.extend(window.spread(site, &dims[2..])?);
    Ok(vec![Fact::of(element, Some(out))])
}

fn differ(one: &Dim, two: &Dim) -> bool {
    matches!((one, two), (Dim::Known(one), Dim::Known(two)) if one != two)
}

fn unknown(rank: usize) -> Vec<Dim> {
    vec![Dim::Unknown; rank]
}

/// The largest, the mean or a norm of each window; of the largest also its place.
pub(super) fn pooling(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = match site.dims(0) {
        Some(dims) if dims.len() >= 2 => {
            let window = Window::of(site, dims.len() - 2, None)?;
            let mut out = dims[..2].to_vec();
            out.extend(window.slid(&dims[2..])?);
            Some(out)
        }
        Some(dims) => {
            return Err(Mismatch(format!(
                "{} is the shape of no image",
                written(dims)
            )));
        }
        None => None,
    };
    let pooled = Fact::of(site.element(0), dims.clone());
    Ok(vec![pooled, Fact::of(Some(Element::I64), dims)])
}

/// One number for each channel.
pub(super) fn global_pooling(site: &Site) -> Facts {
    site.needed(0)?;
    let dims = site.dims(0).map(|dims| {
        let shrunk = |(place, dim): (usize, &Dim)| {
            if place < 2 {
                dim.clone()
            } else {
                Dim::Known(1)
            }
        };
        dims.iter().enumerate().map(shrunk).collect()
    });
    Ok(vec![Fact::of(site.element(0), dims)])
}

pub(super) fn unpooling(site: &Site) -> Facts {
    site.needed(1)?;
    let element = site.element(0);
    let Some(dims) = site.dims(0).filter(|dims| dims.len() >= 2) else {
        return Ok(vec![Fact::of(element, None)]);
    };
    if site.input(2).is_some() {
        let sizes = site.ints_of(2).filter(|sizes| sizes.len() == dims.len());
        let dims: Option<Vec<Dim>> = sizes
            .map(|sizes| sizes.iter().map(|&size| computed(size.into())).collect())
            .transpose()?;
        return Ok(vec![Fact::of(element, dims)]);
    }
    let window = Window::of(site, dims.len() - 2, None)?;
    let mut out = dims[..2].to_vec();
    out.extend(window.spread(site, &dims[2..])?);
    Ok(vec![Fact::of(element, Some(out))])
}

/// How a window slides: for each dimension its size, step and spacing, and how
/// much is added before and after the image.
struct Window {
    kernel: Vec<Option<i128>>,
    strides: Vec<i128>,
    dilations: Vec<i128>,
    pads: Padding,
    rounds_up: bool,
}

enum Padding {
    /// Before and after, added up, and before alone.
    Given(Vec<(i128, i128)>),
    /// As much as the image needs to be covered.
    Same,
}

impl Window {
    fn of(site: &Site, rank: usize, weights: Option<&[Dim]>) -> Result<Self, Mismatch> {
        let kernel = match (site.ints("kernel_shape"), weights) {
            (Some(kernel), _) => kernel.iter().map(|&size| Some(i128::from(size))).collect(),
            (None, Some(weights)) => weights.iter().map(wide).collect(),
            (None, None) => return Err(Mismatch::new("its attribute kernel_shape is missing")),
        };
        let each = |name| {
            let given = site
                .ints(name)
                .map(|all| all.iter().map(|&one| i128::from(one)).collect());
            given.unwrap_or_else(|| vec![1; rank])
        };
        let pads = match site.text_or("auto_pad", "NOTSET") {
            "SAME_UPPER" | "SAME_LOWER" => Padding::Same,
            "VALID" => Padding::Given(vec![(0, 0); rank]),
            _ => Padding::Given(given_pads(site, rank)?),
        };
        let (strides, dilations) = (each("strides"), each("dilations"));
        let window = Self {
            kernel,
            strides,
            dilations,
            pads,
            rounds_up: site.is_on("ceil_mode"),
        };
        window.checked(rank)
    }

    fn checked(self, rank: usize) -> Result<Self, Mismatch> {
        let lengths = [self.kernel.len(), self.strides.len(), self.dilations.len()];
        if lengths.iter().any(|&length| length != rank) {
            return Err(Mismatch(format!(
                "its kernel, strides or dilations are not for {rank} dimensions"
            )));
        }
        let kernel = self.kernel.iter().flatten();
        if kernel
            .chain(&self.strides)
            .chain(&self.dilations)
            .any(|&number| number < 1)
        {
            return Err(Mismatch::new(
                "its kernel, strides or dilations are not positive",
            ));
        }
        Ok(self)
    }

    /// From the first element that a window covers to the last.
    fn reach(&self, place: usize) -> Option<i128> {
        Some((self.kernel[place]? - 1) * self.dilations[place] + 1)
    }

    /// How many places there are for the window.
    fn slid(&self, dims: &[Dim]) -> Result<Vec<Dim>, Mismatch> {
        dims.iter()
            .enumerate()
            .map(|(place, dim)| self.slid_along(place, dim))
            .collect()
    }

    fn slid_along(&self, place: usize, dim: &Dim) -> Result<Dim, Mismatch> {
        let stride = self.strides[place];
        let (all, before) = match &self.pads {
            Padding::Given(pads) => pads[place],
            Padding::Same if stride == 1 => return Ok(dim.clone()),
            Padding::Same => {
                return wide(dim).map_or(Ok(Dim::Unknown), |size| {
                    computed((size + stride - 1) / stride)
                });
            }
        };
        let Some(reach) = self.reach(place) else {
            return Ok(Dim::Unknown);
        };
        let Some(size) = wide(dim) else {
            let kept = stride == 1 && all == reach - 1;
            return Ok(if kept { dim.clone() } else { Dim::Unknown });
        };
        let room = size + all - reach;
        if room < 0 {
            return Err(Mismatch(format!(
                "a window of {reach} does not fit into {size} with a padding of {all}"
            )));
        }
        let steps = if self.rounds_up {
            (room + stride - 1) / stride
        } else {
            room / stride
        };
        // A window must begin in the image or in what is before it.
        let beyond = self.rounds_up && steps * stride >= size + before;
        computed(if beyond { steps } else { steps + 1 })
    }

    /// How large an image must be for so many places of the window.
    fn spread(&self, site: &Site, dims: &[Dim]) -> Result<Vec<Dim>, Mismatch> {
        if let Some(given) = site.ints("output_shape") {
            let sizes = given
                .get(given.len().saturating_sub(dims.len())..)
                .unwrap_or_default();
            return sizes.iter().map(|&size| computed(size.into())).collect();
        }
        let extra = site.ints("output_padding").unwrap_or_default();
        let along = |(place, dim): (usize, &Dim)| {
            let (Some(size), Some(reach)) = (wide(dim), self.reach(place)) else {
                return Ok(Dim::Unknown);
            };
            let stride = self.strides[place];
            let all = match &self.pads {
                Padding::Given(pads) => pads[place].0,
                Padding::Same => return computed(size * stride),
            };
            let extra = i128::from(extra.get(place).copied().unwrap_or(0));
            computed(stride * (size - 1) + extra + reach - all)
        };
        dims.iter().enumerate().map(along).collect()
    }
}

fn given_pads(site: &Site, rank: usize) -> Result<Vec<(i128, i128)>, Mismatch> {
    let Some(pads) = site.ints("pads") else {
        return Ok(vec![(0, 0); rank]);
    };
    if pads.len() != 2 * rank {
        return Err(Mismatch(format!(
            "its pads {pads:?} are not for {rank} dimensions"
        )));
    }
    let (before, after) = pads.split_at(rank);
    let both = before.iter().zip(after);
    Ok(both
        .map(|(&b, &a)| (i128::from(b) + i128::from(a), i128::from(b)))
        .collect())
}

/// A convolution whose kernel is bent by offsets.
pub(super) fn deformed_convolution(site: &Site) -> Facts {
    site.needed(2)?;
    let dims = match (site.dims(0), site.dims(1)) {
        (Some(dims), Some(weights)) if dims.len() == weights.len() && dims.len() > 2 => {
            let window = Window::of(site, dims.len() - 2, Some(&weights[2..]))?;
            let mut out = vec![dims[0].clone(), weights[0].clone()];
            out.extend(window.slid(&dims[2..])?);
            Some(out)
        }
        _ => None,
    };
    Ok(vec![Fact::of(site.element(0), dims)])
}

/// An image put together from the columns that windows gave.
pub(super) fn columns_to_image(site: &Site) -> Facts {
    site.needed(2)?;
    let (image, block) = (site.ints_of(1), site.ints_of(2));
    let (Some(image), Some(block), Some(dims)) = (image, block, site.dims(0)) else {
        let spatial = site.dims(1).and_then(<[Dim]>::first).and_then(Dim::known);
        let rank = spatial
            .filter(|rank| *rank < RANK_LIMIT)
            .map(|rank| rank + 2);
        let mut out = rank.map(unknown);
        if let (Some([batch, ..]), Some(out)) = (site.dims(0), &mut out) {
            out[0] = batch.clone();
        }
        return Ok(vec![Fact::of(site.element(0), out)]);
    };
    let [batch, columns, _] = dims else {
        return Err(Mismatch(format!(
            "its input of shape {} is not of rank 3",
            written(dims)
        )));
    };
    let each = block
        .iter()
        .try_fold(1i128, |all, &size| all.checked_mul(i128::from(size)));
    let channels = match (wide(columns), each) {
        (Some(columns), Some(each)) if each > 0 => computed(columns / each)?,
        _ => Dim::Unknown,
    };
    let mut out = vec![batch.clone(), channels];
    for size in image {
        out.push(computed(size.into())?);
    }
    Ok(vec![Fact::of(site.element(0), Some(out))])
}
