//! What a person wants to see at the end.

use std::path::Path;

use serde_json::Value;

use super::request;

/// Prints the status timeline, the metrics and the model.
pub fn print(described: &Value) {
    println!("\nTimeline");
    for transition in described["SecondaryStatusTransitions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let status = transition["Status"].as_str().unwrap_or_default();
        match seconds(transition) {
            Some(seconds) if seconds > 0.0 => println!("  {status:<12} {seconds:>8.3} s"),
            _ => println!("  {status}"),
        }
    }
    println!("\nFinal metrics");
    for metric in described["FinalMetricDataList"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let name = metric["MetricName"].as_str().unwrap_or_default();
        println!(
            "  {name:<20} {:.4}",
            metric["Value"].as_f64().unwrap_or_default()
        );
    }
}

fn seconds(transition: &Value) -> Option<f64> {
    Some(transition["EndTime"].as_f64()? - transition["StartTime"].as_f64()?)
}

/// Prints the model's place and size.
pub fn print_model(uri: &str, bytes: u64) {
    println!("\nModel\n  {uri} ({bytes} bytes)");
}

/// Prints the commands that show the same with the `aws` CLI.
pub fn print_commands(data_dir: &Path, name: &str) {
    let directory = data_dir.display();
    let kiln =
        std::env::current_exe().map_or_else(|_| "kiln".to_owned(), |p| p.display().to_string());
    println!("\nThe same with the aws CLI");
    for command in [
        format!("{kiln} serve --data-dir {directory} &"),
        format!("eval \"$({kiln} env --data-dir {directory})\""),
        format!("aws sagemaker describe-training-job --training-job-name {name}"),
        format!(
            "aws logs filter-log-events --log-group-name /aws/sagemaker/TrainingJobs \
             --log-stream-name-prefix {name}/ --query 'events[].message' --output text"
        ),
        format!(
            "aws s3 cp s3://{}/{} .",
            request::BUCKET,
            request::model_key(name)
        ),
    ] {
        println!("  {command}");
    }
}
