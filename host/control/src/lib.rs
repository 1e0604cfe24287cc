//! An operator's commands at a mirror that serves, through a Unix domain socket in its store's directory.
//!
//! The file system is the guard: the directory is its owner's, and nobody else's process is answered ([`Control`] asks the
//! kernel whose it is). Over the socket goes HTTP/1.1: `POST /v1/COMMAND` with the request as JSON; the answer is a
//! line of JSON for everything that is told meanwhile, and a last one with the report or the reason why there is
//! none. `/v1/export` answers with a tar, `/v1/import` takes one. [`route`] knows nothing of the socket, so that it can be mounted elsewhere.

mod client;
mod layouts;
mod path;
mod pipe;
mod route;
mod server;
mod wire;

pub use client::{Client, ClientError};
pub use route::{Answer, route};
pub use server::Control;
pub use wire::Failure;
