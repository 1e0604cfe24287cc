//! Files that name images, and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Longest input in bytes. `kubectl get pods -A -o yaml` prints about 8 KiB a pod: room for eight
/// thousand of them.
const MAX_INPUT: u64 = 64 << 20;

/// Why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refuses.
    #[error("cannot read {}", .0.display())]
    Io(PathBuf, #[source] io::Error),
    /// Nothing that a person or a cluster writes is as long.
    #[error("{} has more than {} MiB", .0.display(), MAX_INPUT >> 20)]
    TooLong(PathBuf),
    /// It is no text.
    #[error("{} is no UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// It is at its end after the first time.
    #[error("standard input can be read once")]
    Twice,
}

/// What a command is given to read.
#[derive(Debug, Default)]
pub struct Inputs {
    took_standard_input: bool,
}

impl Inputs {
    /// Reads a file, or standard input if it is called `-`.
    ///
    /// # Errors
    /// It cannot be read, is too long, or is no text; standard input was read before.
    pub fn read(&mut self, path: &Path) -> Result<String, ReadError> {
        let bytes = if path != Path::new("-") {
            File::open(path).and_then(bounded)
        } else if std::mem::replace(&mut self.took_standard_input, true) {
            return Err(ReadError::Twice);
        } else {
            bounded(io::stdin().lock())
        };
        let bytes = bytes.map_err(|error| ReadError::Io(path.to_owned(), error))?;
        if bytes.len() as u64 > MAX_INPUT {
            return Err(ReadError::TooLong(path.to_owned()));
        }
        String::from_utf8(bytes).map_err(|_| ReadError::NotText(path.to_owned()))
    }
}

fn bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_bounded_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("a file");
            path
        };
        let read = |path: &Path| Inputs::default().read(path);
        assert_eq!(read(&file("a", b"alpine\n")).expect("text"), "alpine\n");
        let error = read(&file("b", b"\xff")).expect_err("no text");
        assert!(matches!(error, ReadError::NotText(_)), "{error}");
        let missing = read(&folder.path().join("c")).expect_err("no file");
        assert!(missing.to_string().contains("/c"), "{missing}");
        let endless = read(Path::new("/dev/zero")).expect_err("no end");
        assert!(matches!(endless, ReadError::TooLong(_)), "{endless}");
    }

    #[test]
    fn standard_input_is_read_once() {
        let mut inputs = Inputs {
            took_standard_input: true,
        };
        let error = inputs.read(Path::new("-")).expect_err("the second time");
        assert!(matches!(error, ReadError::Twice), "{error}");
    }
}
