//! `/v2/`: OCI distribution specification 1.1, "Determining Support".

use crate::ask::{Wish, field};
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::gate;
use crate::respond::small;
use ledge_core::upstream::Upstreams;

/// Yes, this is a registry. It asks nobody who they are, unless the upstream that is meant does:
/// Docker, Podman and Skopeo only show credentials to who asks for them here.
pub(crate) async fn answer(
    upstreams: &Upstreams,
    ns: Option<&str>,
    wish: &Wish,
) -> Result<Response, Failure> {
    let upstream = match ns {
        Some(ns) => upstreams.find(ns),
        None => upstreams.usual(),
    };
    if let Some(upstream) = upstream
        && let Some(client) = wish.client_of(upstream)
    {
        gate::enter_base(upstream, &client, wish.via.as_deref()).await?;
    }
    let fields = vec![field("content-type", "application/json")];
    Ok(small(200, fields, b"{}".to_vec())?)
}
