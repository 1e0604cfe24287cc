//! A fresh request for a transfer whose credentials or URL expired.

use crate::bindings::ledge::edge::blobs::Refusal;
use crate::bindings::wasi::http::types::Request;
use crate::context::upstreams;
use crate::origin::{Origin, values_of};
use crate::{gate, token};
use ledge_core::error::ApiError;
use ledge_core::ticket::Ticket;
use ledge_core::via::pass_on;

/// Builds the request of a ticket again, for the endpoint that refused it.
///
/// # Errors
/// The ticket is not ours, its upstream is configured no more, or there is no
/// token to be had.
pub(crate) async fn renew(ticket: &[u8], why: &Refusal) -> Result<Request, String> {
    let ticket = Ticket::decode(ticket).ok_or("the ticket is not readable")?;
    let upstreams = upstreams().await.map_err(|error| text(&error))?;
    let upstream = upstreams
        .find(&ticket.upstream)
        .ok_or("the upstream is configured no more")?;
    let place = usize::try_from(why.origin).unwrap_or(usize::MAX);
    let endpoint = ticket
        .endpoints
        .get(place)
        .and_then(|index| upstream.endpoints().get(*index))
        .ok_or("the upstream has no such endpoint")?;
    let via = upstreams.mirror().map(|name| pass_on([], name));
    let via = via.transpose().map_err(|error| text(&error))?;
    let client = match upstream.is_pass_through() {
        true => Some(gate::lent(upstream, &ticket.repository).await?),
        false => None,
    };
    let origin = Origin {
        upstream,
        repository: &ticket.repository,
        via: via.as_deref(),
        client: client.as_ref(),
    };
    let known = token::known(&origin, endpoint)
        .await
        .map_err(|error| text(&error))?;
    let access = match why.status {
        // Another client may have shown something better by now.
        _ if client.is_some() => known,
        401 => {
            let challenges = values_of(&why.fields, "www-authenticate");
            let renewed = token::renew(&origin, endpoint, &challenges, known.as_ref());
            Some(renewed.await.map_err(|error| text(&error))?)
        }
        // The URL behind a redirect expired: asking again gets another one. Or a password did.
        _ => {
            let other = token::instead(&origin, endpoint, known.as_ref()).await;
            other.map_err(|error| text(&error))?.unwrap_or(known)
        }
    };
    origin
        .object_request(&ticket.object, endpoint, access.as_ref())
        .map_err(|error| text(&error))
}

fn text(error: &ApiError) -> String {
    error.message().to_owned()
}
