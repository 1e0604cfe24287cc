//! The header fields of a request on its way out, and of its answer.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap,
    HeaderName, HeaderValue, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};

/// What we call ourselves.
pub(crate) const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("ledge/", env!("CARGO_PKG_VERSION")));

/// Digests are over the bytes as they are.
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// What concerns one connection only (RFC 9110, section 7.6.1), besides what
/// `Connection` names. Credentials for a proxy are for ours (section 11.7.2), and
/// whoever asks us does not know them.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// What another host must not see.
const CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, COOKIE];

/// Makes fields that somebody else wrote fit for a bodiless request of ours.
/// `Host` is left to the connection, which knows the URI.
pub(crate) fn prepare(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    for name in [HOST, EXPECT, CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers.insert(USER_AGENT, AGENT);
    headers.entry(ACCEPT_ENCODING).or_insert(IDENTITY);
}

/// Removes what is for the next host on the way alone.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Removes what is for the first host alone.
pub(crate) fn strip_credentials(headers: &mut HeaderMap) {
    for name in CREDENTIALS {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let parsed = fields.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        parsed.collect()
    }

    #[test]
    fn what_is_sent() {
        let mut headers = map(&[
            ("accept", "application/json"),
            ("connection", "close, X-One ,, \u{7f}"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("host", "evil.example"),
            ("content-length", "5"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic y"),
            ("keep-alive", "timeout=5"),
            ("user-agent", "containerd/2.1"),
            ("authorization", "Bearer t"),
            ("range", "bytes=1-"),
        ]
        .map(|(name, value)| (name, value.trim_end_matches('\u{7f}'))));
        prepare(&mut headers);
        let agent = concat!("ledge/", env!("CARGO_PKG_VERSION"));
        let expected = map(&[
            ("accept", "application/json"),
            ("x-two", "2"),
            ("authorization", "Bearer t"),
            ("range", "bytes=1-"),
            ("user-agent", agent),
            ("accept-encoding", "identity"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn an_encoding_that_was_asked_for_is_kept() {
        let mut headers = map(&[("accept-encoding", "zstd")]);
        prepare(&mut headers);
        assert_eq!(headers["accept-encoding"], "zstd");
    }

    #[test]
    fn credentials() {
        let mut headers = map(&[
            ("authorization", "Basic x"),
            ("cookie", "a=b"),
            ("range", "bytes=1-"),
        ]);
        strip_credentials(&mut headers);
        assert_eq!(headers, map(&[("range", "bytes=1-")]));
    }
}
