//! Policies that stand for themselves: those that are created here, and those of
//! AWS's own that Kiln knows.

use kiln_policy::{Kind, managed as awss};
use kiln_store::principals::{ManagedPolicy, PrincipalError, PrincipalKind, policy_length};

use super::answer::{Answer, document, element, instant, list as xml_list, missing, page, text};
use super::entities::now;
use super::member::{LONGEST_POLICY, is_name, is_path};
use super::{DONE, Fault, Request, conflict, invalid, limit};
use crate::authorization::iam_arn;
use crate::random::letters;

/// The only version that a policy has here.
const VERSION: &str = "v1";
/// IAM's limit on a policy that stands for itself.
const LONGEST_DOCUMENT: usize = 6144;

pub(super) async fn create(request: &Request<'_>) -> Result<Answer, Fault> {
    let name = request.required("PolicyName")?;
    let path = request.parameter("Path").unwrap_or_else(|| "/".to_owned());
    if !is_name(&name, LONGEST_POLICY) || !is_path(&path) {
        return Err(invalid(
            "The specified value for policyName or path is invalid.".to_owned(),
        ));
    }
    if request.parameter("Tags.member.1.Key").is_some() {
        return Err(invalid("Kiln's policies have no tags.".to_owned()));
    }
    let document = request.document("PolicyDocument", Kind::Identity)?;
    if policy_length(&document) > LONGEST_DOCUMENT {
        return Err(limit(format!(
            "Cannot exceed quota for PolicySize: {LONGEST_DOCUMENT}"
        )));
    }
    let id = letters(17).map_err(|error| Fault::internal(&error))?;
    let new = ManagedPolicy {
        arn: iam_arn(&request.services.identity, "policy", Some(&path), &name),
        name,
        id: format!("ANPA{id}"),
        path,
        description: request.description()?,
        document,
        created: now(),
        attachments: 0,
    };
    let principals = &request.services.store.principals;
    principals
        .create_managed(new.clone())
        .await
        .map_err(|error| match error {
            PrincipalError::Taken => conflict(
                "EntityAlreadyExists",
                format!("A policy called {} already exists.", new.name),
            ),
            other => Fault::internal(&other),
        })?;
    Ok(Answer::Result(element("Policy", &shown(&new))))
}

pub(super) fn get(request: &Request<'_>) -> Result<Answer, Fault> {
    let policy = find(request, &request.required("PolicyArn")?)?;
    Ok(Answer::Result(element("Policy", &shown(&policy))))
}

pub(super) fn version(request: &Request<'_>) -> Result<Answer, Fault> {
    let policy = find(request, &request.required("PolicyArn")?)?;
    let version = request.required("VersionId")?;
    if version != VERSION {
        let arn = &policy.arn;
        return Err(missing(&format!(
            "Policy {arn} version {version} does not exist or is not attachable."
        )));
    }
    let inner = document("Document", &policy.document) + &version_inner(&policy);
    Ok(Answer::Result(element("PolicyVersion", &inner)))
}

pub(super) fn versions(request: &Request<'_>) -> Result<Answer, Fault> {
    let policy = find(request, &request.required("PolicyArn")?)?;
    page(request, "Versions", &[version_inner(&policy)])
}

fn version_inner(policy: &ManagedPolicy) -> String {
    text("VersionId", VERSION)
        + &text("IsDefaultVersion", "true")
        + &instant("CreateDate", policy.created)
}

/// Those that were created here; AWS's own are known by their ARNs only.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Fault> {
    let all = request.services.store.principals.all_managed();
    let all = all.map_err(|error| Fault::internal(&error))?;
    let local = request.parameter("Scope").as_deref() != Some("AWS");
    let prefix = request.parameter("PathPrefix").unwrap_or_default();
    let attached = request.parameter("OnlyAttached").as_deref() == Some("true");
    let wanted = all
        .iter()
        .filter(|one| local && one.path.starts_with(&prefix) && (!attached || one.attachments > 0));
    let members: Vec<String> = wanted.map(shown).collect();
    page(request, "Policies", &members)
}

