//! The report as a page of Markdown.

use std::fmt::{self, Display, Formatter};

use super::document::{Report, TensorReport};
use super::progress::size;

/// How many tensors a page lists: those with the largest errors.
const LISTED: usize = 40;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Optimization report\n\n{}\n", self.done)?;
        self.write_total(f)?;
        self.write_remarks(f)?;
        self.write_options(f)?;
        self.write_tensors(f)?;
        self.write_files(f)
    }
}

impl Report {
    fn write_total(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let total = &self.total;
        writeln!(f, "| | |\n|---|---|")?;
        writeln!(f, "| meant for | {} |", self.deployment)?;
        writeln!(f, "| bytes before | {} |", size(total.bytes_before))?;
        writeln!(f, "| bytes after | {} |", size(total.bytes_after))?;
        let elements = total.elements.max(1) as f64;
        writeln!(
            f,
            "| quantized | {:.1} % of {} numbers |",
            total.quantized_elements as f64 / elements * 100.0,
            total.elements
        )?;
        writeln!(f, "| bits for each number | {:.2} |", total.bits)?;
        if let Some(error) = total.relative_error {
            writeln!(f, "| relative weight error | {error:.3e} |")?;
        }
        if let Some(whole) = &self.end_to_end {
            writeln!(
                f,
                "| relative error of the last hidden states | {:.3e} |\n| their mean cosine | \
                 {:.5} |\n| run on | {} texts with {} tokens |",
                whole.relative_error, whole.mean_cosine, whole.samples, whole.tokens
            )?;
        }
        writeln!(f, "| time | {:.1} s |", self.seconds)?;
        writeln!(f, "| processor time | {:.1} s |", self.cpu_seconds)?;
        writeln!(f, "| most memory | {} |", size(self.peak_memory_bytes))?;
        writeln!(f, "| instructions | {} |", self.instructions)?;
        writeln!(f, "| by | Kiln {} |\n", self.kiln)
    }

    fn write_remarks(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.remarks.is_empty() {
            return Ok(());
        }
        writeln!(f, "## Remarks\n")?;
        for remark in &self.remarks {
            writeln!(f, "- {remark}")?;
        }
        writeln!(f)
    }

    fn write_options(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Options\n\n| | |\n|---|---|")?;
        for (name, value) in &self.options {
            writeln!(f, "| {name} | {value} |")?;
        }
        writeln!(f)
    }

    fn write_tensors(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut tensors: Vec<&TensorReport> = self.tensors.iter().collect();
        tensors.retain(|tensor| tensor.quantized);
        if tensors.is_empty() {
            return Ok(());
        }
        let error = |tensor: &TensorReport| tensor.relative_error.unwrap_or_default();
        tensors.sort_by(|one, other| error(other).total_cmp(&error(one)));
        writeln!(f, "## Quantized tensors, the largest errors first\n")?;
        writeln!(
            f,
            "| tensor | numbers | bits | weight error | output error | without texts |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for tensor in tensors.iter().take(LISTED) {
            let told = |error: Option<f64>| {
                error.map_or_else(|| "–".to_owned(), |error| format!("{error:.3e}"))
            };
            writeln!(
                f,
                "| {} | {} | {:.2} | {:.3e} | {} | {} |",
                tensor.name,
                tensor.elements,
                tensor.bits,
                error(tensor),
                told(tensor.output_error),
                told(tensor.output_error_without_texts)
            )?;
        }
        let others = tensors.len().saturating_sub(LISTED);
        if others > 0 {
            writeln!(f, "\nand {others} more, with smaller errors")?;
        }
        writeln!(f)
    }

    fn write_files(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "## Files\n\n| file | size | BLAKE2s tree |\n|---|---|---|"
        )?;
        for (name, file) in &self.files {
            let (size, digest) = (size(file.bytes), &file.blake2s_tree);
            writeln!(f, "| {name} | {size} | `{digest}` |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{EndToEnd, Total, bits};
    use super::*;

    #[test]
    fn a_page_has_what_the_report_has() {
        let tensor = |name: &str, error| TensorReport {
            name: name.to_owned(),
            elements: 1024,
            quantized: true,
            bits: bits(528, 1024),
            bytes_before: 2048,
            bytes_after: 528,
            relative_error: Some(error),
            output_error: None,
            output_error_without_texts: None,
        };
        let tensors = vec![tensor("small", 1e-3), tensor("large", 2e-2)];
        let report = Report {
            done: "Done.".to_owned(),
            total: Total::of(&tensors, 1.0, 100.0),
            end_to_end: Some(EndToEnd {
                samples: 3,
                tokens: 99,
                relative_error: 0.5,
                mean_cosine: 0.98,
            }),
            tensors,
            remarks: vec!["mind this".to_owned()],
            ..Report::default()
        };
        let page = report.to_string();
        for part in [
            "| bytes after | 1.06 kB |",
            "| bits for each number | 4.12 |",
            "| relative weight error | 1.000e-2 |",
            "| their mean cosine | 0.98000 |",
            "- mind this",
            "| large | 1024 | 4.12 | 2.000e-2 | – | – |\n| small |",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
