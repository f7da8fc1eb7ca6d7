//! Times the quantization of weights: the processor's seconds for 451 million weights
//! (those of a model of 0.6 billion parameters), and billions of weights per second.
//!
//! `cargo run --release -p kiln-optimize --example kernels`

use kiln_optimize::Dtype;
use kiln_optimize::layout::{Form, Layout, Packed};
use kiln_optimize::quantize::{Granularity, Grid, Quantized, Rounding, Scheme, Slab, quantize};

const ROWS: usize = 1024;
const COLUMNS: usize = 5632;
const RUNS: usize = 20;
const MODEL: f64 = 450_887_680.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes = weights();
    let slab = Slab {
        dtype: Dtype::Bf16,
        columns: COLUMNS,
        bytes: &bytes,
    };
    let int = |bits, symmetric| Grid::Int { bits, symmetric };
    let group = Granularity::Group(128);
    for (name, layout, grid, granularity) in [
        ("w4a16", Layout::PackQuantized, int(4, true), group),
        (
            "w4a16 asymmetric",
            Layout::PackQuantized,
            int(4, false),
            group,
        ),
        (
            "w4a16 group 32",
            Layout::PackQuantized,
            int(4, true),
            Granularity::Group(32),
        ),
        ("w8a16", Layout::PackQuantized, int(8, true), group),
        (
            "int8",
            Layout::IntQuantized,
            int(8, true),
            Granularity::Channel,
        ),
        (
            "fp8",
            Layout::FloatQuantized,
            Grid::Fp8,
            Granularity::Channel,
        ),
        (
            "fp8 block",
            Layout::FloatQuantized,
            Grid::Fp8,
            Granularity::Block(128),
        ),
        ("awq", Layout::Awq, int(4, false), group),
        ("gptq", Layout::Gptq, int(4, true), group),
    ] {
        for rounding in [Rounding::Nearest, Rounding::Searched] {
            let scheme = Scheme {
                grid,
                granularity,
                rounding,
                stored: layout.stored(grid),
            };
            let form = Form::new(layout, &scheme, Dtype::Bf16, [ROWS, COLUMNS])?;
            let (mut quantized, mut packed) = (Quantized::default(), Packed::default());
            quantize(&scheme, slab, None, &mut quantized)?;
            form.pack(0, &quantized, &mut packed);
            let quantizing = mean_of(|| quantize(&scheme, slab, None, &mut quantized))?;
            let packing = mean_of(|| -> Result<(), std::convert::Infallible> {
                form.pack(0, &quantized, &mut packed);
                Ok(())
            })?;
            let share = MODEL / (ROWS * COLUMNS) as f64;
            println!(
                "{name:18} {:9} {:6.3} s + {:6.3} s packing, {:6.2} G/s, error {:.4e}",
                format!("{rounding:?}"),
                quantizing * share,
                packing * share,
                (ROWS * COLUMNS) as f64 / quantizing / 1e9,
                quantized.noise / quantized.signal,
            );
        }
    }
    Ok(())
}

/// The processor's seconds for one of some runs.
fn mean_of<E>(mut run: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let start = on_processor();
    for _ in 0..RUNS {
        run()?;
    }
    Ok((on_processor() - start) / RUNS as f64)
}

/// Seconds that this thread has run for.
fn on_processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told
        .split(' ')
        .next()
        .and_then(|first| first.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

/// Weights that are distributed about as those of models are.
fn weights() -> Vec<u8> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let count = ROWS * COLUMNS;
    let weight = |_| {
        let (radius, angle) = (1.0 - uniform(), uniform());
        let bell = (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos();
        half::bf16::from_f32(0.02 * bell).to_le_bytes()
    };
    (0..count).flat_map(weight).collect()
}
