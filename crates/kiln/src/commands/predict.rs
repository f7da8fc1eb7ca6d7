//! `kiln predict`

use std::path::PathBuf;

use clap::Args;
use kiln_compile::array::{Array, write_npy};
use serde_json::{Map, Value, json};

use super::Failure;
use super::artifact::Given;
use crate::terminal::{print, remark, say};

/// The options of `kiln predict`.
#[derive(Debug, Args)]
pub struct Predict {
    #[command(flatten)]
    given: Given,
    /// Write the answer into this .npy file; the first one, where the model has several.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the answers as JSON, each with its type and sizes.
    #[arg(long)]
    json: bool,
}

impl Predict {
    /// Runs the artifact once.
    pub fn run(self) -> Result<(), Failure> {
        let mut artifact = self.given.open()?;
        let Some(inputs) = self.given.read(&artifact)? else {
            let inputs = artifact.inputs().iter();
            let inputs =
                inputs.map(|input| format!("  {} {} {:?}", input.name, input.kind, input.shape));
            let inputs: Vec<_> = inputs.collect();
            let message = format!(
                "give the model its inputs with --input FILE; it takes\n{}",
                inputs.join("\n")
            );
            return Err(message.into());
        };
        let answers = artifact.predict(inputs)?;
        if let (Some(path), Some((name, answer))) = (&self.output, answers.first()) {
            std::fs::write(path, write_npy(answer))
                .map_err(|error| format!("{}: {error}", path.display()))?;
            remark(format!(
                "{name} {:?} is in {}",
                answer.shape(),
                path.display()
            ));
            return Ok(());
        }
        if self.json {
            let answers: Map<String, Value> = answers
                .iter()
                .map(|(name, answer)| (name.clone(), document(answer)))
                .collect();
            say(format!("{:#}", Value::Object(answers)))?;
            return Ok(());
        }
        for (name, answer) in &answers {
            if answers.len() > 1 {
                say(format!("{name} {:?}", answer.shape()))?;
            }
            print(&table(answer))?;
        }
        Ok(())
    }
}

fn document(answer: &Array) -> Value {
    json!({
        "type": answer.element().name(),
        "shape": answer.shape(),
        "values": answer.values().map(number).collect::<Vec<_>>(),
    })
}

/// A number, or its name where JSON has none for it.
fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| json!(value.to_string()), Value::Number)
}

/// The numbers with commas between them, one line for each row.
fn table(answer: &Array) -> String {
    let columns = answer.shape().last().copied().unwrap_or(1).max(1);
    let is_float = answer.element().is_float();
    // A single-precision number as short as it can be told.
    let text = |value: f64| match is_float && answer.element().size() <= 4 {
        true => (value as f32).to_string(),
        false => value.to_string(),
    };
    let values: Vec<String> = answer.values().map(text).collect();
    let rows = values
        .chunks(columns)
        .map(|row| format!("{}\n", row.join(",")));
    rows.collect()
}
