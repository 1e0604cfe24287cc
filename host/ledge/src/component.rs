//! Which component serves: the embedded one, or a file.

use std::path::Path;

use anyhow::Result;
use ledge_runtime::{Component, Engine};

/// The registry component, compiled at build time.
#[cfg(feature = "embed")]
static EMBEDDED: &[u8] = include_bytes!(env!("LEDGE_EMBED"));

/// A component, and how messages call it.
pub(crate) struct Chosen {
    pub(crate) name: String,
    pub(crate) component: Component,
}

/// The component of `file`, or the embedded one.
pub(crate) fn choose(engine: &Engine, file: Option<&Path>) -> Result<Chosen> {
    match file {
        Some(file) => Ok(Chosen {
            name: file.display().to_string(),
            component: engine.load(file)?,
        }),
        None => embedded(engine),
    }
}

#[cfg(feature = "embed")]
fn embedded(engine: &Engine) -> Result<Chosen> {
    Ok(Chosen {
        name: "embedded".to_owned(),
        component: engine.load_embedded(EMBEDDED)?,
    })
}

#[cfg(not(feature = "embed"))]
fn embedded(_: &Engine) -> Result<Chosen> {
    anyhow::bail!(
        "this binary was built without its component\n\
         help: build it with `cargo xtask build`, or give one with `--component FILE`"
    )
}
