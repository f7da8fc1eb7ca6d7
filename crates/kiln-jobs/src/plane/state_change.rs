//! The envelope of what a listener outside is told of a job: EventBridge's event
//! "SageMaker … Job State Change".

use kiln_model::api::Tag;
use kiln_model::{Arn, Timestamp};
use kiln_store::NewAnnouncement;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// The event that tells of a job of a kind, such as `Training`: what a describe call
/// answered then, with the tags that the job came with.
pub(crate) fn event(
    kind: &str,
    arn: &Arn,
    at: Timestamp,
    (mut detail, tags): (Value, Option<&[Tag]>),
) -> NewAnnouncement {
    detail["Tags"] = by_key(tags.unwrap_or_default());
    let id = Uuid::new_v4().to_string();
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": format!("SageMaker {kind} Job State Change"),
        "source": "aws.sagemaker",
        "account": arn.account().to_string(),
        "time": to_the_second(at),
        "region": arn.region().to_string(),
        "resources": [arn.to_string()],
        "detail": detail,
    });
    NewAnnouncement {
        id,
        subject: arn.to_string(),
        created: at.millis(),
        body: event.to_string(),
    }
}

/// Events have times in whole milliseconds, where the API has seconds with a fraction.
pub(crate) fn convert(members: &mut Map<String, Value>, times: &[&str]) {
    for time in times {
        let Some(value) = members.get_mut(*time) else {
            continue;
        };
        if let Some(seconds) = value.as_f64() {
            *value = json!((seconds * 1000.0).round() as i64);
        }
    }
}

fn by_key(tags: &[Tag]) -> Value {
    let pairs = tags
        .iter()
        .map(|tag| (tag.key.clone(), json!(tag.value)))
        .collect();
    Value::Object(pairs)
}

/// `2018-10-06T12:26:13Z`
fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or(&text);
    format!("{seconds}Z")
}
