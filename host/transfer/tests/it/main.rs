//! The miss path, in process, against origins that are scripted byte for byte.

mod abandoned;
mod bench;
mod chance;
mod coalesce;
mod endpoints;
mod full_disk;
mod good;
mod ingest;
mod lazy;
mod limits;
mod model;
mod origin;
mod prefetch;
mod ranges;
mod restart;
mod resume;
mod truth;
