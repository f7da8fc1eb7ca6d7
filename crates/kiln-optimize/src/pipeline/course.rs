//! The course of a task: what it says while it goes on, and the report that it ends with.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use super::finish;
use crate::report::{
    Progress, REPORT, REPORT_PAGE, Report, Total, Usage, digest, instructions, size,
};
use crate::{OptimizeError, Task};

/// A task under way.
pub struct Course<'a> {
    log: &'a mut dyn FnMut(&str),
    begun: Instant,
    progress: Progress,
    /// What is told of it in the end.
    pub report: Report,
}

impl<'a> Course<'a> {
    /// Begins now.
    pub fn new(task: &Task, log: &'a mut dyn FnMut(&str)) -> Self {
        let report = Report {
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: instructions().to_owned(),
            deployment: task.order.deployment.clone(),
            ..Report::default()
        };
        Self {
            log,
            begun: Instant::now(),
            progress: Progress::new(0),
            report,
        }
    }

    /// Says a line.
    pub fn say(&mut self, line: &str) {
        (self.log)(&format!("Kiln: {line}"));
    }

    /// Says what a person should know, and keeps it for the report.
    pub fn remark(&mut self, remark: String) {
        self.say(&format!("note: {remark}"));
        self.report.remarks.push(remark);
    }

    /// Begins a work of so many bytes.
    pub fn begin(&mut self, bytes: u64) {
        self.progress = Progress::new(bytes);
    }

    /// Counts bytes of it.
    pub fn advance(&mut self, bytes: u64, tensor: &str) {
        if let Some(line) = self.progress.advance(bytes, tensor) {
            (self.log)(&line);
        }
    }

    /// Takes note of how much of a calibration is done.
    pub fn reach(&mut self, share: f64, at: &str) {
        if let Some(line) = self.progress.reach(share, at) {
            (self.log)(&line);
        }
    }

    /// Says what all tensors came to, and keeps it for the report.
    pub fn measured(&mut self, total: Total) {
        let lost = total.relative_error.map_or_else(String::new, |error| {
            format!("; the weights' relative error is {error:.3e}")
        });
        self.say(&format!(
            "{} became {}, {:.2} bits for each number{lost}",
            size(total.bytes_before),
            size(total.bytes_after),
            total.bits
        ));
        self.report.total = total;
    }

    /// Ends with the digests of what was written, and the report beside it.
    pub fn end(mut self, directory: &Path) -> Result<(), OptimizeError> {
        (self.log)(&self.progress.end());
        self.settle(directory)?;
        let usage = Usage::now();
        self.report.seconds = self.begun.elapsed().as_secs_f64();
        self.report.cpu_seconds = usage.cpu.as_secs_f64();
        self.report.peak_memory_bytes = usage.peak_memory;
        finish::write_json(&directory.join(REPORT), &self.report)?;
        finish::write(&directory.join(REPORT_PAGE), self.report.to_string())?;
        self.say(&format!(
            "done in {:.1} s, {:.1} s of processor time, {} of memory",
            self.report.seconds,
            self.report.cpu_seconds,
            size(self.report.peak_memory_bytes)
        ));
        Ok(())
    }

    /// Waits until the disk has all files, and digests those meanwhile that were not when
    /// they were written, as many at a time as there are processors.
    fn settle(&mut self, directory: &Path) -> Result<(), OptimizeError> {
        let files = files(directory)?;
        let known = &self.report.files;
        let is_known = |name: &Path| known.contains_key(&name.display().to_string());
        let unknown: Vec<_> = files.iter().filter(|name| !is_known(name)).collect();
        let next = Mutex::new(unknown.into_iter());
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let work = || {
            let mut digests = Vec::new();
            while let Some(name) = next.lock().map_or(None, |mut names| names.next()) {
                let path = directory.join(name);
                let digest = digest(&path).map_err(OptimizeError::read(path))?;
                digests.push((name.display().to_string(), digest));
            }
            Ok::<_, OptimizeError>(digests)
        };
        thread::scope(|scope| {
            let on_disk = scope.spawn(|| files.iter().try_for_each(|name| sync(directory, name)));
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                self.report.files.extend(joined(worker)?);
            }
            joined(on_disk)
        })
    }
}

/// What a thread came to.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Waits until the disk has a file.
fn sync(directory: &Path, name: &Path) -> Result<(), OptimizeError> {
    let path = directory.join(name);
    let synced = File::open(&path).and_then(|file| file.sync_all());
    synced.map_err(OptimizeError::written(path))
}

/// All files below a directory, by their names there.
fn files(directory: &Path) -> Result<Vec<PathBuf>, OptimizeError> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let path = directory.join(&below);
        let entries = std::fs::read_dir(&path).map_err(OptimizeError::read(&path))?;
        for entry in entries {
            let entry = entry.map_err(OptimizeError::read(&path))?;
            let kind = entry.file_type().map_err(OptimizeError::read(&path))?;
            let name = below.join(entry.file_name());
            if kind.is_dir() {
                open.push(name);
            } else {
                found.push(name);
            }
        }
    }
    Ok(found)
}
