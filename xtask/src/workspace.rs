//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::exec;

/// The clone, and the directory that cargo builds into (`CARGO_TARGET_DIR` or the configuration may move it).
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let answer =
            exec::output(exec::cargo().args(["metadata", "--no-deps", "--format-version=1"]))
                .context("`cargo metadata` failed: run this inside a clone of Ledge")?;
        Self::parse(&answer)
    }

    fn parse(metadata: &str) -> Result<Self> {
        let metadata: Value =
            serde_json::from_str(metadata).context("`cargo metadata` printed no JSON")?;
        let path = |key: &str| {
            let value = metadata[key].as_str().map(PathBuf::from);
            value.with_context(|| format!("`cargo metadata` has no {key}"))
        };
        Ok(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A target directory of their own for the components: other compiler, other flags.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// Where built components are handed over.
    pub(crate) fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    /// A binary of the one profile.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Programs that this one installed for itself.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Long output.
    pub(crate) fn log(&self, subject: &str) -> PathBuf {
        self.target.join("logs").join(format!("{subject}.log"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Workspace;

    #[test]
    fn cargo_says_where_things_are() {
        let metadata =
            r#"{"packages":[],"workspace_root":"/src/ledge","target_directory":"/cache/target"}"#;
        let workspace = Workspace::parse(metadata).expect("parses");
        assert_eq!(workspace.root(), Path::new("/src/ledge"));
        assert_eq!(
            workspace.binary("ledge"),
            Path::new("/cache/target/release/ledge")
        );
    }

    #[test]
    fn other_answers_are_errors() {
        for (answer, error) in [
            ("", "`cargo metadata` printed no JSON"),
            ("{}", "`cargo metadata` has no workspace_root"),
            (
                r#"{"workspace_root":"/a"}"#,
                "`cargo metadata` has no target_directory",
            ),
        ] {
            assert_eq!(
                Workspace::parse(answer).expect_err("no answer").to_string(),
                error
            );
        }
    }
}
