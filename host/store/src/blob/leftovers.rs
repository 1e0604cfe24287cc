//! What transfers that broke have left: taken up again, or removed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ledge_core::digest::Digest;

use super::layout::{Incoming, Layout};
use super::marks::Marks;
use super::{Inner, OpenError, Partial, StoreError, found};
use crate::evict::{Left, taken};

/// What is left of a transfer that broke. Nothing of it is to be trusted: the caller hashes the
/// bytes up to the last mark that agrees, and calls [`Partial::truncate`] there.
///
/// The marks may be fewer than were made, and bytes before one may be others than were written: a
/// power cut takes either.
#[derive(Debug)]
pub struct Leftover {
    /// The file. Behind the last mark it may have holes.
    pub partial: Partial,
    /// At least one: an offset, from 1 to the file's length, and the hash of the bytes before it,
    /// in lowercase hexadecimal digits, by the algorithm of the object's digest. Offsets ascend.
    pub marks: Vec<(u64, String)>,
}

impl Leftover {
    /// None if there is nothing, or nothing with a mark.
    pub(super) fn open(store: Arc<Inner>, digest: &Digest) -> Result<Option<Self>, StoreError> {
        let claim = store.claim(digest)?;
        let path = store.layout.incoming(digest);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let Some(file) = found(file).map_err(StoreError::at(&path))? else {
            return Ok(None);
        };
        let length = length(&file).map_err(StoreError::at(&path))?;
        let marks = store.layout.marks(digest);
        let (of_file, marks) = Marks::load(marks, digest.algorithm(), length)?;
        if marks.is_empty() {
            return Ok(None);
        }
        let partial = Partial::named(store, path, file, of_file, claim);
        Ok(Some(Self { partial, marks }))
    }
}

/// As [`sweep`], while partials live: theirs are left alone, and so is what has no digest, which may
/// be a scratch file.
pub(super) fn sweep_unclaimed(
    store: &Inner,
    longest: Duration,
    now: SystemTime,
) -> Result<(), StoreError> {
    let layout = &store.layout;
    let partial = layout.partial();
    for entry in fs::read_dir(&partial).map_err(StoreError::at(&partial))? {
        let name = entry.map_err(StoreError::at(&partial))?.file_name();
        let Some(Incoming::Object(digest) | Incoming::Marks(digest)) = Incoming::parse(&name)
        else {
            continue;
        };
        let (object, marks) = (layout.incoming(&digest), layout.marks(&digest));
        // All that is asked of the files is asked under the lock: a moment ago they may have been
        // somebody's.
        let swept = store.claims.unless_taken(&digest, || {
            let kept = sweep_object(&object, &marks, longest, now)?;
            sweep_marks(&marks, &object)?;
            let mut books = store.space.books();
            books.take_up(&digest);
            Ok(kept.and_then(|left| books.leave_behind(&digest, left)))
        });
        let too_many = swept
            .unwrap_or(Ok(None))
            .map_err(StoreError::at(&partial.join(&name)))?;
        if let Some(oldest) = too_many {
            store.drop_leftover(&oldest)?;
        }
    }
    Ok(())
}

fn length(file: &File) -> io::Result<u64> {
    file.metadata().map(|about| about.len())
}

/// Removes from `partial/` what cannot be resumed, and what nothing was written to for longer than
/// `longest` at the time `now`. What is kept. For the start, when no partial lives.
pub(super) fn sweep(
    layout: &Layout,
    longest: Duration,
    now: SystemTime,
) -> Result<Vec<(Digest, Left)>, OpenError> {
    let partial = layout.partial();
    let mut left = Vec::new();
    for entry in fs::read_dir(&partial).map_err(OpenError::at(&partial))? {
        let entry = entry.map_err(OpenError::at(&partial))?;
        let path = entry.path();
        let swept = match Incoming::parse(&entry.file_name()) {
            Some(Incoming::Object(digest)) => {
                let kept = sweep_object(&path, &layout.marks(&digest), longest, now);
                kept.map(|kept| left.extend(kept.map(|kept| (digest, kept))))
            }
            Some(Incoming::Marks(digest)) => sweep_marks(&path, &layout.incoming(&digest)),
            None => remove(&path),
        };
        swept.map_err(OpenError::at(&path))?;
    }
    Ok(left)
}

