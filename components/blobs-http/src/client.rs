//! The client that the registry component gets: the host's, and redirects are followed. Ledge's own
//! host does that itself; others leave it to components.

use crate::Component;
use crate::bindings::exports::wasi::http::client::Guest;
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{ErrorCode, Request, Response};
use crate::call::{Call, MAX_HOPS, value};
use crate::wire::{self, Reply};

impl Guest for Component {
    async fn send(request: Request) -> Result<Response, ErrorCode> {
        let Some(call) = wire::understood(&request) else {
            // It may have a body, which is not there twice.
            return client::send(request).await;
        };
        let reply = Reply::new(client::send(request).await?);
        Ok(follow(call, reply).await?.into_response())
    }
}

/// The answer where a request ends up that was answered so.
pub(crate) async fn follow(mut call: Call, mut reply: Reply) -> Result<Reply, ErrorCode> {
    let mut hops = 0;
    while let Some(next) = call.redirected(reply.status, value(&reply.fields, "location")) {
        if hops == MAX_HOPS {
            return Err(ErrorCode::LoopDetected);
        }
        hops += 1;
        reply = wire::send(&next).await?;
        call = next;
    }
    Ok(reply)
}
