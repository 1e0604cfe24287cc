//! A fresh request for a transfer whose credentials or URL expired.

use crate::bindings::ledge::edge::blobs::Refusal;
use crate::bindings::wasi::http::types::Request;
use crate::context::upstreams;
use crate::origin::Origin;
use crate::token;
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
    let origin = Origin {
        upstream,
        repository: &ticket.repository,
        via: via.as_deref(),
    };
    let known = token::known(&origin, endpoint)
        .await
        .map_err(|error| text(&error))?;
    let access = if why.status == 401 {
        let fields = why
            .fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
        let challenges: Vec<_> = fields.map(|(_, value)| value.clone()).collect();
        Some(
            token::renew(&origin, endpoint, &challenges, known.as_ref())
                .await
                .map_err(|error| text(&error))?,
        )
    } else {
        // The URL behind the redirect expired: asking again gets another one.
        known
    };
    origin
        .object_request(&ticket.object, endpoint, access.as_ref())
        .map_err(|error| text(&error))
}

fn text(error: &ApiError) -> String {
    error.message().to_owned()
}
