//! The miss path, in process, against origins that are scripted byte for byte.

mod bench;
mod coalesce;
mod endpoints;
mod good;
mod ingest;
mod limits;
mod origin;
mod ranges;
mod resume;
mod truth;
