//! The index of the embedded S3: buckets, objects, multipart uploads.
