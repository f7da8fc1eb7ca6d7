//! The S3 service: each operation handed to the module that carries it out.

use std::sync::Arc;

use async_trait::async_trait;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::dto::*;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::ObjectStore;
use crate::authority::{Authority, Gate};
use crate::expectation::Expectation;
use crate::ops::{
    attributes, buckets, complete, copy, delete, encryption, get, list, multipart, parts, put,
    tagging,
};

/// Forms are refused after their fields are read, so their fields stay small.
const LARGEST_FORM: u64 = 64 * 1024;

/// Where the service pretends to be.
#[derive(Clone, Debug)]
pub struct Site {
    /// The region of every bucket.
    pub region: String,
    /// The account that owns every bucket.
    pub account: String,
}

/// The S3 service over `store`, for a hyper server to call.
pub fn service(store: ObjectStore, authority: Arc<impl Authority>, site: Site) -> S3Service {
    let account = site.account.clone();
    guarded(Front { store, site }, authority, account)
}

/// The service over any S3, in which no request gets past the authority.
pub fn guarded(s3: impl S3, authority: Arc<impl Authority>, account: String) -> S3Service {
    let gate = Gate { authority, account };
    let mut builder = S3ServiceBuilder::new(s3);
    builder.set_auth(gate.clone());
    builder.set_access(gate);
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config()))));
    builder.build()
}

fn config() -> S3Config {
    let mut config = S3Config::default();
    config.post_object_max_file_size = LARGEST_FORM;
    config
}

struct Front {
    store: ObjectStore,
    site: Site,
}

/// An operation's method: its output wrapped, its error translated.
macro_rules! answer {
    ($outcome:expr) => {
        $outcome.map(S3Response::new).map_err(Into::into)
    };
}

#[async_trait]
impl S3 for Front {
    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        answer!(buckets::list(&self.store, &self.site, req.input))
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        answer!(buckets::create(&self.store, &self.site, req.input).await)
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        answer!(buckets::head(&self.store, &self.site, &req.input))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        answer!(buckets::location(&self.store, &self.site, &req.input))
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        answer!(buckets::delete(&self.store, &req.input).await)
    }

    async fn put_bucket_encryption(
        &self,
        req: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
        answer!(encryption::put(&self.store, &self.site, req.input).await)
    }

    async fn get_bucket_encryption(
        &self,
        req: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        answer!(encryption::get(&self.store, &req.input))
    }

    async fn delete_bucket_encryption(
        &self,
        req: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        let output = encryption::delete(&self.store, &req.input).await?;
        Ok(S3Response::with_status(
            output,
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let expectation = Expectation::of(&req.headers);
        expectation.meet(answer!(put::put(&self.store, &self.site, req).await))
    }

    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        answer!(get::get(&self.store, req.input).await)
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        answer!(get::head(&self.store, req.input))
    }

    async fn get_object_attributes(
        &self,
        req: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        answer!(attributes::get(&self.store, &req.input))
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        answer!(copy::copy(&self.store, &self.site, req.input).await)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let output = delete::one(&self.store, req.input).await?;
        Ok(S3Response::with_status(
            output,
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        answer!(delete::many(&self.store, req).await)
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        answer!(list::v1(&self.store, &self.site, req.input))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        answer!(list::v2(&self.store, &self.site, req.input))
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        answer!(multipart::create(&self.store, &self.site, req.input).await)
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let expectation = Expectation::of(&req.headers);
        expectation.meet(answer!(parts::upload(&self.store, req).await))
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        answer!(parts::copy(&self.store, req.input).await)
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        answer!(parts::list(&self.store, &self.site, req.input))
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        answer!(complete::complete(&self.store, req.input).await)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let output = multipart::abort(&self.store, &req.input).await?;
        Ok(S3Response::with_status(
            output,
            http::StatusCode::NO_CONTENT,
        ))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        answer!(multipart::list(&self.store, &self.site, req.input))
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        answer!(tagging::get(&self.store, &req.input))
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        answer!(tagging::put(&self.store, req.input).await)
    }

    async fn delete_object_tagging(
        &self,
        req: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let output = tagging::delete(&self.store, &req.input).await?;
        Ok(S3Response::with_status(
            output,
            http::StatusCode::NO_CONTENT,
        ))
    }
}
