//! The embedded S3 server: the protocol from the s3s crate over our durable disk layout.
