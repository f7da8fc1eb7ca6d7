//! The figures as a section of Markdown.

use std::fmt;
use std::time::Duration;

use super::pages::Page;
use super::queue::Queue;
use super::{Idle, Rest};
use crate::samples::Samples;

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            jobs,
            ready,
            busy_before,
            fresh,
            pages,
            queues,
        } = self;
        writeln!(f, "## A server with nothing to do, and {jobs} ended jobs\n")?;
        writeln!(
            f,
            "A start with these jobs takes {} until the first answer.\n",
            millis(*ready)
        )?;
        writeln!(
            f,
            "| | processor | wake-ups a second | memory | peak |\n|---|---|---|---|---|"
        )?;
        write_rest(f, "after they came and ended", busy_before)?;
        write_rest(f, "after a restart", fresh)?;
        writeln!(f, "| target | none to speak of | – | < 150 MiB | – |\n")?;
        write_pages(f, *jobs, pages)?;
        writeln!(f, "## The first jobs of a queue\n")?;
        writeln!(
            f,
            "Jobs that do nothing, one at a time. A long queue is to be as fast as a short one.\n"
        )?;
        writeln!(
            f,
            "| in the queue | starts | of the shortest | overtaken | server's processor time a job \
             | describe p50 | p99 | list p50 | p99 |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        let shortest = queues.first().map_or(0.0, |queue| queue.starts_per_second);
        queues
            .iter()
            .try_for_each(|queue| write_queue(f, queue, shortest))?;
        writeln!(f)
    }
}

fn write_rest(f: &mut fmt::Formatter<'_>, when: &str, rest: &Rest) -> fmt::Result {
    let Rest {
        lasted,
        before,
        after,
    } = rest;
    let seconds = lasted.as_secs_f64();
    let used = after.processor.saturating_sub(before.processor);
    writeln!(
        f,
        "| {when} | {:.2} % | {:.1} | {} MiB | {} MiB |",
        100.0 * used.as_secs_f64() / seconds,
        after.wakes.saturating_sub(before.wakes) as f64 / seconds,
        after.resident >> 20,
        after.peak >> 20,
    )
}

fn write_pages(f: &mut fmt::Formatter<'_>, jobs: usize, pages: &[Page]) -> fmt::Result {
    writeln!(f, "## First pages over {jobs} jobs\n")?;
    writeln!(f, "| | p50 | p99 |\n|---|---|---|")?;
    for Page { what, took } in pages {
        let of = |percent| millis(took.percentile(percent));
        writeln!(f, "| {what} | {} | {} |", of(50), of(99))?;
    }
    writeln!(f, "| target | – | < 10 ms |\n")
}

fn write_queue(f: &mut fmt::Formatter<'_>, queue: &Queue, shortest: f64) -> fmt::Result {
    let percentiles = |samples: &Samples| {
        let of = |percent| millis(samples.percentile(percent));
        format!("{} | {}", of(50), of(99))
    };
    writeln!(
        f,
        "| {} | {:.2}/s | {:.2} × | {} | {} | {} | {} |",
        queue.length,
        queue.starts_per_second,
        queue.starts_per_second / shortest,
        queue.overtaken,
        millis(queue.processor_per_job),
        percentiles(&queue.describe),
        percentiles(&queue.list),
    )
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::super::usage::Usage;
    use super::*;

    #[test]
    fn lines_say_what_rest_and_queues_cost() {
        let rest = Rest {
            lasted: Duration::from_secs(20),
            before: Usage::default(),
            after: Usage {
                processor: Duration::from_millis(100),
                resident: 100 << 20,
                peak: 120 << 20,
                wakes: 30,
            },
        };
        let queue = |length, starts_per_second| Queue {
            length,
            starts_per_second,
            overtaken: 0,
            processor_per_job: Duration::from_millis(8),
            describe: [Duration::from_millis(1)].into_iter().collect(),
            list: Samples::default(),
        };
        let idle = Idle {
            jobs: 7,
            ready: Duration::from_millis(60),
            busy_before: rest.clone(),
            fresh: rest,
            pages: vec![Page {
                what: "list",
                took: [Duration::from_millis(2)].into_iter().collect(),
            }],
            queues: vec![queue(100, 4.0), queue(10_000, 3.0)],
        };
        let text = idle.to_string();
        for line in [
            "A start with these jobs takes 60.00 ms until the first answer.",
            "| after a restart | 0.50 % | 1.5 | 100 MiB | 120 MiB |",
            "| list | 2.00 ms | 2.00 ms |",
            "| 10000 | 3.00/s | 0.75 × | 0 | 8.00 ms | 1.00 ms | 1.00 ms | 0.00 ms | 0.00 ms |",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
