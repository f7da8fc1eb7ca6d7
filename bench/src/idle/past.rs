//! Jobs that have ended: created behind one that has the machine, and stopped
//! where they wait.

use serde_json::{Value, json};

use crate::client::{Client, Endpoint};
use crate::error::BenchError;
use crate::latency::{BUCKET, request};
use crate::load;
use crate::occupant::Occupant;

/// Jobs that are created and then stopped together. Their requests are signed
/// beforehand, and a signature is good for some minutes only.
const BATCH: usize = 5_000;

/// The key that all channels are of.
const DATA: &str = "past/data";

/// Has so many jobs come and end.
pub fn make(endpoint: &Endpoint, jobs: usize) -> Result<(), BenchError> {
    let mut client = Client::new(endpoint);
    client.put(&format!("/{BUCKET}/{DATA}"), b"1")?;
    let occupant = Occupant::take_machine(&mut client, "past")?;
    let names: Vec<String> = (0..jobs).map(|n| format!("past-{n:06}")).collect();
    for batch in names.chunks(BATCH) {
        send(&mut client, endpoint, "CreateTrainingJob", batch, varied)?;
        send(
            &mut client,
            endpoint,
            "StopTrainingJob",
            batch,
            |name| json!({"TrainingJobName": name}),
        )?;
    }
    occupant.leave(&mut client)
}

/// A job with hyperparameters and a tag of its own, for searches to tell apart.
fn varied(name: &str) -> Value {
    let digest = name.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let mut request = request(name, "true");
    request["HyperParameters"] = json!({
        "depth": (digest % 12).to_string(),
        "rate": format!("0.{:06}", digest % 1_000_000),
    });
    // More of a job's own, to be told apart by many filters and by the objects of a list.
    for (name, factor) in [("seed", 7_u32), ("width", 11), ("scale", 13), ("decay", 17)] {
        let value = digest.wrapping_mul(factor) % 1_000_003;
        request["HyperParameters"][name] = value.to_string().into();
    }
    let channel = |channel: &str| {
        json!({
            "ChannelName": channel,
            "ContentType": format!("text/{channel}-{digest}"),
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": format!("s3://{BUCKET}/{DATA}")}},
        })
    };
    request["InputDataConfig"] = json!([channel("train"), channel("test")]);
    request["Tags"] = json!([{"Key": "team", "Value": (digest % 7).to_string()}]);
    request
}

fn send(
    client: &mut Client,
    endpoint: &Endpoint,
    operation: &str,
    names: &[String],
    input: impl Fn(&str) -> Value,
) -> Result<(), BenchError> {
    let signed = names
        .iter()
        .map(|name| client.prepare(operation, &input(name)));
    load::once(endpoint, &Vec::from_iter(signed)).map(drop)
}
