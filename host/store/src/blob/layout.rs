//! Where things lie in the store's directory, and directories that survive a power cut.
//!
//! ```text
//! DIR/format                       the version of this layout
//! DIR/lock                         locked by the process that has the store open
//! DIR/blobs/sha256/ab/abcdef…      one file an object, named by its digest
//! DIR/partial/sha256-abcdef…       the object on its way in; a restart may take it up again
//! DIR/partial/sha256-abcdef….marks what its first bytes hash to: a line a mark
//! DIR/partial/scratch.<number>     what has no digest yet; removed at the next start
//! DIR/quarantine/sha256-abcdef…    what was found to be wrong; nobody is served it
//! DIR/index.redb                   what is known of each object, and their sums
//! ```
//!
//! Anything else in `partial/` is removed when the store is opened, and so are marks without their
//! object, objects without marks, and those that nothing was written to for a long time. The latter
//! are removed while it is open too.
//!
//! A store of format 1 has no index.
//!
//! `DIR/kv.redb` lies beside them; that file is the key-value store's own. So is `DIR/control.sock`, the socket at
//! which a process that serves takes an operator's commands.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledge_core::digest::Digest;

use crate::directory;

/// Names that a directory may hold before it is a store: what an interrupted first start leaves,
/// the key-value file, and what `mkfs` puts into a fresh file system.
pub(super) const OWN_NAMES: [&str; 4] = ["lock", "format.new", "kv.redb", "lost+found"];

/// Private upstreams' objects lie here: only the store's own user may read them.
const MODE: u32 = 0o700;

/// The extension of [`Layout::marks`].
const MARKS: &str = "marks";

/// What a name in `partial/` stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// [`Layout::incoming`] of this digest.
    Object(Digest),
    /// [`Layout::marks`] of this digest.
    Marks(Digest),
}

impl Incoming {
    /// None for scratch files, and for names that this layout does not give.
    pub(super) fn parse(name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        match name.strip_suffix(MARKS).and_then(|n| n.strip_suffix('.')) {
            Some(name) => parse_digest(name).map(Self::Marks),
            None => parse_digest(name).map(Self::Object),
        }
    }
}

fn parse_digest(name: &str) -> Option<Digest> {
    let (algorithm, hex) = name.split_once('-')?;
    Digest::parse(&format!("{algorithm}:{hex}")).ok()
}

/// The paths of one store.
pub(crate) struct Layout {
    root: PathBuf,
    /// Directories that this process knows to be on the disk, not only in the kernel's memory.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            durable: Mutex::default(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn format(&self) -> PathBuf {
        self.root.join("format")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index.redb")
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(super) fn partial(&self) -> PathBuf {
        self.root.join("partial")
    }

    /// The file of a committed object. Two digits of fan-out keep directories small: a million
    /// objects are 4,000 names each.
    pub(crate) fn object(&self, digest: &Digest) -> PathBuf {
        self.shard(digest).join(digest.hex())
    }

    /// The directory that [`Layout::object`] lies in.
    pub(super) fn shard(&self, digest: &Digest) -> PathBuf {
        let mut path = self.blobs();
        path.push(digest.algorithm().as_str());
        path.push(&digest.hex()[..2]);
        path
    }

    /// The file of an object on its way in.
    pub(crate) fn incoming(&self, digest: &Digest) -> PathBuf {
        let mut path = self.partial();
        path.push(format!("{}-{}", digest.algorithm(), digest.hex()));
        path
    }

    /// The marks of [`Layout::incoming`].
    pub(crate) fn marks(&self, digest: &Digest) -> PathBuf {
        let mut path = self.incoming(digest);
        path.add_extension(MARKS);
        path
    }

    /// A file of no digest.
    pub(super) fn scratch(&self, number: u64) -> PathBuf {
        self.partial().join(format!("scratch.{number}"))
    }

    /// Makes `path` and what is missing above it, and returns when their names are on the disk.
    ///
    /// Whoever asks while another is at it waits: otherwise an object could be committed into a
    /// directory that a power cut takes away again.
    pub(super) fn make(&self, path: &Path) -> io::Result<()> {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        make_durable(path, &mut durable)
    }
}

fn make_durable(path: &Path, durable: &mut HashSet<PathBuf>) -> io::Result<()> {
    if durable.contains(path) {
        return Ok(());
    }
    let made = create(path).or_else(|error| match (error.kind(), path.parent()) {
        (ErrorKind::NotFound, Some(parent)) => {
            make_durable(parent, durable)?;
            create(path)
        }
        _ => Err(error),
    });
    made?;
    if let Some(parent) = path.parent() {
        directory::sync(parent)?;
    }
    durable.insert(path.to_owned());
    Ok(())
}

fn create(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn objects_lie_under_their_digest() {
        let layout = Layout::new(PathBuf::from("/s"));
        let hex = "ab".repeat(32);
        let digest = Digest::parse(&format!("sha256:{hex}")).expect("a digest");
        assert_eq!(
            layout.object(&digest),
            PathBuf::from(format!("/s/blobs/sha256/ab/{hex}"))
        );
        let hex = "0c".repeat(64);
        let digest = Digest::parse(&format!("sha512:{hex}")).expect("a digest");
        assert_eq!(
            layout.object(&digest),
            PathBuf::from(format!("/s/blobs/sha512/0c/{hex}"))
        );
    }

    #[test]
    fn names_in_partial_are_told_apart() {
        let layout = Layout::new(PathBuf::from("/s"));
        for (algorithm, length) in [("sha256", 64), ("sha512", 128)] {
            let hex = "0c".repeat(length / 2);
            let digest = Digest::parse(&format!("{algorithm}:{hex}")).expect("a digest");
            let (object, marks) = (layout.incoming(&digest), layout.marks(&digest));
            let name = format!("/s/partial/{algorithm}-{hex}");
            assert_eq!(object, PathBuf::from(&name));
            assert_eq!(marks, PathBuf::from(name + ".marks"));
            let parse = |path: PathBuf| Incoming::parse(path.file_name().expect("a name"));
            assert_eq!(parse(object), Some(Incoming::Object(digest.clone())));
            assert_eq!(parse(marks), Some(Incoming::Marks(digest)));
        }
    }

    #[test]
    fn other_names_are_foreign() {
        let hex = "0c".repeat(32);
        let scratch = Layout::new(PathBuf::from("/s")).scratch(7);
        let foreign = [
            String::new(),
            "probe".to_owned(),
            ".marks".to_owned(),
            hex.clone(),
            format!("{hex}.7"),
            format!("sha256:{hex}"),
            format!("sha256-{hex}.7"),
            format!("sha256-{hex}.marks.marks"),
            format!("sha256-{hex}marks"),
            format!("sha256-{hex}0"),
            format!("sha512-{hex}"),
            format!("SHA256-{hex}"),
            format!("sha256-{}", hex.to_uppercase()),
            scratch
                .file_name()
                .expect("one")
                .to_str()
                .expect("text")
                .to_owned(),
        ];
        for name in foreign {
            assert_eq!(Incoming::parse(OsStr::new(&name)), None, "{name}");
        }
        let name = [b"sha256-".as_slice(), &[0xff; 64]].concat();
        assert_eq!(Incoming::parse(OsStr::from_bytes(&name)), None);
    }

    #[test]
    fn directories_are_made_with_all_above_and_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let deep = dir.path().join("a/b/c");
        let layout = Layout::new(dir.path().to_owned());
        layout.make(&deep).expect("made");
        layout.make(&deep).expect("made already");
        assert!(deep.is_dir());
        let other = Layout::new(dir.path().to_owned());
        other.make(&deep).expect("there already");
    }
}