pub(super) async fn delete(request: &Request<'_>) -> Result<Answer, Fault> {
    let arn = request.required("PolicyArn")?;
    let deleted = request.services.store.principals.delete_managed(&arn).await;
    deleted.map_err(|error| match error {
        PrincipalError::NoMember(_) => no_policy(&arn),
        PrincipalError::StillHas(_) => conflict(
            "DeleteConflict",
            "Cannot delete a policy attached to entities.".to_owned(),
        ),
        other => Fault::internal(&other),
    })?;
    Ok(DONE)
}

pub(super) async fn attach(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let (owner, arn) = (request.name(kind)?, request.required("PolicyArn")?);
    let awss_own = is_awss(request, &arn);
    if !awss_own && arn.contains(":iam::aws:policy/") {
        return Err(missing(&format!(
            "Policy {arn} is one of AWS's own that Kiln does not know. Create a policy that says \
             what it says, and attach that."
        )));
    }
    let principals = &request.services.store.principals;
    let attached = principals.attach((kind, &owner), &arn, awss_own).await;
    attached.map_err(|error| match error {
        PrincipalError::NoMember(_) => no_policy(&arn),
        other => request.fault(other, kind, &owner),
    })?;
    Ok(DONE)
}

pub(super) async fn detach(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let (owner, arn) = (request.name(kind)?, request.required("PolicyArn")?);
    let principals = &request.services.store.principals;
    let detached = principals.detach((kind, &owner), &arn).await;
    detached.map_err(|error| match error {
        PrincipalError::NoMember(_) => missing(&format!("Policy {arn} was not found.")),
        other => request.fault(other, kind, &owner),
    })?;
    Ok(DONE)
}

pub(super) fn attached(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let owner = request.entity(kind)?;
    let grants = request.services.store.principals.grants(&owner.id);
    let attached = grants.map_err(|error| Fault::internal(&error))?.attached;
    let members: Vec<String> = attached
        .iter()
        .map(|(arn, _)| text("PolicyName", name_in(arn)) + &text("PolicyArn", arn))
        .collect();
    page(request, "AttachedPolicies", &members)
}

/// The name at the end of a policy's ARN.
pub(super) fn name_in(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Whether an ARN names a policy of AWS's own that Kiln knows. Those of other
/// partitions would be other spellings, for whoever may not attach this one.
fn is_awss(request: &Request<'_>, arn: &str) -> bool {
    let partition = request.services.identity.region.partition();
    let here = arn
        .strip_prefix("arn:")
        .and_then(|rest| rest.strip_prefix(partition));
    here.is_some_and(|rest| rest.starts_with(':')) && awss::document(arn).is_some()
}

fn find(request: &Request<'_>, arn: &str) -> Result<ManagedPolicy, Fault> {
    let own = awss::document(arn).filter(|_| is_awss(request, arn));
    if let Some(document) = own {
        return Ok(ManagedPolicy {
            arn: arn.to_owned(),
            name: name_in(arn).to_owned(),
            id: "ANPAKILN".to_owned(),
            path: "/".to_owned(),
            description: None,
            document: document.to_owned(),
            created: 0,
            attachments: 0,
        });
    }
    let found = request.services.store.principals.managed(arn);
    let found = found.map_err(|error| Fault::internal(&error))?;
    found.ok_or_else(|| no_policy(arn))
}

fn no_policy(arn: &str) -> Fault {
    missing(&format!(
        "Policy {arn} does not exist or is not attachable."
    ))
}

fn shown(policy: &ManagedPolicy) -> String {
    let mut inner = text("PolicyName", &policy.name)
        + &text("PolicyId", &policy.id)
        + &text("Arn", &policy.arn)
        + &text("Path", &policy.path)
        + &text("DefaultVersionId", VERSION)
        + &text("AttachmentCount", &policy.attachments.to_string())
        + &text("PermissionsBoundaryUsageCount", "0")
        + &text("IsAttachable", "true")
        + &instant("CreateDate", policy.created)
        + &instant("UpdateDate", policy.created)
        + &xml_list("Tags", &[]);
    if let Some(description) = &policy.description {
        inner += &text("Description", description);
    }
    inner
}
