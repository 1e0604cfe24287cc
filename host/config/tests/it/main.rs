//! The configuration as a whole: what is taken, what is refused with which words, what is shown.

mod access;
mod connections;
mod credentials;
mod documented;
mod layers;
mod refused;
mod shared;
mod shown;
mod upstreams;

use std::ffi::OsString;
use std::path::PathBuf;

use ledge_config::{Config, Flags, Problems, Surroundings};

/// A file, and what the process stands in. The file's path in messages is `FILE`.
struct Given {
    directory: tempfile::TempDir,
    flags: Flags,
    surroundings: Surroundings,
}

impl Given {
    /// No file, no variables, no flags.
    fn nothing() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self {
            surroundings: Surroundings {
                config_files: vec![directory.path().join("ledge.toml")],
                data_directory: Some(PathBuf::from("/data/ledge")),
                ..Surroundings::default()
            },
            flags: Flags::default(),
            directory,
        }
    }

    fn file(text: impl AsRef<[u8]>) -> Self {
        let given = Self::nothing();
        std::fs::write(given.path(), text).expect("a written file");
        given
    }

    fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.surroundings
            .variables
            .insert(name.into(), value.into());
        self
    }

    fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ledge.toml")
    }

    fn load(&self) -> Result<Config, Problems> {
        Config::load(&self.flags, &self.surroundings)
    }

    fn loaded(&self) -> Config {
        self.load().expect("a configuration")
    }

    /// The problems, as they are printed.
    fn refused(&self) -> String {
        let problems = self.load().expect_err("a refusal");
        let lines: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        let path = self.path().display().to_string();
        lines.join("\n").replace(&path, "FILE")
    }

    fn shown(&self) -> String {
        let path = self.path().display().to_string();
        self.loaded().show().to_string().replace(&path, "FILE")
    }
}
