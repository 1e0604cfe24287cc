//! A store, a client and scripted origins, and what tests ask of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_origin::{Client, ClientOptions, EgressRules, UpstreamEgress};
use ledge_store::{BlobStore, Bounds, StoreOptions};
use ledge_transfer::{
    Abandoned, Answer, FillError, Ranges, Retries, Source, TransferOptions, Transfers, Want,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::good;
use crate::origin::{Origin, Script};

/// More than what is held back, and than one window.
pub(crate) const SIZE: usize = 300_000;

/// Whoever waits for bytes so far ahead of a transfer gets a request of its own.
pub(crate) const FAR: usize = 2 << 20;

/// What containerd 2.1 asks for at a time.
pub(crate) const PIECE: usize = 8 << 20;

/// No limit that a test would notice.
pub(crate) const OPTIONS: TransferOptions = TransferOptions {
    running: 16,
    running_per_origin: 16,
    waiting: 8,
    bandwidth: 0,
    bandwidth_per_origin: 0,
    abandoned: Abandoned::Keep,
    ranges: Ranges::Whole,
    retries: Retries {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(5),
        tries: 4,
    },
};

pub(crate) struct Bench {
    /// In the order in which they are asked.
    pub(crate) origins: Vec<Origin>,
    pub(crate) transfers: Transfers,
    client: Client,
    options: TransferOptions,
    path: PathBuf,
    /// Removed with the bench.
    _directory: TempDir,
}

impl Bench {
    pub(crate) async fn new(script: Script) -> Self {
        Self::with(script, OPTIONS).await
    }

    pub(crate) async fn with(script: Script, options: TransferOptions) -> Self {
        Self::of(vec![script], options).await
    }

    /// One origin a script, all of which have the same objects.
    pub(crate) async fn of(scripts: Vec<Script>, options: TransferOptions) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().to_owned();
        Self::at(path, directory, scripts, options).await
    }

    /// With the store at `path`. `directory` is removed with the bench.
    pub(crate) async fn at(
        path: PathBuf,
        directory: TempDir,
        scripts: Vec<Script>,
        options: TransferOptions,
    ) -> Self {
        let mut origins = Vec::new();
        for script in scripts {
            origins.push(Origin::start(script).await);
        }
        let client = client(&origins);
        Self {
            transfers: Transfers::new(store(&path), client.clone(), options),
            origins,
            client,
            options,
            path,
            _directory: directory,
        }
    }

    /// What a mirror finds that is started after this one was killed now: the same files.
    pub(crate) fn killed(self) -> Self {
        let directory = TempDir::new().expect("a directory");
        let path = directory.path().to_owned();
        copy(&self.path, &path);
        Self {
            transfers: Transfers::new(store(&path), self.client.clone(), self.options),
            origins: self.origins,
            client: self.client,
            options: self.options,
            path,
            _directory: directory,
        }
    }

    /// The first origin.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origins[0]
    }

    /// Requests for an object, one an origin.
    pub(crate) fn source(&self, bytes: &[u8]) -> Source {
        self.source_at(&good::path(bytes))
    }

    /// Requests for a path, one an origin.
    pub(crate) fn source_at(&self, path: &str) -> Source {
        let request = |origin: &Origin| Request::get(format!("{}{path}", origin.url)).body(());
        let requests = self.origins.iter().map(request);
        Source {
            origins: requests.map(|r| r.expect("a request")).collect(),
            ..Source::default()
        }
    }

    pub(crate) async fn fill(
        &self,
        bytes: &[u8],
        ranges: &[ByteRange],
    ) -> Result<Answer, FillError> {
        let source = self.source(bytes);
        self.transfers.fill(want(bytes), source, ranges).await
    }

    /// The whole object. It may fail before its header, if the transfer has failed by then, or after it.
    pub(crate) async fn whole(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.get(bytes, &[]).await
    }

    /// The body of an answer with ranges, as [`Self::whole`] for the whole.
    pub(crate) async fn get(&self, bytes: &[u8], ranges: &[ByteRange]) -> Result<Vec<u8>, String> {
        let answer = self.fill(bytes, ranges).await.map_err(|e| e.to_string())?;
        body(answer).await.map_err(|e| e.to_string())
    }

    /// The bytes in the store, if the object is there.
    pub(crate) async fn kept(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let found = self.transfers.store().find(&digest(bytes)).await;
        let object = found.expect("a store that works")?;
        let bytes = object.bytes(u64::MAX).await.expect("bytes");
        Some(bytes.to_vec())
    }

    pub(crate) async fn stored(&self, bytes: &[u8]) -> bool {
        match self.kept(bytes).await {
            Some(kept) => {
                assert!(kept == bytes, "the store has wrong bytes");
                true
            }
            None => false,
        }
    }

    /// The names in `partial/`: an unfinished object, and its marks.
    pub(crate) fn partials(&self) -> usize {
        let partial = self.path.join("partial");
        std::fs::read_dir(partial).expect("a directory").count()
    }

    /// The files of an unfinished object: its bytes, and its marks. None while there are no marks.
    pub(crate) fn partial_files(&self) -> Option<(PathBuf, PathBuf)> {
        let partial = std::fs::read_dir(self.path.join("partial")).expect("a directory");
        let mut paths: Vec<_> = partial.map(|entry| entry.expect("a name").path()).collect();
        paths.sort_by_key(|path| path.extension().is_some());
        let [object, marks] = paths.try_into().ok()?;
        Some((object, marks))
    }

    /// Waits until no transfer of `bytes` runs any more: then a fill asks the origin again.
    pub(crate) async fn settled(&self, bytes: &[u8]) {
        let digest = digest(bytes);
        until(|| self.transfers.followers(&digest).is_none()).await;
    }

    /// Waits until `number` callers follow the transfer of `bytes`.
    pub(crate) async fn followed_by(&self, bytes: &[u8], number: usize) {
        let digest = digest(bytes);
        until(|| self.transfers.followers(&digest) == Some(number)).await;
    }
}

