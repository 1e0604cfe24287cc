//! The registry component: the read half of the OCI distribution specification
//! 1.1, as a mirror of the configured upstreams.
//!
//! This crate is glue between the world `ledge:edge/registry` and `ledge-core`,
//! which decides. Bytes of blobs and manifests stay with the host: what is
//! answered is the host's response, handed back unread. Nothing here may trap,
//! because a trap ends every request of the instance: no `unwrap`, no indexing
//! of what comes from outside.

mod absences;
mod ask;
mod base;
mod behind;
mod bindings;
mod blob;
mod catalog;
mod context;
mod credentials;
mod deadline;
mod endpoints;
mod failure;
mod fetch;
mod flight;
mod gate;
mod grants;
mod handler;
mod lists;
mod manifest;
mod origin;
mod post;
mod prefetch;
mod records;
mod referrers;
mod renew;
mod respond;
mod stored;
mod tag;
mod tags;
mod token;
mod way;

use bindings::exports::ledge::edge::origins;
use bindings::exports::wasi::http::handler as exported;
use bindings::ledge::edge::blobs::Refusal;
use bindings::wasi::http::types::{ErrorCode, Request, Response};

/// What the component exports.
#[derive(Debug)]
pub struct Component;

impl exported::Guest for Component {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        handler::handle(request).await
    }
}

impl origins::Guest for Component {
    async fn renew(ticket: Vec<u8>, why: Refusal) -> Result<Request, String> {
        renew::renew(&ticket, &why).await
    }
}
