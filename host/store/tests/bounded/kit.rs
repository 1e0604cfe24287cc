//! A bounded store, objects that are told apart by a number, and `du`.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledge_core::digest::Digest;
use ledge_store::{Amount, BlobStore, Bounds, Class, Keeping, Object, StoreOptions};
use tempfile::TempDir;

pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const MIB: u64 = 1 << 20;

/// Long enough for any machine; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes of a store's bound that a test opens it with: `Site::of`.
pub(crate) struct Site {
    pub(crate) store: BlobStore,
    options: StoreOptions,
    /// Removed with the site.
    _dir: TempDir,
}

impl Site {
    /// A store that may take `max_size` bytes.
    pub(crate) fn of(max_size: u64) -> Self {
        Self::with(
            0,
            Bounds {
                max_size: Some(Amount::Bytes(max_size)),
                ..Bounds::NONE
            },
        )
    }

    pub(crate) fn with(memory: u64, bounds: Bounds) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = StoreOptions {
            path: dir.path().join("store"),
            memory,
            leftovers: Duration::from_secs(3600),
            bounds,
        };
        Self {
            store: BlobStore::open(&options).expect("a store"),
            options,
            _dir: dir,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.options.path
    }

    /// The file of an object.
    pub(crate) fn object(&self, number: u64) -> PathBuf {
        let digest = digest(number);
        let shard = self.path().join("blobs/sha256").join(&digest.hex()[..2]);
        shard.join(digest.hex())
    }

    pub(crate) fn put(&self, number: u64, size: usize) {
        self.put_as(number, size, Keeping::default());
    }

    pub(crate) fn put_as(&self, number: u64, size: usize, keeping: Keeping) {
        let digest = digest(number);
        let partial = self.store.begin(&digest).expect("a partial");
        partial.reserve(size as u64).expect("room");
        for (index, block) in bytes(number, size).chunks(64 << 10).enumerate() {
            let at = (index as u64) << 16;
            partial.write_at(block, at).expect("written");
        }
        partial
            .commit(&digest, size as u64, keeping)
            .expect("committed");
    }

    /// Leaves so many bytes of an object to the next try.
    pub(crate) fn leave(&self, number: u64, size: u64) {
        let mut partial = self.store.begin(&digest(number)).expect("a partial");
        partial.reserve(size).expect("room");
        let block = vec![7; size as usize];
        partial.write_at(&block, 0).expect("written");
        partial.mark(size, digest(0).hex()).expect("marked");
        partial.keep();
    }

    pub(crate) async fn find(&self, number: u64) -> Option<Object> {
        self.store.find(&digest(number)).await.expect("answered")
    }

    /// Whether it is stored; if so, with the right bytes.
    pub(crate) async fn is_there(&self, number: u64, size: usize) -> bool {
        let Some(object) = self.find(number).await else {
            return false;
        };
        let found = object.bytes(u64::MAX).await.expect("read");
        assert!(found == bytes(number, size), "other bytes of {number}");
        true
    }

    /// The same store, closed well and opened again, after something was done to its files.
    pub(crate) fn restarted_after(self, change: impl FnOnce(&Path)) -> Self {
        let Self {
            store,
            options,
            _dir,
        } = self;
        drop(store);
        change(&options.path);
        Self {
            store: BlobStore::open(&options).expect("a store"),
            options,
            _dir,
        }
    }

    /// What a process finds that is started after this one was killed now: the same files.
    pub(crate) fn killed(self) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store");
        copy(self.path(), &path);
        let options = StoreOptions {
            path,
            ..self.options
        };
        Self {
            store: BlobStore::open(&options).expect("a store"),
            options,
            _dir: dir,
        }
    }

    /// Waits until the sums are those of the files that are there.
    pub(crate) fn wait_for_the_walk(&self) {
        let is_right = || {
            let (objects, stored) = on_disk(self.path());
            let usage = self.store.usage().expect("answered");
            (usage.objects, usage.stored) == (objects, stored)
        };
        let started = Instant::now();
        while !is_right() {
            let usage = self.store.usage().expect("answered");
            let found = on_disk(self.path());
            assert!(started.elapsed() < PATIENCE, "{usage:?} for {found:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub(crate) fn keep(class: Class) -> Keeping {
    Keeping {
        class,
        priority: 128,
    }
}

/// The digest that a test calls by this number. The store does not hash, so any will do; like real
/// ones they are spread evenly.
pub(crate) fn digest(number: u64) -> Digest {
    let mut words = [0; 32];
    for (index, word) in (0..).zip(words.chunks_exact_mut(8)) {
        word.copy_from_slice(&mix(number * 4 + index).to_be_bytes());
    }
    Digest::from_sha256(&words)
}

/// The bytes of the object of that number.
pub(crate) fn bytes(number: u64, size: usize) -> Vec<u8> {
    let words = (0..size.div_ceil(8) as u64).map(|index| mix(number << 32 | index));
    let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    bytes.truncate(size);
    bytes
}

/// SplitMix64.
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// What `du` says of a directory: files may go meanwhile.
pub(crate) fn du(path: &Path) -> u64 {
    sum(path, &|about| about.blocks() * 512)
}

/// The objects that are there, and what they take.
fn on_disk(path: &Path) -> (u64, u64) {
    let blobs = path.join("blobs");
    let count = sum(&blobs, &|about| u64::from(about.is_file()));
    let bytes = sum(&blobs, &|about| {
        let pages = about.len().next_multiple_of(4096);
        u64::from(about.is_file()) * pages.max(about.blocks() * 512)
    });
    (count, bytes)
}

fn sum(path: &Path, of: &impl Fn(&Metadata) -> u64) -> u64 {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let about = match fs::symlink_metadata(path) {
        Err(error) if gone(&error) => return 0,
        about => about.expect("answered"),
    };
    let own = of(&about);
    if !about.is_dir() {
        return own;
    }
    let entries = fs::read_dir(path).expect("listed");
    let within = entries.map(|entry| sum(&entry.expect("an entry").path(), of));
    own + within.sum::<u64>()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = fs::copy(entry.path(), &target) {
            // Evicted meanwhile.
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
        }
    }
}
