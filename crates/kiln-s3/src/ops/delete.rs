//! Deleting objects, one or many at a time.

use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request};

use crate::authority::DeniedKeys;
use crate::{ObjectStore, S3Error, conditions};

/// S3's limit on one `DeleteObjects`.
const MOST_KEYS: usize = 1000;

pub(crate) async fn one(
    store: &ObjectStore,
    input: DeleteObjectInput,
) -> Result<DeleteObjectOutput, S3Error> {
    if input.if_match_size.is_some() || input.if_match_last_modified_time.is_some() {
        return Err(S3Error::not_implemented(
            "deletes on the condition of a size or a time",
        ));
    }
    let precondition = conditions::precondition(input.if_match, None)?;
    let body = store
        .index
        .delete(&input.bucket, &input.key, precondition)
        .await?;
    store.discard(body.into_iter().collect());
    Ok(DeleteObjectOutput::default())
}

/// Deletes what the caller may delete; the rest came out of the access check.
pub(crate) async fn many(
    store: &ObjectStore,
    req: S3Request<DeleteObjectsInput>,
) -> Result<DeleteObjectsOutput, S3Error> {
    let denied = req
        .extensions
        .get::<DeniedKeys>()
        .cloned()
        .unwrap_or_default()
        .0;
    let Delete { objects, quiet } = req.input.delete;
    if objects.len() + denied.len() > MOST_KEYS {
        return Err(S3Error::refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our \
             published schema",
        ));
    }
    let conditional = |object: &ObjectIdentifier| {
        let version = object.version_id.as_deref();
        object.e_tag.is_some() || version.is_some_and(|version| version != "null")
    };
    if objects.iter().any(conditional) {
        return Err(S3Error::not_implemented(
            "deletes of many objects with versions or conditions",
        ));
    }
    let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
    let bodies = store
        .index
        .delete_many(&req.input.bucket, keys.clone())
        .await?;
    store.discard(bodies);

    let told = if quiet.unwrap_or(false) {
        Vec::new()
    } else {
        keys
    };
    Ok(DeleteObjectsOutput {
        deleted: Some(told.into_iter().map(deleted).collect()),
        errors: Some(denied.into_iter().map(denial).collect()),
        ..DeleteObjectsOutput::default()
    })
}

fn deleted(key: String) -> DeletedObject {
    DeletedObject {
        key: Some(key),
        ..DeletedObject::default()
    }
}

fn denial(key: String) -> Error {
    Error {
        code: Some("AccessDenied".to_owned()),
        key: Some(key),
        message: Some("Access Denied".to_owned()),
        version_id: None,
    }
}
