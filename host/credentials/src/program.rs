//! Programs, by name.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// What a search of `PATH` finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Found(PathBuf),
    /// Only this, which may not be run.
    NotExecutable(PathBuf),
    Nothing,
}

/// The first executable of that name. Entries of `PATH` that are relative are left out: what they mean
/// depends on where the process was started.
pub(crate) fn find(name: &str, path: &OsStr) -> Search {
    let mut fallback = Search::Nothing;
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let file = folder.join(name);
        match std::fs::metadata(&file) {
            Ok(metadata) if !metadata.is_file() => {}
            Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 => {
                return Search::Found(file);
            }
            Ok(_) if fallback == Search::Nothing => fallback = Search::NotExecutable(file),
            Ok(_) | Err(_) => {}
        }
    }
    fallback
}
