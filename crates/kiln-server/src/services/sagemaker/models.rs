//! The operations on models.

use kiln_jobs::models::Models;
use kiln_model::api::{
    CreateModelInput, CreateModelOutput, DeleteModelInput, DescribeModelInput, ListModelsInput,
};
use serde_json::Value;

use super::{read, unknown, write};
use crate::reply::{Fault, Reply, json};

pub(super) async fn answer(models: &Models, operation: &str, input: Value) -> Result<Reply, Fault> {
    match operation {
        "DescribeModel" => {
            let request: DescribeModelInput = read(input)?;
            Ok(json(models.describe(&request.model_name)?))
        }
        "CreateModel" => {
            let request: CreateModelInput = read(input)?;
            let model_arn = models.create(request).await?;
            write(&CreateModelOutput { model_arn })
        }
        "ListModels" => {
            let request: ListModelsInput = read(input)?;
            write(&models.list(&request)?)
        }
        "DeleteModel" => {
            let request: DeleteModelInput = read(input)?;
            models.delete(&request.model_name).await?;
            Ok(json(""))
        }
        _ => Err(unknown(operation)),
    }
}
