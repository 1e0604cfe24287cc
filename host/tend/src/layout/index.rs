//! `index.json`: OCI image specification 1.1, "index.json file".

use std::collections::BTreeMap;

use ledge_core::media_type::OCI_INDEX;
use serde::{Deserialize, Serialize};

use super::{INDEX, LayoutError, MARKER};

/// What names an image in a layout ("Pre-Defined Annotation Keys").
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The index of a layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    #[serde(default)]
    pub(crate) manifests: Vec<Described>,
}

/// An image of a layout.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    pub(crate) media_type: String,
    pub(crate) digest: String,
    pub(crate) size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Marker {
    image_layout_version: String,
}

impl Index {
    pub(crate) fn new(manifests: Vec<Described>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(OCI_INDEX.to_owned()),
            manifests,
        }
    }

    /// The bytes of the file.
    pub(crate) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        serde_json::from_slice(bytes).map_err(|error| LayoutError::Wrong {
            name: INDEX,
            why: error.to_string(),
        })
    }
}

impl Described {
    pub(crate) fn new(name: String, media_type: String, digest: String, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            annotations: [(REF_NAME.to_owned(), name)].into(),
        }
    }

    /// What the layout calls it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.annotations.get(REF_NAME).map(String::as_str)
    }
}

/// Whether the marker is that of a layout which is known.
pub(crate) fn check_marker(bytes: &[u8]) -> Result<(), LayoutError> {
    let wrong = |why| LayoutError::Wrong { name: MARKER, why };
    let marker: Marker = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    match marker.image_layout_version.as_str() {
        "1.0.0" => Ok(()),
        other => Err(wrong(format!("version {other:?} is not known"))),
    }
}
