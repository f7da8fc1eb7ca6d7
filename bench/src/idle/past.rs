//! Jobs that have ended: created behind one that has the machine, and stopped
//! where they wait.

use serde_json::{Value, json};

use crate::client::{Client, Endpoint};
use crate::error::BenchError;
use crate::latency::request;
use crate::load;
use crate::occupant::Occupant;

/// Jobs that are created and then stopped together. Their requests are signed
/// beforehand, and a signature is good for some minutes only.
const BATCH: usize = 5_000;

/// Has so many jobs come and end.
pub fn make(endpoint: &Endpoint, jobs: usize) -> Result<(), BenchError> {
    let mut client = Client::new(endpoint);
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
