//! What the reports of an instance say of metrics, as CloudWatch has them.
//!
//! What lines of the log said is a metric of the job; how hard the container used
//! its machine is one of its host.

use kiln_agent::report::{Measured, Report};
use kiln_model::api::CreateTrainingJobRequest;
use kiln_store::{Delivery, Instance, Metric, NewPoint, Summary, TrialValue};

/// The namespace of both.
const NAMESPACE: &str = "/aws/sagemaker/TrainingJobs";

/// The trial component that a job's own metrics belong to.
#[must_use]
pub fn trial_component(job: &str) -> String {
    format!("{}-aws-training-job", job.to_lowercase())
}

/// Whether the job's own metrics are kept value by value besides.
pub(super) fn has_time_series(request: &CreateTrainingJobRequest) -> bool {
    let algorithm = request.algorithm_specification.as_ref();
    algorithm.is_some_and(|one| one.enable_sage_maker_metrics_time_series == Some(true))
}

/// Adds what a report of a host, of this number and time, says of metrics.
pub(super) fn gather(
    delivery: &mut Delivery,
    host: &Instance,
    (n, at): (u64, i64),
    report: &Report,
) {
    match report {
        Report::Metric { name, value } => {
            let value = f64::from(*value);
            delivery
                .points
                .push((n, of_job(&host.job, name, at, value)));
            let value = TrialValue {
                metric: name.clone(),
                at,
                step: None,
                value,
            };
            delivery.trial.push((n, value));
        }
        Report::Usage { minute, metrics } => {
            let points = metrics
                .iter()
                .map(|measured| (n, of_host(host, *minute, measured)));
            delivery.points.extend(points);
        }
        _ => {}
    }
}

fn of_job(job: &str, name: &str, at: i64, value: f64) -> NewPoint {
    NewPoint {
        metric: metric(name, "TrainingJobName", job.to_owned()),
        at: at.div_euclid(1000),
        unit: "None".to_owned(),
        summary: Summary::of(value),
    }
}

fn of_host(host: &Instance, minute: i64, measured: &Measured) -> NewPoint {
    NewPoint {
        metric: metric(
            &measured.name,
            "Host",
            format!("{}/{}", host.job, host.host),
        ),
        at: minute,
        unit: "Percent".to_owned(),
        summary: Summary {
            samples: f64::from(measured.samples),
            total: measured.total,
            lowest: measured.lowest,
            highest: measured.highest,
        },
    }
}

fn metric(name: &str, dimension: &str, value: String) -> Metric {
    Metric {
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
        dimensions: [(dimension.to_owned(), value)].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_become_points_of_the_job_and_of_its_host() {
        let host = Instance {
            id: "i".to_owned(),
            kind: "training-job".to_owned(),
            job: "Job".to_owned(),
            attempt: 1,
            host: "algo-2".to_owned(),
            log_stream: String::new(),
            claim: String::new(),
            delivered: 0,
        };
        let mut delivery = Delivery::default();
        let mut measured = Measured::of("CPUUtilization", 150.0);
        measured.add(50.0);
        let reports = [
            Report::Log("loss=0.5".to_owned()),
            Report::Metric {
                name: "loss".to_owned(),
                value: 0.5,
            },
            Report::Usage {
                minute: 120,
                metrics: vec![measured],
            },
        ];
        for (n, report) in (1..).zip(&reports) {
            gather(&mut delivery, &host, (n, 61_500), report);
        }
        let point = |metric: Metric, at, unit: &str, summary| NewPoint {
            metric,
            at,
            unit: unit.to_owned(),
            summary,
        };
        let loss = metric("loss", "TrainingJobName", "Job".to_owned());
        let cpu = metric("CPUUtilization", "Host", "Job/algo-2".to_owned());
        let summary = Summary {
            samples: 2.0,
            total: 200.0,
            lowest: 50.0,
            highest: 150.0,
        };
        assert_eq!(
            delivery.points,
            [
                (2, point(loss, 61, "None", Summary::of(0.5))),
                (3, point(cpu, 120, "Percent", summary)),
            ]
        );
        let value = TrialValue {
            metric: "loss".to_owned(),
            at: 61_500,
            step: None,
            value: 0.5,
        };
        assert_eq!(delivery.trial, [(2, value)]);
        assert_eq!(trial_component("Job"), "job-aws-training-job");
    }
}
