//! The `Link` field of lists that come in pages: RFC 8288, and the OCI
//! distribution specification 1.1, "Listing Tags".

use crate::uri::{Endpoint, HttpUri, MAX_URI};

/// What an origin's `Link` field says of the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Its path and query, at the same endpoint.
    Page(String),
    /// There is one, but not where it may be followed to.
    Elsewhere,
}

/// The value of `Link` for a next page.
#[must_use]
pub fn next_field(url: &str) -> String {
    format!("<{url}>; rel=\"next\"")
}

/// Finds the next page of a list that was asked for at `endpoint` with the path
/// `current`. Another host is never followed: its page could not be trusted to
/// be the origin's.
#[must_use]
pub fn next_page(field: &str, endpoint: &Endpoint, current: &str) -> Option<Next> {
    let target = targets(field)
        .find(|(_, parameters)| is_next(parameters))?
        .0;
    Some(resolve(target, endpoint, current).map_or(Next::Elsewhere, Next::Page))
}

/// Each `<target>` with the parameters behind it.
fn targets(field: &str) -> impl Iterator<Item = (&str, &str)> {
    let links = field.split('<').skip(1);
    links.filter_map(|link| link.split_once('>'))
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let value = value
            .trim_end_matches([' ', '\t', ','])
            .trim_matches([' ', '\t', '"']);
        name.trim().eq_ignore_ascii_case("rel")
            && value.split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

fn resolve(target: &str, endpoint: &Endpoint, current: &str) -> Option<String> {
    let absolute = if target.starts_with('?') {
        let path = current.split('?').next().unwrap_or_default();
        format!("{endpoint}{path}{target}")
    } else if target.starts_with('/') && !target.starts_with("//") {
        format!("{endpoint}{target}")
    } else {
        target.to_owned()
    };
    if absolute.len() > MAX_URI {
        return None;
    }
    let uri = HttpUri::parse(&absolute).ok()?;
    let same = uri.endpoint().same_place(endpoint);
    same.then(|| uri.path_and_query().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(field: &str) -> Option<Next> {
        let endpoint = Endpoint::parse("https://ghcr.io").expect("an endpoint");
        next_page(field, &endpoint, "/v2/a/tags/list?n=1")
    }

    #[test]
    fn finds_the_next_page() {
        let rows = [
            (
                r#"</v2/a/tags/list?last=b&n=1>; rel="next""#,
                "/v2/a/tags/list?last=b&n=1",
            ),
            (
                "</v2/a/tags/list?last=b>;rel=next",
                "/v2/a/tags/list?last=b",
            ),
            (r#"<?last=b>; rel="next""#, "/v2/a/tags/list?last=b"),
            (r#"<https://ghcr.io:443/v2/x>; rel="next""#, "/v2/x"),
            (r#"<http://ghcr.io:443/v2/x>; rel="next""#, "/v2/x"),
            (
                r#"</prev>; rel="prev", </next>; title="x"; REL="last next""#,
                "/next",
            ),
            ("</a,b;c>; rel=next, </d>; rel=prev", "/a,b;c"),
        ];
        for (field, path) in rows {
            assert_eq!(next(field), Some(Next::Page(path.to_owned())), "{field}");
        }
    }

    #[test]
    fn follows_nothing_else() {
        for field in [
            "",
            "rel=next",
            "</a>",
            "</a>; rel=prev",
            "</a; rel=next",
            "<a>; rev=next",
        ] {
            assert_eq!(next(field), None, "{field}");
        }
        let rows = [
            "<https://evil.example/v2/a>; rel=next",
            "<//evil.example/a>; rel=next",
            "<http://ghcr.io/a>; rel=next",
            "<a>; rel=next",
            "<>; rel=next",
            "</a b>; rel=next",
            "</a#b>; rel=next",
        ];
        for field in rows {
            assert_eq!(next(field), Some(Next::Elsewhere), "{field}");
        }
        assert_eq!(
            next(&format!("</{}>; rel=next", "a".repeat(9000))),
            Some(Next::Elsewhere)
        );
    }

    proptest! {
        #[test]
        fn our_own_links_are_found(path in "/[a-z0-9/]{0,20}(\\?[a-z0-9=&%.-]{0,20})?") {
            prop_assert_eq!(next(&next_field(&path)), (!path.starts_with("//")).then_some(Next::Page(path)).or(Some(Next::Elsewhere)));
        }

        #[test]
        fn garbage_never_panics(field in "[<>;=a-z\"/?:, ]{0,60}|\\PC{0,60}") {
            let _ = next(&field);
        }
    }
}
