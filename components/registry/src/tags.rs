//! `tags/list`: OCI distribution specification 1.1, "Listing Tags".

use crate::ask::{Ask, field};
use crate::bindings::wasi::http::types::Response;
use crate::failure::{Failure, origin_failed, refused};
use crate::lists;
use crate::origin::Question;
use crate::respond::small;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::key;
use ledge_core::link::{Next, next_page};
use ledge_core::manifest::MAX_MANIFEST;
use ledge_core::paging::Listing;
use ledge_core::route::Page;

/// Most pages that are followed at the origin.
pub(crate) const MAX_PAGES: u32 = 100;

/// How many tags a page of the origin shall have: the most that the distribution
/// project's registry takes without a complaint, and what crane asks for.
const ORIGIN_PAGE: u32 = 1000;

/// Gathers the origin's whole list, sorts it, and answers the page that was asked for.
pub(crate) async fn answer(ask: &Ask<'_>, page: &Page) -> Result<Response, Failure> {
    let key = key::tags(ask.upstream, &ask.repository);
    let listed = lists::get(ask, key, async || gather(ask).await).await?;
    let mut listing = Listing::default();
    let read = listing.add_tags(&listed.json);
    read.map_err(|_| ApiError::new(ErrorKind::Internal, "the kept list cannot be read"))?;
    let cut = listing.page(page);
    let mut fields = vec![
        field("content-type", "application/json"),
        listed.way.field(),
    ];
    ask.echo_namespace(&mut fields);
    let link = cut.link(|parameters| ask.shape.url("tags/list", parameters));
    fields.extend(link.map(|link| field("link", &link)));
    Ok(small(200, fields, cut.tags_json(ask.shape.name))?)
}

/// The whole list, as one page.
async fn gather(ask: &Ask<'_>) -> Result<Vec<u8>, ApiError> {
    let mut listing = Listing::default();
    let first = format!("/v2/{}/tags/list?n={ORIGIN_PAGE}", ask.repository);
    let list = List {
        first,
        accept: "application/json",
        missing: ErrorKind::NameUnknown,
    };
    each_page(ask, list, |json| {
        listing.add_tags(json).map_err(|error| error.to_string())
    })
    .await?;
    let all = listing.page(&Page::default());
    Ok(all.tags_json(ask.repository.as_str()))
}

/// A list at the origin that may come in pages.
pub(crate) struct List {
    /// Path and query of the first page.
    pub(crate) first: String,
    /// What it may come as.
    pub(crate) accept: &'static str,
    /// What it is called when the origin does not have it.
    pub(crate) missing: ErrorKind,
}

/// Shows `take` the body of each page of a list, following the origin's `Link`s.
///
/// # Errors
/// The origin could not be asked, does not have the list, or its list cannot be used.
pub(crate) async fn each_page(
    ask: &Ask<'_>,
    list: List,
    mut take: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), ApiError> {
    let upstream = ask.upstream.name();
    let mut path = list.first;
    for _ in 0..MAX_PAGES {
        let question = Question {
            head: false,
            path: &path,
            accept: Some(list.accept),
        };
        let reply = ask.in_time(ask.origin().ask(&question)).await?;
        if reply.status != 200 {
            return Err(refused(upstream, reply.status, list.missing));
        }
        let link = reply.value("link");
        let next = link.and_then(|link| next_page(&link, reply.endpoint, &path));
        let body = ask.in_time(reply.body(MAX_MANIFEST, upstream)).await?;
        take(&body).map_err(|what| {
            origin_failed(
                upstream,
                &format!("sent a list that cannot be used: {what}"),
            )
        })?;
        path = match next {
            None => return Ok(()),
            Some(Next::Page(next)) if next != path => next,
            Some(_) => {
                return Err(origin_failed(
                    upstream,
                    "sent a list whose next page is elsewhere",
                ));
            }
        };
    }
    Err(origin_failed(upstream, "sent a list with too many pages"))
}
