//! A store with images in it, as pulls leave them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use ledge_core::config::Registry;
use ledge_core::digest::Digest;
use ledge_core::fact::{Fact, Place};
use ledge_core::media_type::{MediaType, OCI_INDEX, OCI_MANIFEST};
use ledge_core::name::Tag;
use ledge_core::record::{Grant, Ground, PRESENT, TagRecord};
use ledge_store::{
    BlobStore, Bounds, Class, Keeping, RecordBounds, RedbFile, StoreOptions, local, open_redb,
};
use ledge_tend::{Event, Gone, Parts, Row, Selector, Tend, Upstreams};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

pub(crate) struct Site {
    pub(crate) store: BlobStore,
    pub(crate) file: RedbFile,
    pub(crate) tend: Tend,
    /// How often those that keep answers were told to forget them.
    pub(crate) changed: Arc<AtomicUsize>,
    /// Removed with the site.
    dir: TempDir,
}

/// An object.
#[derive(Clone)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
}

/// An image: the root is the last one.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) objects: Vec<Blob>,
    pub(crate) kind: &'static str,
}

impl Blob {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = Digest::from_sha256(&Sha256::digest(&bytes).into());
        Self { digest, bytes }
    }
}

impl Image {
    /// An image of these layers.
    pub(crate) fn of(layers: &[&str]) -> Self {
        let layers: Vec<Blob> = layers.iter().map(|layer| Blob::new(*layer)).collect();
        let config = Blob::new(format!("{{\"of\":{}}}", layers.len()));
        let described = |blob: &Blob| json!({"digest": blob.digest.as_str(), "size": blob.bytes.len(), "mediaType": "a/b"});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described(&config),
            "layers": layers.iter().map(described).collect::<Vec<_>>(),
        });
        let mut objects = layers;
        objects.extend([config, Blob::new(manifest.to_string())]);
        Self {
            objects,
            kind: OCI_MANIFEST,
        }
    }

    /// An index of images.
    pub(crate) fn index(images: &[&Self]) -> Self {
        let described = |image: &&Self| json!({"digest": image.root().digest.as_str(), "size": image.root().bytes.len(), "mediaType": OCI_MANIFEST});
        let index = json!({
            "schemaVersion": 2, "mediaType": OCI_INDEX,
            "manifests": images.iter().map(described).collect::<Vec<_>>(),
        });
        let parts = images.iter().flat_map(|image| image.objects.clone());
        let mut objects: Vec<Blob> = parts.collect();
        objects.push(Blob::new(index.to_string()));
        Self {
            objects,
            kind: OCI_INDEX,
        }
    }

    pub(crate) fn root(&self) -> &Blob {
        self.objects.last().expect("one")
    }
}

