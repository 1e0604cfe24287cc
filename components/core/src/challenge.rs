//! What an origin asks for with a 401: RFC 9110, section 11.6.1, RFC 6750,
//! section 3, and the token authentication of the distribution project.

use crate::uri::HttpUri;
use http_auth::ChallengeRef;
use http_auth::parser::ChallengeParser;

/// Longest `WWW-Authenticate` field that is read, in bytes: what common servers
/// take as one field line.
const MAX_FIELD: usize = 8 * 1024;

/// Longest service name, in bytes; those of the public registries are host names.
const MAX_SERVICE: usize = 255;

/// How an origin wants to be told who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// With a token from the realm.
    Bearer(Bearer),
    /// With name and password.
    Basic,
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// Whom to ask.
    pub realm: HttpUri,
    /// What the token is for.
    pub service: Option<String>,
}

impl Challenge {
    /// The best challenge in the `WWW-Authenticate` fields: Bearer before Basic,
    /// because a token shows less. `None` if there is none that can be met.
    ///
    /// The scope in the challenge is not used: what is asked for is always to
    /// pull from the repository.
    pub fn parse<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut best = None;
        for field in fields.into_iter().filter(|f| f.len() <= MAX_FIELD) {
            let text = std::str::from_utf8(field).unwrap_or_default();
            // Whatever stands behind a fault is not read.
            for challenge in ChallengeParser::new(text).map_while(Result::ok) {
                match Self::understand(&challenge) {
                    Some(bearer @ Self::Bearer(_)) => return Some(bearer),
                    Some(Self::Basic) => best = Some(Self::Basic),
                    None => {}
                }
            }
        }
        best
    }

    fn understand(challenge: &ChallengeRef<'_>) -> Option<Self> {
        if challenge.scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let realm = HttpUri::parse(&parameter(challenge, "realm")?).ok()?;
        let service = parameter(challenge, "service").filter(|s| s.len() <= MAX_SERVICE);
        Some(Self::Bearer(Bearer { realm, service }))
    }
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let found = challenge
        .params
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_unescaped())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(fields: &[&str]) -> Option<Challenge> {
        Challenge::parse(fields.iter().map(|f| f.as_bytes()))
    }

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer(Bearer {
            realm: HttpUri::parse(realm).expect(realm),
            service: service.map(str::to_owned),
        }))
    }

    #[test]
    fn reads_real_ones() {
        let docker = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull",error="invalid_token""#;
        assert_eq!(
            parse(&[docker]),
            bearer("https://auth.docker.io/token", Some("registry.docker.io"))
        );
        let quay = r#"Bearer realm="https://quay.io/v2/auth",service="quay.io""#;
        assert_eq!(
            parse(&[quay]),
            bearer("https://quay.io/v2/auth", Some("quay.io"))
        );
        assert_eq!(
            parse(&[r#"Basic realm="Registry Realm""#]),
            Some(Challenge::Basic)
        );
        assert_eq!(
            parse(&[r#"bearer REALM="http://a/t""#]),
            bearer("http://a/t", None)
        );
        assert_eq!(
            parse(&[r#"Bearer realm="http://a/\t""#]),
            bearer("http://a/t", None)
        );
    }

    #[test]
    fn prefers_tokens_to_passwords() {
        let both = [r#"Basic realm="x", Bearer realm="https://a/t""#];
        assert_eq!(parse(&both), bearer("https://a/t", None));
        let lines = [
            r#"Basic realm="x""#,
            r#"Bearer realm="https://a/t",service="s""#,
        ];
        assert_eq!(parse(&lines), bearer("https://a/t", Some("s")));
        let broken = [r#"Bearer realm="/t""#, r#"Basic realm="x""#];
        assert_eq!(parse(&broken), Some(Challenge::Basic));
    }

    #[test]
    fn meets_no_others() {
        let long = format!(r#"Bearer realm="https://a/{}""#, "x".repeat(9000));
        let rows = [
            "",
            "Negotiate",
            r#"Digest realm="a", nonce="b""#,
            "Bearer",
            r#"Bearer service="x""#,
            r#"Bearer realm="ftp://a/""#,
            r#"Bearer realm="https://u:p@a/""#,
            r#"Bearer realm="https://a/#x""#,
            r#"Bearer realm="https://a/"#,
            "\"",
            "\0",
            &long,
        ];
        for field in rows {
            assert_eq!(parse(&[field]), None, "{field}");
        }
        assert_eq!(Challenge::parse([&b"Basic realm=\"\xff\""[..]]), None);
        assert_eq!(parse(&[]), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(fields in proptest::collection::vec("(Bearer |Basic )?[a-z=\",\\\\ :/.]{0,60}|\\PC{0,60}", 0..4)) {
            let _ = Challenge::parse(fields.iter().map(String::as_bytes));
        }
    }
}
