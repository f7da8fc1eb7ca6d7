//! Calling the operations of the service.

use crate::answer::{self, Timestamps};
use crate::config::Settings;
use crate::failure::Failure;
use crate::model::Operation;
use crate::transport::{Address, Call, Transport};
use crate::validate;
use crate::value::{Members, Value};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Calls the service as the settings say.
pub(crate) struct Client<'a> {
    transport: Transport<'a>,
    /// Whether what is needed to sign is missing.
    lacks_credentials: bool,
    timestamps: Timestamps,
}

impl<'a> Client<'a> {
    /// A client for one invocation. Nothing is connected yet.
    pub(crate) fn new(settings: &'a Settings) -> Result<Self, Failure> {
        let address = Address {
            endpoint: &settings.endpoint,
            service: "sagemaker",
            region: &settings.region,
            credentials: settings.credentials.as_ref(),
        };
        Ok(Self {
            transport: Transport::new(address, &settings.connection)?,
            lacks_credentials: settings.signs && settings.credentials.is_none(),
            timestamps: settings.timestamps,
        })
    }

    /// Calls an operation, once its request is found to be in order.
    pub(crate) fn call(&self, operation: &Operation, request: Members) -> Result<Members, Failure> {
        let request = validate::request(operation, request)?;
        let body = serde_json::to_vec(&Value::Map(request))
            .map_err(|error| Failure::General(error.to_string()))?;
        if self.lacks_credentials {
            return Err(Failure::no_credentials());
        }
        let target = format!("SageMaker.{}", operation.name);
        let body = self.transport.call(&Call {
            operation: operation.name,
            headers: &[
                ("content-type", CONTENT_TYPE),
                ("x-amz-target", target.as_str()),
            ],
            body: &body,
            refusal: answer::refusal,
        })?;
        answer::output(operation, &body, self.timestamps)
    }
}
