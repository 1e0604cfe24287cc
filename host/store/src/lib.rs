//! Where Ledge keeps what it has: bytes on the local file system, records in key-value stores.
//!
//! [`BlobStore`] knows objects by their digest and nothing else of them. It promises that what
//! [`BlobStore::find`] answers was committed whole: a process or a machine that dies leaves an
//! object behind or none, never half of one. It does not hash; whoever calls
//! [`Partial::commit`] has verified the bytes.
//!
//! A [`Partial`] is an object on its way in. One that was kept, or that a dead process left, is a
//! [`Leftover`]: [`BlobStore::resume`] gives it back with the marks by which its bytes are checked.
//!
//! [`Records`] is the port for records, which may be far. Those beside this node are a
//! [`KeyValueStore`], of [`open_redb`] or in [`MemoryKv`]; [`local`] puts one behind the port.
//!
//! The store is bounded ([`Bounds`]): room for what comes is made by evicting what is used least,
//! whatever it is. What is being read is left alone.
//!
//! What is absent on purpose: eviction by name or kind (this room does not know what a manifest
//! is), and any network.

mod blob;
mod directory;
mod evict;
mod kv;
mod minutes;

pub use blob::{
    BlobStore, Fate, Leftover, Object, ObjectBody, OpenError, OpenFile, Partial, Quarantined,
    StoreError, StoreOptions, Stored, Stranger, read_window,
};
pub use evict::{About, Amount, Bounds, Class, Keeping, Limits, Mended, Page, Room, Usage};
pub use kv::{
    Kept, KeyValue, KeyValueStore, KvError, MAX_KEY, MAX_VALUE, MemoryKv, OpenKvError,
    RecordBounds, Records, RedbFile, check_key, check_record, local, open_redb,
};
