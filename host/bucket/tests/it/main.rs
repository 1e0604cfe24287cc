//! A bucket at a real S3 server: `s3s-fs` in this process, which counts the requests.

mod bucket;
