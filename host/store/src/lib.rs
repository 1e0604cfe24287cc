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
//! [`KeyValueStore`] is the port for records; [`open_redb`] and [`MemoryKv`] are its adapters.
//!
//! What is absent on purpose: eviction by name or kind (this room does not know what a manifest
//! is), expiry of records (an expiry is part of the value), and any network.

mod blob;
mod directory;
mod kv;

pub use blob::{
    BlobStore, Leftover, Object, ObjectBody, OpenError, Partial, StoreError, StoreOptions,
    read_window,
};
pub use kv::{
    KeyValue, KeyValueStore, KvError, MAX_KEY, MAX_VALUE, MemoryKv, OpenKvError, RedbFile,
    open_redb,
};
