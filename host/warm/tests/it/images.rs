//! Small images with real digests.

use bytes::Bytes;
use ledge_core::digest::Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::mirror::{Answer, Mirror};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Bytes and what they are called.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) digest: String,
}

impl Object {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = Digest::from_sha256(&Sha256::digest(&bytes).into()).to_string();
        Self { bytes, digest }
    }

    pub(crate) fn json(value: &Value) -> Self {
        Self::new(value.to_string())
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn descriptor(&self, media_type: &str) -> Value {
        json!({ "mediaType": media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// An image for one platform.
pub(crate) struct Image {
    pub(crate) manifest: Object,
    pub(crate) blobs: Vec<Object>,
}

impl Image {
    /// A config of its own, and these layers.
    pub(crate) fn new(name: &str, layers: &[&str]) -> Self {
        let config = Object::json(&json!({ "name": name }));
        let layers: Vec<Object> = layers
            .iter()
            .map(|layer| Object::new((*layer).to_owned()))
            .collect();
        let described: Vec<Value> = layers
            .iter()
            .map(|layer| layer.descriptor("a/layer"))
            .collect();
        let manifest = Object::json(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": config.descriptor("a/config"), "layers": described,
        }));
        let blobs = std::iter::once(config).chain(layers).collect();
        Self { manifest, blobs }
    }

    /// The bytes of everything.
    pub(crate) fn size(&self) -> u64 {
        self.manifest.len() + self.blobs.iter().map(Object::len).sum::<u64>()
    }

    /// An index's entry for it.
    pub(crate) fn entry(&self, os: &str, architecture: &str) -> Value {
        let mut entry = self.manifest.descriptor(MANIFEST);
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        entry
    }

    /// Serves it, by its digest and by a tag.
    pub(crate) fn serve(&self, mirror: &Mirror, repository: &str, tag: &str) {
        serve_manifest(mirror, repository, tag, &self.manifest);
        for blob in &self.blobs {
            let path = format!("/v2/{repository}/blobs/{}", blob.digest);
            mirror.serve(&path, Answer::ok(blob.bytes.clone()));
        }
    }
}

pub(crate) fn index(entries: &[Value]) -> Object {
    Object::json(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }))
}

/// Serves a manifest by its digest and by a tag.
pub(crate) fn serve_manifest(mirror: &Mirror, repository: &str, tag: &str, manifest: &Object) {
    let answer =
        Answer::ok(manifest.bytes.clone()).field("docker-content-digest", &manifest.digest);
    for reference in [tag, &manifest.digest] {
        mirror.serve(
            &format!("/v2/{repository}/manifests/{reference}"),
            answer.clone(),
        );
    }
}
