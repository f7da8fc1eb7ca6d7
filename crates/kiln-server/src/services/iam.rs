//! IAM, as far as SDKs look up the role that a job is given.
//!
//! Kiln keeps no roles yet: every well-formed name is a role that SageMaker may
//! assume, and what a job may do follows from its request.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, xml};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// IAM's limit on a role's name.
const LONGEST_NAME: usize = 64;

pub(crate) fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    match call.parameter("Action").as_deref() {
        Some("GetRole") => get_role(services, call),
        action => Err(Fault::new(
            "InvalidAction",
            format!(
                "Could not find operation {} for version 2010-05-08",
                action.unwrap_or("''")
            ),
        )),
    }
}

fn get_role(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    require_owner(&call.caller, &services.identity, "iam:GetRole")?;
    let name = call.parameter("RoleName").unwrap_or_default();
    if !is_role_name(&name) {
        let message = format!("The role with name {name} cannot be found.");
        return Err(Fault::new("NoSuchEntity", message).with_status(StatusCode::NOT_FOUND));
    }
    let account = &services.identity.account;
    let partition = services.identity.region.partition();
    let trust = utf8_percent_encode(TRUST, NON_ALPHANUMERIC);
    Ok(xml(format!(
        "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult>\
         <Role><Path>/</Path><RoleName>{name}</RoleName><RoleId>AROAKILN</RoleId>\
         <Arn>arn:{partition}:iam::{account}:role/{name}</Arn>\
         <CreateDate>1970-01-01T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{trust}</AssumeRolePolicyDocument></Role></GetRoleResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetRoleResponse>",
        uuid::Uuid::new_v4()
    )))
}

/// IAM's pattern for a role's name: `[\w+=,.@-]{1,64}`.
fn is_role_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed)
}
