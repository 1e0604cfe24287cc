//! Files that others watch: they change only when their content does, and never half.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

/// Copies `from` over `to` unless their bytes are equal, so that `to` keeps its time and cargo builds nothing again.
/// True when `to` changed.
pub(crate) fn copy_if_changed(from: &Path, to: &Path) -> Result<bool> {
    let new = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    write_if_changed(to, &new)
}

/// Writes `content` to `path` unless it is there already. True when the file changed.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(false);
    }
    replace(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(true)
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    create_parent(path)?;
    let partial = beside(path, "partial");
    fs::write(&partial, content)?;
    fs::rename(&partial, path)
}

/// Creates an empty file, and its directory.
pub(crate) fn create(path: &Path) -> Result<File> {
    create_parent(path)
        .and_then(|()| File::create(path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A file name next to `path`: `a/b.wasm` and `partial` make `a/b.wasm.partial`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// A line that changes when the file may have: cargo keeps the times of what it does not build again.
pub(crate) fn stamp(path: &Path) -> Result<String> {
    let found = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    let modified = found
        .modified()
        .context("this file system keeps no times")?;
    let age = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("a file is from before 1970")?;
    Ok(format!(
        "{} {} {}\n",
        path.display(),
        found.len(),
        age.as_nanos()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{beside, copy_if_changed, stamp};

    #[test]
    fn an_equal_copy_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let (from, to) = (
            directory.path().join("from"),
            directory.path().join("new/to"),
        );
        fs::write(&from, "one").expect("written");
        assert!(copy_if_changed(&from, &to).expect("copied"));
        let before = stamp(&to).expect("there");
        assert!(!copy_if_changed(&from, &to).expect("compared"));
        assert_eq!(stamp(&to).expect("there"), before);

        fs::write(&from, "three").expect("written");
        assert!(copy_if_changed(&from, &to).expect("copied"));
        assert_eq!(fs::read(&to).expect("there"), b"three");
        assert_ne!(stamp(&to).expect("there"), before);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = stamp(Path::new("/nonexistent/file")).expect_err("missing");
        assert_eq!(error.to_string(), "cannot read /nonexistent/file");
    }

    #[test]
    fn beside_keeps_the_extension() {
        assert_eq!(
            beside(Path::new("a/b.wasm"), "partial"),
            Path::new("a/b.wasm.partial")
        );
    }
}
