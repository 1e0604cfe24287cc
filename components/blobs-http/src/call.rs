//! A request without a body, as a value: it can be sent again, elsewhere, or with a range.

use url::Url;

/// How many redirects are followed: as many as the other host follows.
pub(crate) const MAX_HOPS: u8 = 5;

/// Header fields, names lowercase.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// What requests are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Put,
    Post,
    Delete,
    /// WebDAV, RFC 4918, section 9.9.
    Move,
}

/// A request's header.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) verb: Verb,
    pub(crate) url: Url,
    pub(crate) fields: Fields,
}

impl Call {
    pub(crate) const fn new(verb: Verb, url: Url) -> Self {
        Self {
            verb,
            url,
            fields: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Where an answer sends this request on; `None` if it does not, or where it must not go.
    /// The URL of a redirect is a capability: what opened the first door is not shown at another.
    pub(crate) fn redirected(&self, status: u16, location: Option<&str>) -> Option<Self> {
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let url = self.url.join(location?).ok()?;
        let is_safe = url.scheme() == self.url.scheme() || url.scheme() == "https";
        if !is_safe || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let mut next = self.clone();
        if url.origin() != self.url.origin() {
            next.fields
                .retain(|(name, _)| !matches!(name.as_str(), "authorization" | "cookie"));
        }
        next.url = url;
        Some(next)
    }
}

impl std::fmt::Debug for Call {
    /// Neither the query nor the fields: both may hold what opens a door.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let origin = self.url.origin().ascii_serialization();
        write!(f, "{:?} {origin}{}", self.verb, self.url.path())
    }
}

/// The first value of a field, if it is text.
pub(crate) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    let mut found = fields
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    std::str::from_utf8(&found.next()?.1).ok()
}

/// A field's value if it is a number in digits alone.
pub(crate) fn number(fields: &Fields, name: &str) -> Option<u64> {
    let text = value(fields, name)?;
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(url: &str) -> Call {
        let url = Url::parse(url).expect("a URL");
        Call::new(Verb::Get, url)
            .with("authorization", "Bearer x")
            .with("accept", "a/b")
    }

    #[test]
    fn follows_where_it_may_and_shows_secrets_to_nobody_else() {
        let rows = [
            (307, Some("/b?c"), Some(("https://o/b?c", 2))),
            (302, Some("https://o:443/b"), Some(("https://o/b", 2))),
            (301, Some("https://cdn/b"), Some(("https://cdn/b", 1))),
            (308, Some("https://o:444/b"), Some(("https://o:444/b", 1))),
            (303, Some("//cdn/b"), Some(("https://cdn/b", 1))),
            (307, Some("http://o/b"), None),
            (307, Some("ftp://o/b"), None),
            (307, Some("data:,x"), None),
            (307, Some("https://"), None),
            (307, None, None),
            (304, Some("/b"), None),
            (200, Some("/b"), None),
            (404, Some("/b"), None),
        ];
        for (status, location, expected) in rows {
            let next = call("https://o/a").redirected(status, location);
            let found = next
                .as_ref()
                .map(|next| (next.url.as_str(), next.fields.len()));
            assert_eq!(found, expected, "{status} {location:?}");
        }
        let up = call("http://o/a").redirected(307, Some("https://o/a"));
        assert_eq!(up.map(|next| next.fields.len()), Some(1), "another origin");
    }

    #[test]
    fn shows_no_secret() {
        let shown = format!("{:?}", call("https://o/a?X-Amz-Signature=hunter2"));
        assert_eq!(shown, "Get https://o/a");
    }

    #[test]
    fn reads_numbers_of_digits_alone() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("+5", None),
            ("-1", None),
            (" 1", None),
            ("1,1", None),
            ("", None),
        ] {
            let fields = vec![("Content-Length".to_owned(), text.as_bytes().to_vec())];
            assert_eq!(number(&fields, "content-length"), expected, "{text:?}");
        }
        assert_eq!(number(&Vec::new(), "content-length"), None);
    }
}
