//! Reading on in all streams of a job's log.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lines::{Event, Form};
use crate::client::{Client, ClientError, Service};
use crate::commands::Failure;
use crate::commands::describe::job::elements;
use crate::commands::kind::Kind;

/// A place in each stream of a job's log.
pub struct Tail {
    kind: Kind,
    job: String,
    form: Form,
    /// Where to read on, by the streams' names.
    places: BTreeMap<String, Option<String>>,
}

impl Tail {
    /// The beginning of a job's log.
    pub fn new(kind: Kind, job: &str, form: Form) -> Self {
        Self {
            kind,
            job: job.to_owned(),
            form,
            places: BTreeMap::new(),
        }
    }

    /// What can be read now and was not yet, a page of each stream, in the order of
    /// time; `None` when that is nothing. Who gives this up has missed nothing.
    pub async fn next(&mut self, client: &Client) -> Result<Option<String>, Failure> {
        self.find_streams(client).await?;
        let mut events = Vec::new();
        let mut places = self.places.clone();
        for (stream, place) in &mut places {
            let page = self.read(client, stream, place.as_deref()).await?;
            let read = elements(&page["events"]).iter();
            events.extend(read.map(|event| Event::new(stream, event)));
            *place = page["nextForwardToken"].as_str().map(str::to_owned);
        }
        self.places = places;
        if events.is_empty() {
            return Ok(None);
        }
        // Within a stream, equal times keep their order.
        events.sort_by_key(|event| event.timestamp);
        Ok(Some(
            events.iter().map(|event| self.form.line(event)).collect(),
        ))
    }

    /// Takes in streams that are new. There is none before a job's first line.
    async fn find_streams(&mut self, client: &Client) -> Result<(), Failure> {
        let (group, prefix) = (self.kind.log_group(), self.kind.stream_prefix(&self.job));
        let mut input = json!({"logGroupName": group, "logStreamNamePrefix": prefix});
        loop {
            let page = match client
                .call(Service::Logs, "DescribeLogStreams", &input)
                .await
            {
                Err(error) if error.is_not_found() => return Ok(()),
                page => page?,
            };
            for stream in elements(&page["logStreams"]) {
                let name = stream["logStreamName"].as_str().unwrap_or_default();
                if self.kind.is_stream_of(name, &self.job) {
                    self.places.entry(name.to_owned()).or_default();
                }
            }
            match page["nextToken"].as_str() {
                Some(token) => input["nextToken"] = json!(token),
                None => return Ok(()),
            }
        }
    }

    async fn read(
        &self,
        client: &Client,
        stream: &str,
        place: Option<&str>,
    ) -> Result<Value, ClientError> {
        let mut input = json!({
            "logGroupName": self.kind.log_group(), "logStreamName": stream, "startFromHead": true,
        });
        if let Some(token) = place {
            input["nextToken"] = json!(token);
        }
        client.call(Service::Logs, "GetLogEvents", &input).await
    }
}