/// Without marks nothing tells how many of an object's bytes are right. What is kept, and what
/// that takes.
fn sweep_object(
    path: &Path,
    marks: &Path,
    longest: Duration,
    now: SystemTime,
) -> io::Result<Option<Left>> {
    let Some(about) = found(fs::symlink_metadata(path))? else {
        return Ok(None);
    };
    let since = about.modified()?;
    // A time in the future is a clock that was set back.
    let age = now.duration_since(since).unwrap_or_default();
    let of_marks = found(fs::symlink_metadata(marks))?.filter(Metadata::is_file);
    if let Some(marks) = of_marks.filter(|_| about.is_file() && age <= longest) {
        let disk = taken(&about) + taken(&marks);
        return Ok(Some(Left { disk, since }));
    }
    remove(path)?;
    remove(marks)?;
    Ok(None)
}

fn sweep_marks(path: &Path, object: &Path) -> io::Result<()> {
    if is_file(path)? && is_file(object)? {
        return Ok(());
    }
    remove(path)
}

fn is_file(path: &Path) -> io::Result<bool> {
    let about = found(fs::symlink_metadata(path))?;
    Ok(about.is_some_and(|about| about.is_file()))
}

fn remove(path: &Path) -> io::Result<()> {
    found(fs::remove_file(path)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn layout() -> (TempDir, Layout) {
        let dir = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(dir.path().to_owned());
        fs::create_dir(layout.partial()).expect("made");
        (dir, layout)
    }

    fn digest(byte: u8) -> Digest {
        Digest::from_sha256(&[byte; 32])
    }

    /// An object and its marks, last written to at `time`. The marks' own time does not count.
    fn put(layout: &Layout, digest: &Digest, time: SystemTime) -> [PathBuf; 2] {
        let paths = [layout.incoming(digest), layout.marks(digest)];
        for path in &paths {
            fs::write(path, b"bytes").expect("written");
        }
        let file = OpenOptions::new().write(true).open(&paths[0]);
        let set = file.and_then(|file| file.set_modified(time));
        set.expect("the file system takes times");
        paths
    }

    fn names(layout: &Layout) -> usize {
        fs::read_dir(layout.partial()).expect("there").count()
    }

    #[test]
    fn what_is_too_old_goes_with_its_marks() {
        let (_dir, layout) = layout();
        let now = SystemTime::UNIX_EPOCH + 1000 * HOUR;
        let second = Duration::from_secs(1);
        let kept = [
            put(&layout, &digest(1), now),
            put(&layout, &digest(2), now - HOUR),
            put(&layout, &digest(3), now + 2 * HOUR),
        ];
        put(&layout, &digest(4), now - HOUR - second);
        put(&layout, &digest(5), SystemTime::UNIX_EPOCH);
        sweep(&layout, HOUR, now).expect("swept");
        for path in kept.as_flattened() {
            assert_eq!(fs::read(path).expect("kept"), b"bytes");
        }
        assert_eq!(names(&layout), 6);
        sweep(&layout, HOUR, now + 4 * HOUR).expect("swept");
        assert_eq!(names(&layout), 0);
    }

    #[test]
    fn what_cannot_be_resumed_goes() {
        let (dir, layout) = layout();
        let now = SystemTime::now();
        let outside = dir.path().join("outside");
        fs::write(&outside, b"precious").expect("written");
        let [_, marks] = put(&layout, &digest(1), now);
        fs::remove_file(marks).expect("removed");
        let [object, _] = put(&layout, &digest(2), now);
        fs::remove_file(object).expect("removed");
        // Links lead to files of others.
        let [object, _] = put(&layout, &digest(3), now);
        fs::remove_file(&object).expect("removed");
        symlink(&outside, &object).expect("made");
        let [_, marks] = put(&layout, &digest(4), now);
        fs::remove_file(&marks).expect("removed");
        symlink(&outside, &marks).expect("made");
        // Of the format of earlier versions, and of nobody's.
        let hex = digest(5);
        for name in [&format!("{}.0", hex.hex()), "scratch.3", "probe", ".x", "ä"] {
            fs::write(layout.partial().join(name), b"bytes").expect("written");
        }
        symlink(&outside, layout.partial().join("link")).expect("made");
        sweep(&layout, HOUR, now).expect("swept");
        assert_eq!(names(&layout), 0);
        assert_eq!(fs::read(&outside).expect("there"), b"precious");
    }

    #[test]
    fn directories_are_left_to_the_operator() {
        let (_dir, layout) = layout();
        let theirs = layout.partial().join("theirs");
        fs::create_dir(&theirs).expect("made");
        let error = sweep(&layout, HOUR, SystemTime::now()).expect_err("no file");
        let path = theirs.display().to_string();
        assert!(error.to_string().contains(&path), "{error}");
        assert!(theirs.is_dir());
    }
}
