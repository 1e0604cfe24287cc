//! What can go wrong with a bucket. The texts hold no secret: they name the bucket, and what the
//! service said.

/// Why a bucket cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error("the bucket's URL cannot be read: {0}")]
    Url(#[from] url::ParseError),
    /// The URL names no service that is known.
    #[error("the bucket's URL starts with none of s3://, gs:// and az://")]
    Scheme,
    /// The URL holds a user name or a password, and URLs are printed.
    #[error("the bucket's URL holds a user name or a password")]
    Credentials,
    /// The service does not have it.
    #[error("{service}:// has no {what}")]
    Useless {
        /// What was given.
        what: &'static str,
        /// The URL's scheme.
        service: String,
    },
    /// The authorities are no certificates.
    #[error("the authorities of the bucket cannot be read: {0}")]
    Authorities(object_store::Error),
    /// There are none.
    #[error("the authorities of the bucket are no certificates")]
    NoAuthorities,
    /// The settings do not fit.
    #[error("the bucket cannot be used: {0}")]
    Settings(object_store::Error),
}

/// Why a bucket did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It did not answer, or with an error.
    #[error("the bucket {bucket} failed: {source}")]
    Failed {
        /// The bucket, as its URL.
        bucket: String,
        /// What it said.
        source: object_store::Error,
    },
    /// The file that was to be sent could not be read.
    #[error("a stored object could not be read for the bucket {bucket}: {source}")]
    Unreadable {
        /// The bucket, as its URL.
        bucket: String,
        /// What the system said.
        source: std::io::Error,
    },
}
