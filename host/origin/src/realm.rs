//! The token service that a Bearer challenge names (RFC 6750, section 3, and the
//! distribution project's token authentication).

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Uri};

use crate::target::Target;

/// The realms of all Bearer challenges that can be read and connected to.
/// Header fields that are no challenges are passed over: they are the origin's
/// fault, and the component that gets the answer says so.
pub(crate) fn realms(headers: &HeaderMap) -> Vec<Target> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|text| http_auth::parse_challenges(text).ok())
        .flatten()
        .filter(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer"))
        .flat_map(|challenge| challenge.params)
        .filter(|(name, _)| name.eq_ignore_ascii_case("realm"))
        .filter_map(|(_, value)| value.to_unescaped().parse::<Uri>().ok())
        .filter_map(|uri| Target::of(&uri).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(values: &[&[u8]]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).expect("a value");
            headers.append(WWW_AUTHENTICATE, value);
        }
        realms(&headers).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn finds_realms() {
        for (value, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#,
                vec!["auth.docker.io"],
            ),
            (
                r#"bearer service=a, REALM="http://a:81/t?x=y""#,
                vec!["a:81"],
            ),
            (
                r#"Basic realm="https://a/", Bearer realm="https://b/""#,
                vec!["b"],
            ),
            (r#"Basic realm="https://a/""#, vec![]),
            (r#"Bearer realm="/token""#, vec![]),
            (r#"Bearer realm="https://user@a/""#, vec![]),
            (r#"Bearer realm="ftp://a/""#, vec![]),
            (r#"Bearer realm="https://a"#, vec![]),
            ("Bearer", vec![]),
            (",,,", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(found(&[value.as_bytes()]), expected, "{value}");
        }
        let two: [&[u8]; 2] = [b"\xff\xfe", br#"Bearer realm="https://b/""#];
        assert_eq!(found(&two), ["b"]);
    }

    proptest::proptest! {
        #[test]
        fn garbage_names_nobody_or_somebody_to_connect_to(
            tail in r#"[ -~\t]{0,60}"#,
            host in r#"[a-z0-9.:@\[\]\\"%]{0,12}"#,
        ) {
            found(&[tail.as_bytes()]);
            let challenge = format!("Bearer realm=\"https://{host}\",{tail}");
            for realm in found(&[challenge.as_bytes()]) {
                proptest::prop_assert!(!realm.is_empty() && !realm.contains('@'));
            }
        }
    }
}
