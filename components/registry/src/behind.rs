//! What goes on when the client has its answer.

use crate::ask::{Ask, Wish};
use crate::context::upstreams;
use crate::origin::sign_of_life;
use crate::tag;
use ledge_core::name::Tag;
use ledge_core::upstream::Upstream;

/// Asks the origin whether a tag still means the same.
pub(crate) fn revalidate(ask: &Ask<'_>, tag: &Tag) {
    let (name, repository) = (ask.upstream.name().to_owned(), ask.repository.clone());
    let (tag, client) = (tag.clone(), ask.client.clone());
    wit_bindgen::spawn_local(async move {
        let Ok(upstreams) = upstreams().await else {
            return;
        };
        let Some(upstream) = upstreams.find(&name) else {
            return;
        };
        let wish = Wish::default();
        let ask = Ask::of_ours(&upstreams, upstream, &repository, &wish, client);
        tag::revalidate_behind(&ask, &tag).await;
    });
}

/// Asks an endpoint that was left alone whether it is well again.
pub(crate) fn probe(upstream: &Upstream, index: usize) {
    let name = upstream.name().to_owned();
    wit_bindgen::spawn_local(async move {
        let Ok(upstreams) = upstreams().await else {
            return;
        };
        if let Some(upstream) = upstreams.find(&name)
            && let Some(endpoint) = upstream.endpoints().get(index)
        {
            // How it went is noted.
            let _ = sign_of_life(upstream, endpoint, None, None).await;
        }
    });
}
