//! Where an object may be had from before an origin is asked: what nodes share.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_store::Object;

use crate::error::FillError;
use crate::opened::{Opened, part, whole};
use crate::supply::{NEARBY, Portion};

/// A bucket, other nodes, or both. What comes from there is verified as an origin's bytes are, and says nothing of
/// who may have them.
pub trait Nearby: Send + Sync {
    /// One object of it. Asks nobody yet.
    fn object(&self, digest: &Digest) -> Arc<dyn NearbyObject>;
}

/// One object, for the time in which one transfer needs it; it is left to others when this is dropped.
#[async_trait]
pub trait NearbyObject: Send + Sync {
    /// Its bytes, all of them or a range. None if an origin is to be asked: then, while this lives, other nodes
    /// wait for what comes of it, as far as they can be told.
    ///
    /// Whatever fails is no reason to fail: an origin can be asked.
    async fn open(&self, range: Option<ByteRange>) -> Option<NearbyBytes>;

    /// It is stored beside this node now, and may be shared.
    fn stored(&self, object: &Object);

    /// The bytes that came from there are not those of the digest.
    fn wrong(&self);
}

/// An object's bytes, or some of them, unverified.
pub struct NearbyBytes {
    /// Which bytes come; the end is `u64::MAX` where it is not said.
    pub span: Range<u64>,
    /// The object's size, if it is said.
    pub size: Option<u64>,
    /// The bytes.
    pub body: UnsyncBoxBody<Bytes, FillError>,
}

impl NearbyBytes {
    /// What another node answered to a GET, with this range or without one. None if that is not what was asked for.
    pub fn answered<B>(response: Response<B>, range: Option<ByteRange>) -> Option<Self>
    where
        B: Body<Data = Bytes, Error: Into<FillError>> + Send + 'static,
    {
        let opened = match (response.status(), range) {
            (StatusCode::OK, None) => whole(response, NEARBY),
            (StatusCode::PARTIAL_CONTENT, Some(range)) => {
                part(response, NEARBY, Portion::Range(range))
            }
            _ => return None,
        };
        let opened = opened.ok()?;
        Some(Self {
            span: opened.span,
            size: opened.size,
            body: opened.body,
        })
    }

    /// As an origin's answer.
    pub(crate) fn opened(self, portion: Portion) -> Opened {
        Opened {
            span: self.span,
            size: self.size,
            ranged: portion != Portion::Whole,
            endpoint: NEARBY,
            headers: HeaderMap::new(),
            body: self.body,
        }
    }
}

impl fmt::Debug for NearbyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearbyBytes")
            .field("span", &self.span)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
