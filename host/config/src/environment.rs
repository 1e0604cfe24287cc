//! What the process stands in: environment variables and the platform's directories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::error::Fault;

/// Where the system's administrator puts the file (Filesystem Hierarchy Standard 3.0, section 3.7).
const SYSTEM_FILE: &str = "/etc/ledge/ledge.toml";

/// The variables that name proxies, in capitals. They are also known in small letters.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// What the process stands in, as data, so that tests choose it.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Environment variables: those of Ledge, and those that name proxies. One that is empty counts as not set, because templates of
    /// deployments often leave them so.
    pub variables: BTreeMap<OsString, OsString>,
    /// Where a configuration file is looked for when none is named. The first that exists is read.
    pub config_files: Vec<PathBuf>,
    /// The platform's directory for Ledge's data, if there is one.
    pub data_directory: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    ///
    /// The directories follow the XDG Base Directory Specification where the platform does.
    pub fn of_process() -> Self {
        let directories = directories::ProjectDirs::from("", "", "ledge");
        let own_file = directories
            .as_ref()
            .map(|found| found.config_dir().join("ledge.toml"));
        Self {
            variables: std::env::vars_os()
                .filter(|(name, _)| {
                    let name = name.to_string_lossy();
                    name.starts_with("LEDGE_") || PROXIES.contains(&name.to_uppercase().as_str())
                })
                .collect(),
            config_files: own_file
                .into_iter()
                .chain([PathBuf::from(SYSTEM_FILE)])
                .collect(),
            data_directory: directories.map(|found| found.data_dir().to_path_buf()),
        }
    }

    /// A variable that holds a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.set(name).map(PathBuf::from)
    }

    /// A variable that holds text.
    pub(crate) fn text(&self, name: &str) -> Option<Result<&str, Fault>> {
        self.set(name)
            .map(|value| value.to_str().ok_or(Fault::NotUtf8))
    }

    fn set(&self, name: &str) -> Option<&OsString> {
        self.variables
            .get(&OsString::from(name))
            .filter(|value| !value.is_empty())
    }
}
