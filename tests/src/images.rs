//! Images of every kind that clients pull, made by code.

use std::collections::BTreeSet;

use anyhow::Result;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::digest;
use crate::layers::{self, Compression, Layer};

/// `application/vnd.oci.image.manifest.v1+json`
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// `application/vnd.oci.image.index.v1+json`
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// `application/vnd.docker.distribution.manifest.v2+json`
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// Bytes with their digest and media type.
#[derive(Debug, Clone)]
pub struct Object {
    /// `sha256:…`
    pub digest: String,
    /// What a descriptor of it says.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl Object {
    /// An object of these bytes.
    #[must_use]
    pub fn new(media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            digest: digest::of(&bytes),
            media_type: media_type.to_owned(),
            bytes,
        }
    }

    fn json(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, value.to_string())
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// An image, an index of images or an artifact, and everything that it needs.
#[derive(Debug, Clone)]
pub struct Image {
    /// Configurations and layers.
    pub blobs: Vec<Object>,
    /// Children first; the last one is what a tag names.
    pub manifests: Vec<Object>,
    /// The digests of the uncompressed layers of what a Linux/amd64 client pulls.
    pub diff_ids: Vec<String>,
}

impl Image {
    /// What a tag names.
    #[must_use]
    pub fn root(&self) -> &Object {
        self.manifests.last().expect("an image has a manifest")
    }

    /// What a Linux/amd64 client ends up with: its manifest's parsed form.
    #[must_use]
    pub fn platform(&self) -> &Object {
        self.manifests.first().expect("an image has a manifest")
    }

    /// The digest of the configuration that a Linux/amd64 client pulls.
    #[must_use]
    pub fn config(&self) -> String {
        parsed(self.platform())["config"]["digest"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The digests of the layers that a Linux/amd64 client pulls, as they travel.
    #[must_use]
    pub fn layers(&self) -> BTreeSet<String> {
        let manifest = parsed(self.platform());
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        layers
            .iter()
            .filter_map(|layer| layer["digest"].as_str())
            .map(str::to_owned)
            .collect()
    }

    /// The bytes of all blobs and manifests.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blobs
            .iter()
            .chain(&self.manifests)
            .map(|object| object.bytes.len() as u64)
            .sum()
    }
}

fn parsed(object: &Object) -> Value {
    serde_json::from_slice(&object.bytes).unwrap_or_default()
}

/// One layer of 64 KiB.
///
/// # Errors
/// If compression fails, as for all of them.
pub fn small(seed: u64) -> Result<Image> {
    single(
        &[layers::random(seed, 64 << 10, Compression::Gzip)?],
        "amd64",
        Family::Oci,
    )
}

/// Gzip layers of the given sizes.
///
/// # Errors
/// If compression fails.
pub fn layered(seed: u64, sizes: &[usize]) -> Result<Image> {
    single(
        &several(seed, sizes, Compression::Gzip)?,
        "amd64",
        Family::Oci,
    )
}

/// Zstandard layers of the given sizes.
///
/// # Errors
/// If compression fails.
pub fn zstandard(seed: u64, sizes: &[usize]) -> Result<Image> {
    single(
        &several(seed, sizes, Compression::Zstd)?,
        "amd64",
        Family::Oci,
    )
}

/// A Docker schema 2 image with one layer of 64 KiB.
///
/// # Errors
/// If compression fails.
pub fn docker(seed: u64) -> Result<Image> {
    single(
        &[layers::random(seed, 64 << 10, Compression::Gzip)?],
        "amd64",
        Family::Docker,
    )
}

/// An image of these layers.
///
/// # Errors
/// Never for now; the same signature as its siblings.
pub fn of(layers: &[Layer]) -> Result<Image> {
    single(layers, "amd64", Family::Oci)
}

/// An index of images for three platforms; Linux/amd64 comes first.
///
/// # Errors
/// If compression fails.
pub fn index(seed: u64) -> Result<Image> {
    let mut whole = Image {
        blobs: Vec::new(),
        manifests: Vec::new(),
        diff_ids: Vec::new(),
    };
    let mut entries = Vec::new();
    for (number, architecture) in (0..).zip(["amd64", "arm64", "s390x"]) {
        let layer = layers::random(seed + number, 64 << 10, Compression::Gzip)?;
        let image = single(&[layer], architecture, Family::Oci)?;
        let mut entry = image.root().descriptor();
        entry["platform"] = json!({ "architecture": architecture, "os": "linux" });
        entries.push(entry);
        if number == 0 {
            whole.diff_ids.clone_from(&image.diff_ids);
        }
        whole.blobs.extend(image.blobs);
        whole.manifests.extend(image.manifests);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
    whole.manifests.push(Object::json(OCI_INDEX, &index));
    Ok(whole)
}

/// An artifact of a type that refers to `subject`.
#[must_use]
pub fn artifact(subject: &Object, artifact_type: &str, content: &str) -> Image {
    let empty = Object::new("application/vnd.oci.empty.v1+json", "{}");
    let content = Object::new("text/plain", content.to_owned());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
        "config": empty.descriptor(), "layers": [content.descriptor()], "subject": subject.descriptor(),
    });
    let manifests = vec![Object::json(OCI_MANIFEST, &manifest)];
    Image {
        blobs: vec![empty, content],
        manifests,
        diff_ids: Vec::new(),
    }
}

/// The tag that stands in for the referrers API (OCI distribution specification
/// 1.1, "Referrers Tag Schema").
#[must_use]
pub fn fallback_tag(subject: &str) -> String {
    subject.replace(':', "-")
}

/// The index that the fallback tag of `subject` names (OCI distribution
/// specification 1.1, "Referrers Tag Schema").
#[must_use]
pub fn fallback(referrers: &[&Image]) -> Object {
    let entries: Vec<Value> = referrers.iter().map(|image| referrer(image)).collect();
    Object::json(
        OCI_INDEX,
        &json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries }),
    )
}

fn referrer(image: &Image) -> Value {
    let mut entry = image.root().descriptor();
    entry["artifactType"] = parsed(image.root())["artifactType"].clone();
    entry
}

fn several(seed: u64, sizes: &[usize], compression: Compression) -> Result<Vec<Layer>> {
    (seed..)
        .zip(sizes)
        .map(|(seed, size)| layers::random(seed, *size, compression))
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Oci,
    Docker,
}

fn single(layers: &[Layer], architecture: &str, family: Family) -> Result<Image> {
    let (manifest_type, config_type) = match family {
        Family::Oci => (OCI_MANIFEST, OCI_CONFIG),
        Family::Docker => (DOCKER_MANIFEST, DOCKER_CONFIG),
    };
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Cmd": ["/bin/true"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids }, "history": [],
    });
    let config = Object::json(config_type, &config);
    let layers: Vec<Object> = layers.iter().map(|layer| packed(layer, family)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": manifest_type, "config": config.descriptor(),
        "layers": layers.iter().map(Object::descriptor).collect::<Vec<_>>(),
    });
    let manifests = vec![Object::json(manifest_type, &manifest)];
    Ok(Image {
        blobs: layers.into_iter().chain([config]).collect(),
        manifests,
        diff_ids,
    })
}

fn packed(layer: &Layer, family: Family) -> Object {
    let media_type = match (family, layer.compression) {
        (Family::Docker, _) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
        (Family::Oci, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
        (Family::Oci, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
    };
    Object::new(media_type, layer.bytes.clone())
}
