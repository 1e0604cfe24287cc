//! `_catalog`: the public repositories of which something is cached.

use crate::ask::field;
use crate::bindings::wasi::http::types::Response;
use crate::failure::Failure;
use crate::records::{self, Label};
use crate::respond::small;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::name::RepositoryName;
use ledge_core::paging::Listing;
use ledge_core::route::Page;
use ledge_core::upstream::{TargetError, Upstream, Upstreams, catalog_url};

/// Lists repositories, as `<upstream>/<name>`, or as `<name>` alone when `ns` says
/// of which upstream: each is what a pull through this mirror calls it.
pub(crate) async fn answer(
    upstreams: &Upstreams,
    ns: Option<&str>,
    page: &Page,
) -> Result<Response, Failure> {
    let only = match ns {
        Some(ns) => Some(
            upstreams
                .find(ns)
                .ok_or_else(|| TargetError::UnknownNamespace(ns.to_owned()))?,
        ),
        None => None,
    };
    let listing = gather(upstreams, only).await?;
    let cut = listing.page(page);
    let mut fields = vec![field("content-type", "application/json")];
    let link = cut.link(|parameters| catalog_url(parameters, ns));
    fields.extend(link.map(|link| field("link", &link)));
    fields.extend(ns.map(|ns| field("oci-namespace", ns)));
    Ok(small(200, fields, cut.catalog_json())?)
}

async fn gather(upstreams: &Upstreams, only: Option<&Upstream>) -> Result<Listing, ApiError> {
    let mut listing = Listing::default();
    let mut full = false;
    let read = records::keys(Label::Catalog, |key| {
        let entry = entry(upstreams, only, key);
        full = entry.is_some_and(|entry| listing.add(entry).is_err());
        !full
    });
    let read = read.await;
    if full || read.is_err() {
        return Err(ApiError::new(
            ErrorKind::Internal,
            "the catalog could not be read",
        ));
    }
    Ok(listing)
}

/// How a key of the catalog's store is listed; `None` if it is not. An upstream may
/// have become private, or have been taken out of the configuration.
fn entry<'k>(upstreams: &Upstreams, only: Option<&Upstream>, key: &'k str) -> Option<&'k str> {
    let (name, repository) = key.split_once('/')?;
    let upstream = upstreams.find(name)?;
    let is_private = upstream.is_private(&RepositoryName::parse(repository).ok()?);
    (!is_private).then_some(())?;
    match only {
        None => Some(key),
        Some(only) => (only.name() == upstream.name()).then_some(repository),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledge_core::config::Registry;

    #[test]
    fn lists_what_is_public_and_configured() {
        let json = r#"{"upstreams":[{"name":"a.io","endpoints":["http://a"]},{"name":"b.io","endpoints":["http://b"]},
            {"name":"p.io","endpoints":["http://p"],"credentials":{"variable":"v"},"public":["open/*"]}]}"#;
        let upstreams = Registry::parse(json).expect("a configuration");
        let a = upstreams.find("a.io");
        let rows = [
            ("a.io/x/y", None, Some("a.io/x/y")),
            ("a.io/x/y", a, Some("x/y")),
            ("b.io/x", None, Some("b.io/x")),
            ("b.io/x", a, None),
            ("p.io/x", None, None),
            ("p.io/open/x", None, Some("p.io/open/x")),
            ("gone.io/x", None, None),
            ("a.io", None, None),
            ("", None, None),
        ];
        for (key, only, expected) in rows {
            assert_eq!(entry(&upstreams, only, key), expected, "{key}");
        }
    }
}