/// Waits until something is so. It looks once a millisecond, to leave the cores to what is tested.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn client(origins: &[Origin]) -> Client {
    let endpoint = |origin: &Origin| url::Url::parse(&origin.url).expect("a URL");
    let rules = EgressRules::new(vec![UpstreamEgress {
        name: "test".to_owned(),
        endpoints: origins.iter().map(endpoint).collect(),
        trusted_hosts: Vec::new(),
    }]);
    Client::new(rules, ClientOptions::default()).expect("a client")
}

fn store(path: &Path) -> BlobStore {
    BlobStore::open(&StoreOptions {
        path: path.to_owned(),
        memory: 0,
        leftovers: Duration::from_secs(3600),
        bounds: Bounds::NONE,
    })
    .expect("a store")
}

/// In the order of names, so `blobs` before `partial`: transfers go on meanwhile, and a commit in
/// between would else leave the object in both places, which no kill does.
fn copy(from: &Path, to: &Path) {
    let entries = std::fs::read_dir(from).expect("a directory");
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("a name")).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir(&target).expect("a directory");
            copy(&entry.path(), &target);
        } else {
            match std::fs::copy(entry.path(), target) {
                // Committed or removed meanwhile: killed a moment before, it is not there.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.expect("a copy")),
            }
        }
    }
}

/// An object of [`SIZE`] bytes.
pub(crate) fn content() -> Vec<u8> {
    object(SIZE)
}

/// An object of `size` bytes, no aligned 4 KiB of which are like others.
pub(crate) fn object(size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..4096).map(|n| (n * 31 % 251) as u8).collect();
    bytes = bytes.repeat(size.div_ceil(4096));
    for (number, block) in bytes.chunks_exact_mut(4096).enumerate() {
        block[..8].copy_from_slice(&(number as u64).to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The SHA-256 digest. Computed once for the same bytes: a debug build hashes some MB a second.
pub(crate) fn digest(bytes: &[u8]) -> Digest {
    static KNOWN: Mutex<BTreeMap<u64, Digest>> = Mutex::new(BTreeMap::new());
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let digest = known.entry(hasher.finish());
    let digest = digest.or_insert_with(|| Digest::from_sha256(&Sha256::digest(bytes).into()));
    digest.clone()
}

pub(crate) fn want(bytes: &[u8]) -> Want {
    Want {
        digest: digest(bytes),
        size: None,
    }
}

pub(crate) async fn body(answer: Answer) -> Result<Vec<u8>, std::io::Error> {
    Ok(answer.body.collect().await?.to_bytes().to_vec())
}

/// The next `length` bytes of a body, or a few more.
pub(crate) async fn next(answer: &mut Answer, length: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < length {
        let frame = answer.body.frame().await.expect("more").expect("no error");
        got.extend_from_slice(&frame.into_data().expect("data"));
    }
    got
}

pub(crate) fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}
