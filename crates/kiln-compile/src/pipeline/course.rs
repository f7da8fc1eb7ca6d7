//! The course of a compilation: its stages, what each took, and what is said of
//! it as it goes.

use std::time::Instant;

use super::report::{Report, StageTime};

/// A compilation under way.
pub(super) struct Course<'a> {
    log: &'a mut dyn FnMut(&str),
    /// What is told at the end.
    pub(super) report: Report,
}

impl<'a> Course<'a> {
    pub(super) fn new(log: &'a mut dyn FnMut(&str)) -> Self {
        let report = Report {
            kiln: env!("CARGO_PKG_VERSION").to_owned(),
            ..Report::default()
        };
        Self { log, report }
    }

    /// Goes through a stage, and says when it begins and what it took.
    pub(super) fn stage<T, E>(
        &mut self,
        stage: &str,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.say(&format!("Kiln: {stage}"));
        let begun = Instant::now();
        let done = work(self)?;
        let seconds = begun.elapsed().as_secs_f64();
        self.say(&format!("Kiln: {stage}: done in {seconds:.3} s"));
        self.report.stages.push(StageTime {
            stage: stage.to_owned(),
            seconds,
        });
        Ok(done)
    }

    /// Writes a line to the job's log.
    pub(super) fn say(&mut self, line: &str) {
        (self.log)(line);
    }

    /// Says something that belongs into the report too.
    pub(super) fn remark(&mut self, remark: impl Into<String>) {
        let remark = remark.into();
        self.say(&format!("Kiln: {remark}"));
        self.report.remarks.push(remark);
    }
}
