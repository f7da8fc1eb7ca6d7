//! What calibrations in tests work on, and what takes what they make.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::tiny;
use crate::calibrate::scratch::present;
use crate::calibrate::{Limits, Made, Method, Request, Sink, Summary, prepare};
use crate::model::Model;
use crate::options::Activations;
use crate::quantize::{Granularity, Grid, Rounding, Scheme, Stored};
use crate::{Dtype, OptimizeError};

/// Keeps what is made, and breaks off before the layer that it is told to.
#[derive(Debug, Default, PartialEq)]
pub struct Keeper {
    pub made: Vec<Made>,
    pub until: Option<usize>,
    /// A directory that must never have more than so many bytes.
    pub bounded: Option<(PathBuf, u64)>,
}

impl Sink for Keeper {
    fn made(&mut self, made: Made) -> Result<(), OptimizeError> {
        let layer = |name: &str| name.contains(&format!("layers.{}.", self.until.unwrap_or(9)));
        if layer(made.name()) {
            return Err(OptimizeError::Model("killed".to_owned()));
        }
        self.made.push(made);
        Ok(())
    }

    fn progress(&mut self, share: f64, now: &str) {
        assert!((0.0..1.0).contains(&share) && !now.is_empty());
        if let Some((directory, room)) = &self.bounded {
            let found = present(directory);
            assert!(found <= *room, "{found} bytes of {room} at {now}");
        }
    }
}

/// Integers of so many bits.
pub fn scheme(bits: u8, group: usize) -> Scheme {
    Scheme {
        grid: Grid::Int {
            bits,
            symmetric: true,
        },
        granularity: Granularity::Group(group),
        rounding: Rounding::Searched,
        stored: Stored::default(),
    }
}

/// A tiny model, and tokens.
pub struct Case {
    pub home: tempfile::TempDir,
    pub model: Model,
    pub data: PathBuf,
}

impl Case {
    pub fn new(name: &str, dtype: Dtype) -> Self {
        let home = tempfile::tempdir().unwrap();
        for name in ["model", "data"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        let model = tiny::write(&home.path().join("model"), &tiny::named(name), dtype);
        let records = (0..40u32).map(|sample| {
            let tokens: Vec<u32> = (0..24)
                .map(|i| (sample * 31 + i * (sample + 7)) % 64)
                .collect();
            json!({"input_ids": tokens}).to_string()
        });
        let records: Vec<String> = records.collect();
        fs::write(home.path().join("data/tokens.jsonl"), records.join("\n")).unwrap();
        let data = home.path().join("data");
        Self { home, model, data }
    }

    /// A calibration with most of the samples.
    pub fn request<'a>(&'a self, method: Method, scratch: &'a Path) -> Request<'a> {
        Request {
            model: &self.model,
            data: &self.data,
            scratch,
            method,
            activations: Activations::Untouched,
            schemes: &most,
            limits: Limits {
                samples: 32,
                tokens: 20,
            },
            threads: 1,
        }
    }

    /// Runs it in a scratch directory of a name.
    pub fn run(
        &self,
        method: Method,
        scratch: &str,
        threads: usize,
        keeper: &mut Keeper,
    ) -> Result<Summary, OptimizeError> {
        let scratch = self.home.path().join(scratch);
        fs::create_dir_all(&scratch).unwrap();
        let request = Request {
            threads,
            ..self.request(method, &scratch)
        };
        prepare(&request)?.run(keeper)
    }
}

/// Most linear layers are quantized.
fn most(module: &str) -> Option<Scheme> {
    (!module.ends_with("gate_proj")).then(|| scheme(4, 16))
}

/// The mean of a figure of all linear layers.
pub fn mean(made: &[Made], of: impl Fn(&crate::calibrate::Figures) -> f64) -> f64 {
    let figures: Vec<f64> = made
        .iter()
        .filter_map(|made| match made {
            Made::Linear(linear) => Some(of(&linear.figures)),
            Made::Vector(_) => None,
        })
        .collect();
    figures.iter().sum::<f64>() / figures.len() as f64
}
