//! What a folder takes of the disk, looked at while others write to it.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The unit of `st_blocks` on Linux, as `du` counts.
const BLOCK: u64 = 512;

/// What `du -s` says, in bytes. Files may come and go meanwhile; one that is renamed counts once.
///
/// # Errors
/// If something cannot be looked at for another reason than that it is gone.
pub fn usage(path: &Path) -> io::Result<u64> {
    add_up(path, &mut HashSet::new())
}

fn add_up(path: &Path, seen: &mut HashSet<u64>) -> io::Result<u64> {
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        about => about?,
    };
    if !seen.insert(about.ino()) {
        return Ok(0);
    }
    let mut sum = about.blocks() * BLOCK;
    if about.is_dir() {
        for entry in fs::read_dir(path)? {
            sum += add_up(&entry?.path(), seen)?;
        }
    }
    Ok(sum)
}

/// The same at one moment, nearly: what one look adds up is of many, and a file that went during it
/// may be counted beside the one that took its room. Twice in a row that does not happen.
fn moment(path: &Path) -> io::Result<u64> {
    Ok(usage(path)?.min(usage(path)?))
}

/// Looks at a folder again and again, on a thread of its own.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    thread: JoinHandle<io::Result<()>>,
}

impl Watch {
    /// Begins to look, every `interval`.
    #[must_use]
    pub fn start(folder: PathBuf, interval: Duration) -> Self {
        let (stop, most) = (Arc::default(), Arc::default());
        let (stopped, seen): (Arc<AtomicBool>, Arc<AtomicU64>) =
            (Arc::clone(&stop), Arc::clone(&most));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(moment(&folder)?, Ordering::Relaxed);
                thread::sleep(interval);
            }
            Ok(())
        });
        Self { stop, most, thread }
    }

    /// The most that it saw.
    ///
    /// # Errors
    /// What kept it from looking.
    pub fn end(self) -> io::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("who looked has panicked")))?;
        Ok(self.most.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_the_most() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let before = usage(folder.path())?;
        fs::create_dir(folder.path().join("a"))?;
        let file = folder.path().join("a/b");
        fs::write(&file, vec![7; 1 << 20])?;
        let watch = Watch::start(folder.path().to_owned(), Duration::from_millis(1));
        while watch.most.load(Ordering::Relaxed) < before + (1 << 20) {
            thread::yield_now();
        }
        fs::remove_file(&file)?;
        assert!(usage(folder.path())? < before + (1 << 20));
        assert!(watch.end()? >= before + (1 << 20));
        Ok(())
    }
}
