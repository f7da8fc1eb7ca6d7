//! IAM, as far as SDKs look at the role that a job is given.
//!
//! Kiln keeps no roles yet: every well-formed name is a role that SageMaker may
//! assume and that nothing is denied to, and what a job may do follows from its
//! request.

use std::collections::BTreeMap;
use std::fmt::Write;

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, xml};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// IAM's limit on a role's name.
const LONGEST_NAME: usize = 64;
/// How many results a page of a simulation has when the request does not say.
const USUAL_PAGE: usize = 100;
/// How many it has at most.
const LONGEST_PAGE: usize = 1000;

pub(crate) fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    match call.parameter("Action").as_deref() {
        Some("GetRole") => get_role(services, call),
        Some("SimulatePrincipalPolicy") => simulate_principal_policy(services, call),
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

/// Whether a role may do what a job will need, which SDKs ask before they send the job.
fn simulate_principal_policy(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    require_owner(
        &call.caller,
        &services.identity,
        "iam:SimulatePrincipalPolicy",
    )?;
    let source = call.parameter("PolicySourceArn").unwrap_or_default();
    if !is_role_arn(&source) {
        let message =
            format!("Invalid Entity Arn: {source} does not clearly define entity type and name.");
        return Err(Fault::new("InvalidInput", message));
    }
    let mut resources = members(call.body, "ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let page = Page {
        start: call.parameter("Marker").map_or(Ok(0), |marker| {
            let unknown = || Fault::new("InvalidInput", format!("Invalid Marker: {marker}"));
            marker.parse().map_err(|_| unknown())
        })?,
        length: call
            .parameter("MaxItems")
            .and_then(|items| items.parse().ok())
            .map_or(USUAL_PAGE, |items: usize| items.clamp(1, LONGEST_PAGE)),
    };
    Ok(xml(format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <SimulatePrincipalPolicyResult>{}</SimulatePrincipalPolicyResult>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>\
         </SimulatePrincipalPolicyResponse>",
        evaluations(&members(call.body, "ActionNames"), &resources, page),
        uuid::Uuid::new_v4()
    )))
}

/// Which of the results are asked for.
#[derive(Clone, Copy)]
struct Page {
    start: usize,
    length: usize,
}

/// A page of the decisions, one for each action on each resource.
fn evaluations(actions: &[String], resources: &[String], page: Page) -> String {
    let pairs = actions
        .iter()
        .flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let mut pairs = pairs.skip(page.start);
    let mut members = String::new();
    for (action, resource) in pairs.by_ref().take(page.length) {
        // Writing to a string does not fail.
        let _ = write!(
            members,
            "<member><EvalActionName>{}</EvalActionName>\
             <EvalResourceName>{}</EvalResourceName><EvalDecision>allowed</EvalDecision>\
             <MatchedStatements/><MissingContextValues/></member>",
            quick_xml::escape::escape(action.as_str()),
            quick_xml::escape::escape(resource.as_str()),
        );
    }
    let next = pairs.next().map(|_| page.start + page.length);
    let marker = next.map_or_else(String::new, |next| format!("<Marker>{next}</Marker>"));
    format!(
        "<IsTruncated>{}</IsTruncated>{marker}<EvaluationResults>{members}</EvaluationResults>",
        next.is_some()
    )
}

/// A list of the query protocol: `<name>.member.1`, `<name>.member.2` and so on.
fn members(body: &[u8], name: &str) -> Vec<String> {
    let numbered = form_urlencoded::parse(body).filter_map(|(key, value)| {
        let number = key.strip_prefix(name)?.strip_prefix(".member.")?;
        Some((number.parse::<u32>().ok()?, value.into_owned()))
    });
    numbered.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// `arn:<partition>:iam::<account>:role/<path and name>`.
fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    let name = resource
        .strip_prefix("role/")
        .and_then(|name| name.rsplit('/').next());
    partition.starts_with("aws")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && name.is_some_and(is_role_name)
}

/// IAM's pattern for a role's name: `[\w+=,.@-]{1,64}`.
fn is_role_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_role_is_told_from_other_principals() {
        for (arn, is_role) in [
            ("arn:aws:iam::123456789012:role/MyRole", true),
            (
                "arn:aws-cn:iam::123456789012:role/service-role/MyRole",
                true,
            ),
            ("arn:aws:iam::123456789012:root", false),
            ("arn:aws:iam::123456789012:user/me", false),
            ("arn:aws:iam::12345:role/MyRole", false),
            ("arn:aws:iam::123456789012:role/", false),
            ("arn:aws:sts::123456789012:assumed-role/MyRole/me", false),
            ("MyRole", false),
            ("", false),
        ] {
            assert_eq!(is_role_arn(arn), is_role, "{arn}");
        }
    }

    #[test]
    fn a_list_is_in_the_order_of_its_numbers() {
        let body = b"ActionNames.member.10=c&ActionNames.member.2=b%26&ActionNames.member.1=a\
            &ActionNames.member.x=no&ActionNamesToo.member.1=no&ActionNames=no";
        assert_eq!(members(body, "ActionNames"), words(&["a", "b&", "c"]));
        assert_eq!(members(body, "ResourceArns"), words(&[]));
    }

    #[test]
    fn every_action_on_every_resource_is_on_one_page() {
        let (actions, resources) = (words(&["a:b", "c:d"]), words(&["x", "y", "<z>"]));
        let mut seen = Vec::new();
        for (start, next) in [(0, Some(4)), (4, None), (8, None)] {
            let page = evaluations(&actions, &resources, Page { start, length: 4 });
            let marker = next.map(|next: usize| format!("<Marker>{next}</Marker>"));
            assert!(page.contains(&format!("<IsTruncated>{}</", next.is_some())));
            assert!(page.contains(&marker.unwrap_or_default()));
            assert_eq!(page.contains("<Marker>"), next.is_some());
            let results = page.split("<EvalActionName>").skip(1);
            seen.extend(results.map(|result| {
                let inner = |text: &str| text.split('<').next().unwrap().to_owned();
                let resource = result.split("<EvalResourceName>").nth(1).unwrap();
                format!("{} {}", inner(result), inner(resource))
            }));
        }
        let all = [
            "a:b x",
            "a:b y",
            "a:b &lt;z&gt;",
            "c:d x",
            "c:d y",
            "c:d &lt;z&gt;",
        ];
        assert_eq!(seen, all);
    }
}
