//! The last words of a container, out of the spool that its log goes to.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::on_one_line;
use crate::report::{Numbered, Report};
use crate::spool::SPOOL_FILE;

/// How much of the spool's end is looked at.
const END: u64 = 64 << 10;

/// The last line that was logged after the report of this number and says anything.
pub(crate) fn last(instance: &Path, after: u64) -> Option<String> {
    let end = end_of_spool(instance).ok()?;
    let text = String::from_utf8_lossy(&end);
    // The first line may be half of one, which is no report.
    let reports = text.lines().rev().map_while(|line| {
        let report = serde_json::from_str::<Numbered>(line).ok()?;
        (report.n > after).then_some(report.report)
    });
    let mut lines = reports.filter_map(|report| match report {
        Report::Log(line) => Some(on_one_line(&line)),
        _ => None,
    });
    lines.find(|line| !line.is_empty())
}

fn end_of_spool(instance: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(instance.join(SPOOL_FILE))?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Stage;
    use crate::spool::Spool;

    #[test]
    fn the_last_line_of_the_step_counts_that_says_anything() {
        let place = tempfile::tempdir().unwrap();
        let spool = Spool::create(place.path()).unwrap();
        let log = |text: &str| Report::Log(text.to_owned());
        spool.append([log("of the step before")]).unwrap();
        assert_eq!(last(place.path(), 1), None);
        let said = [log("Traceback"), log("KeyError:\t'x' "), log(" ")];
        spool.append(said).unwrap();
        spool.append([Report::Stage(Stage::Stopping)]).unwrap();
        assert_eq!(last(place.path(), 1).as_deref(), Some("KeyError: 'x'"));
        spool.append([log(&"y".repeat(100_000))]).unwrap();
        assert_eq!(last(place.path(), 1), None);
    }
}
