//! Where an answer sends us (RFC 9110, section 15.4).

use http::header::LOCATION;
use http::{HeaderMap, StatusCode, Uri};
use url::Url;

use crate::error::RedirectFault;

/// The URI to go on to; `None` if the answer is final.
pub(crate) fn location(
    status: StatusCode,
    headers: &HeaderMap,
    base: &Uri,
) -> Option<Result<Uri, RedirectFault>> {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308).then(|| resolve(headers, base))
}

fn resolve(headers: &HeaderMap, base: &Uri) -> Result<Uri, RedirectFault> {
    let mut values = headers.get_all(LOCATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(RedirectFault::NoLocation);
    };
    let text = value.to_str().map_err(|_| RedirectFault::NotUrl)?;
    // An absolute URI is taken as it is: a signature may be over its bytes.
    if let Ok(uri) = text.parse::<Uri>()
        && uri.scheme().is_some()
        && uri.authority().is_some()
    {
        return Ok(uri);
    }
    let base = Url::parse(&base.to_string()).map_err(|_| RedirectFault::NotUrl)?;
    let mut url = base.join(text).map_err(|_| RedirectFault::NotUrl)?;
    url.set_fragment(None);
    url.as_str().parse().map_err(|_| RedirectFault::NotUrl)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const BASE: &str = "https://hub.example/v2/a/blobs/sha256:1?ns=x";

    fn follow(values: &[&str]) -> Result<String, RedirectFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            headers.append(LOCATION, value);
        }
        let base = BASE.parse().expect("a URI");
        location(StatusCode::TEMPORARY_REDIRECT, &headers, &base)
            .expect("a redirect")
            .map(|uri| uri.to_string())
    }

    #[test]
    fn locations() {
        for (text, expected) in [
            (
                "https://cdn.example/b?sig=a%2Fb'c",
                "https://cdn.example/b?sig=a%2Fb'c",
            ),
            ("https://cdn.example/b#part", "https://cdn.example/b"),
            ("/v2/b", "https://hub.example/v2/b"),
            ("other?x=1#y", "https://hub.example/v2/a/blobs/other?x=1"),
            ("//cdn.example/b", "https://cdn.example/b"),
            ("?x=1", "https://hub.example/v2/a/blobs/sha256:1?x=1"),
            ("https:\\\\cdn.example\\b", "https://cdn.example/b"),
        ] {
            assert_eq!(follow(&[text]), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn faults() {
        assert_eq!(follow(&[]), Err(RedirectFault::NoLocation));
        assert_eq!(follow(&["/a", "/b"]), Err(RedirectFault::NoLocation));
        for text in ["https://", "https://[", "http://a b/", "\u{e9}"] {
            let followed = follow(&[text]);
            assert_eq!(followed, Err(RedirectFault::NotUrl), "{text}");
        }
    }

    #[test]
    fn other_answers_are_final() {
        let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static("/a"))]);
        let base = BASE.parse().expect("a URI");
        for status in [200, 201, 206, 300, 304, 305, 306, 401, 404, 500] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(location(status, &headers, &base), None, "{status}");
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_a_url_or_a_fault(bytes in proptest::collection::vec(0x20_u8..=0xff, 0..60)) {
            proptest::prop_assume!(!bytes.contains(&0x7f));
            let value = HeaderValue::from_bytes(&bytes).expect("a value");
            let headers = HeaderMap::from_iter([(LOCATION, value)]);
            let base = BASE.parse().expect("a URI");
            if let Ok(uri) = resolve(&headers, &base) {
                proptest::prop_assert!(uri.host().is_some() || uri.scheme().is_none());
            }
        }
    }
}
