//! An HTTP proxy: who it is, what it wants to know of us, and for whom it is not.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Uri, header};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::error::DenyReason;
use crate::no_proxy::NoProxy;
use crate::target::Target;

/// A proxy that is asked by CONNECT for `https` (RFC 9110, section 9.3.6), and with
/// the absolute form of the URI for `http` (RFC 9112, section 3.2.2).
///
/// The proxy resolves the names of origins. Whether a name leads to a private address
/// is then the proxy's business; hosts that say so themselves (literal addresses and
/// `localhost`) are refused as ever, unless they are trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    target: Target,
    authorization: Option<HeaderValue>,
    exempt: NoProxy,
}

/// Why a proxy cannot be used. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// It is no URL.
    #[error("the proxy's URL cannot be read: write http://host:port")]
    Url,
    /// There is no such host, or the proxy speaks something else (SOCKS).
    #[error("the proxy cannot be used: {0}")]
    Target(DenyReason),
    /// More than a host and a port.
    #[error("the proxy's URL has a path or a query: write http://host:port")]
    Path,
    /// The user name or password cannot be sent by the Basic scheme (RFC 7617).
    #[error(
        "the proxy's user name or password cannot be sent: write special characters as %XX, \
         in UTF-8, with no control characters, and no colon in the user name"
    )]
    User,
    /// An entry of the list of hosts to reach without the proxy.
    #[error(
        "no_proxy: {entry:?} is no host, .suffix, address or network (with or without :port), nor *"
    )]
    NoProxy {
        /// As it was given.
        entry: String,
    },
}

impl Proxy {
    /// `http://[user:password@]host[:port]`, or `https://` where the proxy itself is
    /// spoken to by TLS; `http` if there is no scheme, as in the environment's
    /// `HTTPS_PROXY`. Special characters of user and password are percent-encoded.
    ///
    /// `no_proxy` lists who is connected to directly, between commas or spaces, each
    /// with an optional `:port`:
    ///
    /// | entry | for |
    /// |---|---|
    /// | `example.com` | the host and everything below it |
    /// | `.example.com`, `*.example.com` | everything below it |
    /// | `10.1.2.3`, `10.0.0.0/8`, `[::1]:5000` | URLs with such an address; names are not resolved |
    /// | `*` | everybody |
    ///
    /// # Errors
    /// Each of [`ProxyError`].
    pub fn parse(url: &str, no_proxy: &str) -> Result<Self, ProxyError> {
        let with_scheme = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let url = Url::parse(&with_scheme).map_err(|_| ProxyError::Url)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError::Path);
        }
        let authorization = authorization(&url)?;
        Ok(Self {
            target: Target::of_url(&anonymous(url)?).map_err(ProxyError::Target)?,
            authorization,
            exempt: NoProxy::parse(no_proxy).map_err(|entry| ProxyError::NoProxy { entry })?,
        })
    }

    /// Whether requests to `target` go through it.
    pub(crate) fn carries(&self, target: &Target) -> bool {
        !self.exempt.covers(target)
    }

    /// Where it listens.
    pub(crate) fn uri(&self) -> Result<Uri, http::Error> {
        self.target.uri()
    }

    /// Says who we are, on a request that the proxy reads.
    pub(crate) fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(value) = &self.authorization {
            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
        }
    }
}

impl fmt::Display for Proxy {
    /// Its host, with the port if that is unusual.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl fmt::Debug for Proxy {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("target", &self.target)
            .field("exempt", &self.exempt)
            .finish_non_exhaustive()
    }
}

fn authorization(url: &Url) -> Result<Option<HeaderValue>, ProxyError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user = decode(url.username())?;
    let password = decode(url.password().unwrap_or_default())?;
    if user.contains(':') {
        return Err(ProxyError::User);
    }
    let encoded = BASE64_STANDARD.encode(format!("{user}:{password}"));
    let value = HeaderValue::try_from(format!("Basic {encoded}"));
    let mut value = value.map_err(|_| ProxyError::User)?;
    // Neither printed, nor kept in HTTP/2's tables.
    value.set_sensitive(true);
    Ok(Some(value))
}

fn decode(text: &str) -> Result<String, ProxyError> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| ProxyError::User)?;
    if decoded.chars().any(char::is_control) {
        return Err(ProxyError::User);
    }
    Ok(decoded.into_owned())
}

