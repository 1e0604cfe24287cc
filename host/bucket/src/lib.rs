//! Objects in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure's blob storage.
//!
//! A bucket holds verified objects under their digests, for several nodes, or for one whose disk
//! is small. It is not believed: who reads from it compares the digest, as with an origin.

mod bucket;
mod error;
mod keeper;
mod open;
mod upload;

pub use bucket::{Bucket, Found};
pub use error::{BucketError, OpenError};
pub use keeper::{Guard, Keeper};
pub use open::Options;
