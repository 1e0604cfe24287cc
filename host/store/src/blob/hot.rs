//! Files of long objects that were asked for lately: open, and mapped, so that the next request costs neither.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledge_core::digest::Digest;
use ledge_sendfile::Mapped;

use super::body::AT_ONCE;

/// How many are held open, a descriptor and a mapping each: more than images have layers that many clients pull at
/// once, and a quarter of the descriptors that a process has by default.
const FILES: usize = 256;

/// The files. None of them counts as being read: what is taken away is closed here too, at once, because its room is
/// counted as free from then on. (A library's cache closes what it lets go of when it comes to that.)
#[derive(Default)]
pub(crate) struct Hot(Mutex<State>);

#[derive(Default)]
struct State {
    files: HashMap<Digest, Held>,
    /// Counts uses: the one that was used least lately goes first.
    tick: u64,
    /// How often something was taken away.
    taken: u64,
}

struct Held {
    file: HotFile,
    used: u64,
}

/// An object's file.
#[derive(Clone)]
pub(super) struct HotFile {
    pub(super) file: Arc<File>,
    pub(super) size: u64,
    pub(super) mapped: Option<Mapped>,
}

/// When a file was opened: what is taken away later is not held on its account.
#[derive(Clone, Copy)]
pub(super) struct Opened(u64);

impl Hot {
    /// The object's file, unless that was changed behind our back.
    pub(super) fn get(&self, digest: &Digest) -> Option<HotFile> {
        let hot = {
            let mut state = self.lock();
            state.tick += 1;
            let tick = state.tick;
            let held = state.files.get_mut(digest)?;
            held.used = tick;
            held.file.clone()
        };
        let about = hot.file.metadata().ok();
        if about.is_some_and(|about| about.len() == hot.size && about.nlink() > 0) {
            return Some(hot);
        }
        self.remove(digest);
        None
    }

    /// To be asked before a file is opened.
    pub(super) fn opening(&self) -> Opened {
        Opened(self.lock().taken)
    }

    /// A file that was opened, held if it is long.
    pub(super) fn hold(&self, digest: &Digest, file: File, size: u64, opened: Opened) -> HotFile {
        let file = Arc::new(file);
        let is_long = size > AT_ONCE;
        let mapped = || Mapped::new(file.clone(), size).ok();
        let hot = HotFile {
            mapped: is_long.then(mapped).flatten(),
            file,
            size,
        };
        if is_long {
            // Closed when nobody waits for the lock.
            drop(self.lock().insert(digest, hot.clone(), opened));
        }
        hot
    }

    /// The object was taken away, or another file is in its place.
    pub(crate) fn remove(&self, digest: &Digest) {
        let removed = {
            let mut state = self.lock();
            state.taken += 1;
            state.files.remove(digest)
        };
        drop(removed);
    }

    /// The table is right after every statement, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What has to go for it, if anything has.
    fn insert(&mut self, digest: &Digest, file: HotFile, opened: Opened) -> Option<Held> {
        if self.taken != opened.0 {
            return None;
        }
        self.tick += 1;
        let used = self.tick;
        let replaced = self.files.insert(digest.clone(), Held { file, used });
        if replaced.is_some() || self.files.len() <= FILES {
            return replaced;
        }
        let oldest = self.files.iter().min_by_key(|(_, held)| held.used);
        let oldest = oldest.map(|(digest, _)| digest.clone())?;
        self.files.remove(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn digest() -> Digest {
        Digest::from_sha256(&[1; 32])
    }

    fn open(path: &Path, size: u64) -> File {
        fs::write(path, vec![7; size as usize]).expect("written");
        File::open(path).expect("opened")
    }

    #[test]
    fn what_is_long_is_held_until_it_is_taken_away() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("object");
        let hot = Hot::default();
        for (size, is_held) in [(AT_ONCE, false), (AT_ONCE + 1, true)] {
            let opened = hot.opening();
            let held = hot.hold(&digest(), open(&path, size), size, opened);
            assert_eq!(held.mapped.is_some(), is_held);
            assert_eq!(hot.get(&digest()).is_some(), is_held, "{size}");
        }
        let file = Arc::downgrade(&hot.get(&digest()).expect("held").file);
        assert!(file.upgrade().is_some());
        hot.remove(&digest());
        assert!(hot.get(&digest()).is_none());
        assert!(file.upgrade().is_none(), "it is closed at once");
    }

    #[test]
    fn the_one_that_was_used_least_lately_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("object");
        let hot = Hot::default();
        let name = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..2].copy_from_slice(&(n as u16).to_be_bytes());
            Digest::from_sha256(&bytes)
        };
        for n in 0..=FILES {
            hot.get(&name(0));
            let file = open(&path, 100_000);
            hot.hold(&name(n), file, 100_000, hot.opening());
        }
        assert!(hot.get(&name(0)).is_some());
        assert!(hot.get(&name(1)).is_none());
        assert!(hot.get(&name(FILES)).is_some());
        assert_eq!(hot.lock().files.len(), FILES);
    }

    #[test]
    fn what_was_taken_away_while_it_was_opened_is_not_held() {
        let dir = tempfile::tempdir().expect("a directory");
        let hot = Hot::default();
        let opened = hot.opening();
        let file = open(&dir.path().join("object"), 100_000);
        hot.remove(&digest());
        hot.hold(&digest(), file, 100_000, opened);
        assert!(hot.get(&digest()).is_none());
    }

    #[test]
    fn what_was_changed_by_hand_is_opened_anew() {
        type Change = fn(&Path);
        let changes: [Change; 2] = [
            |path| fs::remove_file(path).expect("removed"),
            |path| {
                let file = fs::OpenOptions::new().write(true).open(path);
                file.expect("opened").set_len(10).expect("cut");
            },
        ];
        for change in changes {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("object");
            let hot = Hot::default();
            let opened = hot.opening();
            hot.hold(&digest(), open(&path, 100_000), 100_000, opened);
            change(&path);
            assert!(hot.get(&digest()).is_none());
        }
    }
}
