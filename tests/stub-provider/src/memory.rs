//! What is stored: bytes by their digest, while the instance lives.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledge_core::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use crate::bindings::exports::ledge::edge::blobs::{Descriptor, Error};

/// The largest object, in bytes: it must fit into a component's memory a few times over.
pub(crate) const LARGEST: u64 = 16 << 20;

static OBJECTS: Mutex<Option<HashMap<String, Object>>> = Mutex::new(None);

/// Bytes, and the media type that they came with.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Arc<[u8]>,
    media_type: Option<String>,
}

impl Object {
    pub(crate) fn new(bytes: Vec<u8>, media_type: Option<String>) -> Self {
        Self {
            bytes: bytes.into(),
            media_type,
        }
    }

    pub(crate) fn descriptor(&self, digest: &Digest) -> Descriptor {
        Descriptor {
            digest: digest.to_string(),
            size: Some(self.bytes.len() as u64),
            media_type: self.media_type.clone(),
        }
    }
}

pub(crate) fn parse(digest: &str) -> Result<Digest, Error> {
    Digest::parse(digest).map_err(|_| Error::InvalidDigest)
}

pub(crate) fn find(digest: &Digest) -> Option<Object> {
    objects().as_ref()?.get(digest.as_str()).cloned()
}

/// Stores an object whose digest was checked.
pub(crate) fn put(digest: &Digest, object: &Object) {
    objects()
        .get_or_insert_default()
        .insert(digest.to_string(), object.clone());
}

/// The digest of `bytes`, by the algorithm of another.
pub(crate) fn digest_of(like: &Digest, bytes: &[u8]) -> Digest {
    match like.algorithm() {
        Algorithm::Sha256 => sha256(bytes),
        Algorithm::Sha512 => Digest::from_sha512(&Sha512::digest(bytes).into()),
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

fn objects() -> MutexGuard<'static, Option<HashMap<String, Object>>> {
    OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}
