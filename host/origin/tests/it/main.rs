//! The client on the wire, against origins in this process.

mod again;
mod bodies;
mod connections;
mod credentials;
mod detour;
mod egress;
mod failures;
mod identity;
mod origin;
mod posts;
mod proxies;
mod redirects;
mod requests;
mod scripted;
mod secure;
mod tls;
