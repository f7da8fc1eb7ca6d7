//! STS, as far as clients ask it who they are.

use http::StatusCode;

use super::{Call, Services};
use crate::keyring::Principal;
use crate::reply::{Fault, Reply, xml};

pub(crate) fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    match call.parameter("Action").as_deref() {
        Some("GetCallerIdentity") => Ok(caller_identity(services, &call.caller)),
        action => Err(Fault::new(
            "InvalidAction",
            format!(
                "Could not find operation {} for version 2011-06-15",
                action.unwrap_or("''")
            ),
        )
        .with_status(StatusCode::BAD_REQUEST)),
    }
}

fn caller_identity(services: &Services, caller: &Principal) -> Reply {
    let account = &services.identity.account;
    let partition = services.identity.region.partition();
    let (arn, id) = match caller {
        Principal::Root => (
            format!("arn:{partition}:iam::{account}:root"),
            account.to_string(),
        ),
        Principal::Job(session) => (
            format!(
                "arn:{partition}:sts::{account}:assumed-role/KilnExecutionRole/{}",
                session.job
            ),
            format!("AROAKILN:{}", session.job),
        ),
    };
    xml(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{id}</UserId>\
         <Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>",
        uuid::Uuid::new_v4()
    ))
}
