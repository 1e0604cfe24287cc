//! A store that is tended.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use bytes::Bytes;
use ledge_core::key::{CATALOG_STORE, DEFAULT_STORE};
use ledge_core::upstream::Upstreams;
use ledge_store::{BlobStore, KvError, RecordBounds, Records, RedbFile};

use crate::error::TendError;

/// What is tended, and with what.
pub struct Parts {
    /// The objects.
    pub store: BlobStore,
    /// The records beside this node.
    pub file: RedbFile,
    /// Through which records of the label `default` are changed: the file, or others too that share them.
    pub default: Arc<dyn Records>,
    /// The same of `catalog`.
    pub catalog: Arc<dyn Records>,
    /// How long records are kept, and how many.
    pub bounds: RecordBounds,
    /// What is mirrored.
    pub upstreams: Upstreams,
    /// Called when what is stored, or may be shown, is not what it was: whoever has kept answers forgets them.
    pub changed: Box<dyn Fn() + Send + Sync>,
}

/// A store that is tended. Clones share it.
#[derive(Clone)]
pub struct Tend(Arc<Shared>);

struct Shared {
    parts: Parts,
    /// Held by who changes something.
    working: Mutex<()>,
}

impl Tend {
    /// A store that is open.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            parts,
            working: Mutex::default(),
        }))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn store(&self) -> &BlobStore {
        &self.0.parts.store
    }

    pub(crate) fn file(&self) -> &RedbFile {
        &self.0.parts.file
    }

    /// The right to change something: one command at a time.
    pub(crate) fn work(&self) -> Result<MutexGuard<'_, ()>, TendError> {
        match self.0.working.try_lock() {
            Ok(guard) => Ok(guard),
            // Nothing is half done that the next one cannot do.
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(TendError::Busy),
        }
    }

    /// Forgets a record, here and where it is shared.
    pub(crate) fn forget(&self, label: Label, key: &str) -> Result<(), KvError> {
        self.patiently(|| futures::executor::block_on(self.records(label).delete(key)))
    }

    /// Forgets a record that is of no use here; others who share it may have a use for it.
    pub(crate) fn forget_here(&self, label: Label, key: &str) -> Result<(), KvError> {
        let records = self.file().label(label.name());
        self.patiently(|| records.delete(key))
    }

    /// Notes a record, here and where it is shared.
    pub(crate) fn set(&self, label: Label, key: &str, value: &[u8]) -> Result<(), KvError> {
        let value = Bytes::copy_from_slice(value);
        self.patiently(|| futures::executor::block_on(self.records(label).set(key, value.clone())))
    }

    /// A record, here or where it is shared.
    pub(crate) fn get(&self, label: Label, key: &str) -> Result<Option<Bytes>, KvError> {
        futures::executor::block_on(self.records(label).get(key))
    }

    /// Changes come faster here than the disk takes them.
    fn patiently(&self, change: impl Fn() -> Result<(), KvError>) -> Result<(), KvError> {
        match change() {
            Err(KvError::Behind) => {
                self.file().flush()?;
                change()
            }
            changed => changed,
        }
    }

    fn records(&self, label: Label) -> &dyn Records {
        match label {
            Label::Default => self.0.parts.default.as_ref(),
            Label::Catalog => self.0.parts.catalog.as_ref(),
        }
    }
}

impl fmt::Debug for Tend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tend").field(self.store()).finish()
    }
}

/// The labels that are kept on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label {
    Default,
    Catalog,
}

impl Label {
    pub(crate) const ALL: [Self; 2] = [Self::Default, Self::Catalog];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => DEFAULT_STORE,
            Self::Catalog => CATALOG_STORE,
        }
    }
}