fn anonymous(mut url: Url) -> Result<Url, ProxyError> {
    let user = url.set_username("");
    let password = url.set_password(None);
    user.and(password).map_err(|()| ProxyError::Url)?;
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(proxy: &Proxy) -> Option<String> {
        let mut headers = HeaderMap::new();
        proxy.authorize(&mut headers);
        let value = headers.get(header::PROXY_AUTHORIZATION)?;
        assert!(value.is_sensitive());
        let text = value.to_str().expect("text").strip_prefix("Basic ");
        let bytes = BASE64_STANDARD.decode(text.expect("Basic"));
        Some(String::from_utf8(bytes.expect("base64")).expect("UTF-8"))
    }

    #[test]
    fn urls() {
        for (url, uri, user) in [
            ("http://proxy.lan:3128", "http://proxy.lan:3128/", None),
            ("http://proxy.lan:3128/", "http://proxy.lan:3128/", None),
            ("proxy.lan:3128", "http://proxy.lan:3128/", None),
            ("proxy.lan", "http://proxy.lan:80/", None),
            ("https://PROXY.lan", "https://proxy.lan:443/", None),
            ("http://[::1]:3128", "http://[::1]:3128/", None),
            ("http://u:p@proxy.lan", "http://proxy.lan:80/", Some("u:p")),
            ("u:p@proxy.lan:1", "http://proxy.lan:1/", Some("u:p")),
            ("http://u@proxy.lan", "http://proxy.lan:80/", Some("u:")),
            ("http://u:@proxy.lan", "http://proxy.lan:80/", Some("u:")),
            (
                "http://dom%5Cu:p%40%3A%C3%A9@proxy.lan",
                "http://proxy.lan:80/",
                Some("dom\\u:p@:é"),
            ),
        ] {
            let proxy = Proxy::parse(url, "").expect(url);
            assert_eq!(proxy.uri().expect(url), *uri, "{url}");
            assert_eq!(sent(&proxy).as_deref(), user, "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_in_words() {
        let url = "the proxy's URL cannot be read: write http://host:port";
        let path = "the proxy's URL has a path or a query: write http://host:port";
        let user = "the proxy's user name or password cannot be sent: write special characters \
                    as %XX, in UTF-8, with no control characters, and no colon in the user name";
        for (text, no_proxy, expected) in [
            ("", "", url),
            ("http://u:secret@", "", url),
            ("http://u:secret@a:99999", "", url),
            (
                "socks5://u:secret@a",
                "",
                "the proxy cannot be used: the URL is not http or https",
            ),
            ("http://a/secret", "", path),
            ("http://a?secret", "", path),
            ("http://a#secret", "", path),
            ("http://u%3A:secret@a", "", user),
            ("http://u:secret%0A@a", "", user),
            ("http://u:secret%FF@a", "", user),
            (
                "http://u:secret@a",
                "b,https://c",
                "no_proxy: \"https://c\" is no host, .suffix, address or network \
                 (with or without :port), nor *",
            ),
        ] {
            let error = Proxy::parse(text, no_proxy).expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
            assert!(!format!("{error:?}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn the_password_is_not_printed() {
        let proxy =
            Proxy::parse("http://somebody:secret@proxy.lan:3128", "a.lan").expect("a proxy");
        assert_eq!(proxy.to_string(), "proxy.lan:3128");
        let printed = format!("{proxy:?} {proxy:#?}");
        assert!(printed.contains("proxy.lan") && printed.contains("a.lan"));
        for hidden in ["somebody", "secret", "c29tZ"] {
            assert!(!printed.contains(hidden), "{printed}");
        }
    }

    #[test]
    fn proxies_differ_by_all_that_they_hold() {
        let proxy = |url, no_proxy| Proxy::parse(url, no_proxy).expect(url);
        let one = proxy("http://u:p@a", "b");
        assert_eq!(one, proxy("http://u:p@A:80/", "B"));
        for other in [
            proxy("http://u:p@a:81", "b"),
            proxy("https://u:p@a:80", "b"),
            proxy("http://u:q@a", "b"),
            proxy("http://a", "b"),
            proxy("http://u:p@a", ""),
        ] {
            assert_ne!(one, other);
        }
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_or_a_place_to_connect_to(
            url in r"(https?://)?[a-zA-Z0-9.:@/\[\]%_-]{0,30}",
            no_proxy in r"[a-f0-9.:,*/\[\]-]{0,30}",
        ) {
            if let Ok(proxy) = Proxy::parse(&url, &no_proxy) {
                let uri = proxy.uri().expect("a URI");
                proptest::prop_assert!(uri.host().is_some_and(|host| !host.is_empty()));
                proptest::prop_assert!(!uri.to_string().contains('@'));
            }
        }
    }
}
