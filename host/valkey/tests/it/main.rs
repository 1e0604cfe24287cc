//! Records at a real server: Debian's `redis-server` or `valkey-server`.

mod away;
mod conforms;
mod leases;
mod server;
