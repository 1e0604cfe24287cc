//! Why something was not done.

use std::io;

use ledge_store::{KvError, StoreError};

use crate::event::Gone;
use crate::layout::LayoutError;

/// Why something was not done to a store.
#[derive(Debug, thiserror::Error)]
pub enum TendError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The records failed.
    #[error(transparent)]
    Records(#[from] KvError),
    /// What was to be imported is no layout that is taken.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// A layout cannot be written.
    #[error("the layout cannot be written: {0}")]
    Write(#[source] io::Error),
    /// Nothing says what is to go.
    #[error("name what is to go: images, --repository, --digest, --upstream or --unused")]
    Everything,
    /// Another command works on the store.
    #[error("another command works on this store; try again when it is done")]
    Busy,
    /// Whoever watched has gone.
    #[error("it was stopped before it was done")]
    Gone,
    /// An image that was named is not known.
    #[error("{0} is not in the store; `ledge ls` says what is")]
    NoImage(String),
    /// Of an image that was named no platform is all there.
    #[error(
        "{0} is not whole: no platform of it has all its layers here; pull or warm it before it is exported"
    )]
    Incomplete(String),
    /// An image is of a private repository.
    #[error(
        "{0} is private: whoever gets these bytes has it; say --public if they may, or choose others"
    )]
    Private(String),
    /// An image is of an upstream that judges each client.
    #[error(
        "{0} is of an upstream with pass-through: only its origin says who may have it, so it cannot be imported"
    )]
    PassThrough(String),
    /// An image is of an upstream that is not configured.
    #[error(
        "{image} is of {upstream}, which is none of the configured upstreams; add [upstreams.\"{upstream}\"]"
    )]
    NoUpstream {
        /// The image.
        image: String,
        /// The upstream.
        upstream: String,
    },
    /// A layout does not say where an image is from.
    #[error(
        "the layout calls {digest} {name:?}, which is no whole name; annotate it with org.opencontainers.image.ref.name, as docker.io/library/alpine:3.20"
    )]
    Name {
        /// What it says.
        name: String,
        /// Of which image.
        digest: String,
    },
    /// What a layout says of an image is not so.
    #[error("the {what} that the layout says of {image} is wrong")]
    Described {
        /// The image.
        image: String,
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes are not those of their digest.
    #[error("the bytes of {0} are others than its digest says")]
    Damaged(String),
    /// An object went while it was to be read.
    #[error("{0} was evicted meanwhile; try again")]
    Evicted(String),
    /// There are more images or objects than a layout takes.
    #[error("these are too many for one layout; take them in parts")]
    TooMany,
}

impl From<Gone> for TendError {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

impl TendError {
    /// Whether what was asked for is wrong, rather than the store.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Everything
                | Self::Layout(_)
                | Self::NoImage(_)
                | Self::Incomplete(_)
                | Self::Private(_)
                | Self::PassThrough(_)
                | Self::NoUpstream { .. }
                | Self::Name { .. }
                | Self::Described { .. }
                | Self::Damaged(_)
                | Self::TooMany
        )
    }
}