pub(crate) fn place(text: &str) -> Place {
    Place::parse(text).expect(text)
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("store");
        let store = BlobStore::open(&StoreOptions {
            path: path.clone(),
            memory: 0,
            leftovers: Duration::from_secs(3600),
            bounds: Bounds::NONE,
        });
        let store = store.expect("a store");
        // From here on the index knows what there is; what it does not know is wrong.
        store.recover().expect("walked");
        let file = open_redb(&path.join("kv.redb")).expect("records");
        let upstreams = r#"{"upstreams":[
            {"name":"docker.io","aliases":["index.docker.io"],"endpoints":["http://a"],"official_prefix":"library"},
            {"name":"ghcr.io","endpoints":["http://b"]},
            {"name":"private.io","endpoints":["http://c"],"credentials":{"variable":"v"}}]}"#;
        let changed = Arc::new(AtomicUsize::new(0));
        let count = changed.clone();
        let tend = Tend::new(Parts {
            store: store.clone(),
            file: file.clone(),
            default: local(file.label("default")),
            catalog: local(file.label("catalog")),
            bounds: RecordBounds {
                unused: Duration::from_secs(365 * 24 * 3600),
                bytes: 1 << 30,
            },
            upstreams: Upstreams::new(serde_json::from_str::<Registry>(upstreams).expect("right"))
                .expect("right"),
            changed: Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        });
        Self {
            store,
            file,
            tend,
            changed,
            dir,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn object(&self, digest: &Digest) -> PathBuf {
        let shard = self.path().join("blobs/sha256").join(&digest.hex()[..2]);
        shard.join(digest.hex())
    }

    pub(crate) fn put(&self, blob: &Blob, class: Class) {
        let partial = self.store.begin(&blob.digest).expect("a partial");
        partial.write_at(&blob.bytes, 0).expect("written");
        let keeping = Keeping {
            class,
            priority: 128,
        };
        let size = blob.bytes.len() as u64;
        partial
            .commit(&blob.digest, size, keeping)
            .expect("committed");
    }

    pub(crate) fn set(&self, fact: &Fact, value: Vec<u8>) {
        let label = self.file.label("default");
        label.set(&fact.key(), value.into()).expect("set");
    }

    pub(crate) fn has(&self, fact: &Fact) -> bool {
        let label = self.file.label("default");
        label.exists(&fact.key()).expect("asked")
    }

    pub(crate) fn stores(&self, digest: &Digest) -> bool {
        self.store.size(digest).expect("asked").is_some()
    }

    /// What a pull of an image by tag leaves.
    pub(crate) fn pulled(&self, at: &str, tag: &str, image: &Image) {
        self.granted(at, image);
        let root = image.root();
        let record = TagRecord {
            digest: root.digest.clone(),
            media_type: MediaType::parse(image.kind).expect("one"),
            size: root.bytes.len() as u64,
            checked_at: 1_700_000_000,
            ask_at: 0,
        };
        let tag = Tag::parse(tag).expect(tag);
        self.set(&Fact::Tag(place(at), tag), record.encode());
    }

    /// What a pull by digest leaves.
    pub(crate) fn granted(&self, at: &str, image: &Image) {
        let at = place(at);
        for blob in &image.objects {
            self.put(blob, Class::Cached);
            let is_manifest = blob.bytes.starts_with(b"{") && blob.bytes.len() > 40;
            let is_root = blob.digest == image.root().digest;
            let kind = if is_root { image.kind } else { OCI_MANIFEST };
            let media_type = MediaType::parse(kind).filter(|_| is_manifest);
            let grant = Grant {
                ground: Ground::Shown,
                media_type,
                size: Some(blob.bytes.len() as u64),
                platform: None,
            };
            self.set(
                &Fact::Grant(at.clone(), blob.digest.clone()),
                grant.encode(),
            );
            let source = Fact::Source(at.upstream.clone(), blob.digest.clone());
            self.set(&source, PRESENT.to_vec());
        }
        let catalog = self.file.label("catalog");
        catalog
            .set(&at.to_string(), PRESENT.to_vec().into())
            .expect("set");
    }

    pub(crate) fn list(&self, selector: &str) -> Vec<Row> {
        let selector: Selector = serde_json::from_str(selector).expect("right");
        let mut rows = Vec::new();
        let mut watch = gather(&mut rows);
        let listed = self.tend.list(&selector, now(), &mut watch);
        let listed = listed.expect("listed");
        drop(watch);
        assert_eq!(listed.images, rows.len() as u64);
        rows
    }

    pub(crate) fn names(&self, selector: &str) -> Vec<String> {
        self.list(selector)
            .into_iter()
            .map(|row| row.image)
            .collect()
    }
}

/// Later than everything that a test did.
pub(crate) fn now() -> SystemTime {
    SystemTime::now() + Duration::from_secs(120)
}

pub(crate) fn gather(rows: &mut Vec<Row>) -> impl FnMut(Event) -> Result<(), Gone> + '_ {
    |event| {
        if let Event::Image(row) = event {
            rows.push(row);
        }
        Ok(())
    }
}

/// Nobody wants to know.
pub(crate) fn quietly(_: Event) -> Result<(), Gone> {
    Ok(())
}
