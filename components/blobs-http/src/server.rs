//! An HTTP server that takes PUT, GET, HEAD and DELETE (RFC 9110, section 9.3), and MOVE if it is
//! to commit so (WebDAV, RFC 4918, section 9.9): which requests do what.

use crate::call::{Call, Verb};
use crate::place;
use crate::secrets::Secrets;
use crate::settings::Commit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// A folder of a server, and what opens it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Without a slash at its end.
    folder: Url,
    authorization: Option<SecretString>,
    commit: Commit,
}

/// Why there can be no such server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// It is no URL.
    #[error("\"url\" is no URL like http://nginx:8080/ledge: {0}")]
    Url(#[from] url::ParseError),
    /// It is of another kind.
    #[error("\"url\" starts with neither http:// nor https://")]
    Scheme,
    /// URLs are printed, and this one holds a secret.
    #[error(
        "\"url\" holds a user name, a password or a query: secrets are in the variables ledge_blobs_key and ledge_blobs_secret"
    )]
    Secret,
    /// The path would have to be encoded.
    #[error(
        "the path of \"url\" has other characters than letters, digits, dots, hyphens and underscores"
    )]
    Path,
    /// A name alone opens nothing.
    #[error("the variable ledge_blobs_key is set, and ledge_blobs_secret is not")]
    NoSecret,
}

impl Server {
    /// # Errors
    /// There can be no such server.
    pub(crate) fn new(url: &str, commit: Commit, secrets: &Secrets) -> Result<Self, ServerError> {
        let mut folder = Url::parse(url)?;
        if !matches!(folder.scheme(), "http" | "https") {
            return Err(ServerError::Scheme);
        }
        let has_secret = !folder.username().is_empty() || folder.password().is_some();
        if has_secret || folder.query().is_some() || folder.fragment().is_some() {
            return Err(ServerError::Secret);
        }
        let path = place::prefix(folder.path()).ok_or(ServerError::Path)?;
        folder.set_path(&path);
        Ok(Self {
            folder,
            authorization: authorization(secrets)?,
            commit,
        })
    }

    /// Whether objects are put under another name first.
    pub(crate) const fn moves(&self) -> bool {
        matches!(self.commit, Commit::Move)
    }

    pub(crate) fn call(&self, verb: Verb, name: &str) -> Call {
        let call = Call::new(verb, self.url(name));
        match &self.authorization {
            Some(value) => call.with("authorization", value.expose_secret()),
            None => call,
        }
    }

    /// Gives an object its name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Call {
        self.call(Verb::Move, from)
            .with("destination", self.url(to).as_str())
            .with("overwrite", "T")
    }

    fn url(&self, name: &str) -> Url {
        let mut url = self.folder.clone();
        let prefix = url.path().trim_matches('/').to_owned();
        url.set_path(&place::below(&prefix, name));
        url
    }
}

fn authorization(secrets: &Secrets) -> Result<Option<SecretString>, ServerError> {
    match (&secrets.key, &secrets.secret) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(ServerError::NoSecret),
        (None, Some(token)) => Ok(Some(format!("Bearer {}", token.expose_secret()).into())),
        (Some(user), Some(password)) => {
            let pair = format!("{}:{}", user.expose_secret(), password.expose_secret());
            Ok(Some(format!("Basic {}", STANDARD.encode(pair)).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, ServerError> {
        Server::new(url, Commit::Move, &Secrets::default())
    }

    #[test]
    fn addresses_objects_below_its_folder() {
        for (url, expected) in [
            ("http://nginx", "http://nginx/a/b"),
            ("http://nginx:8080/", "http://nginx:8080/a/b"),
            ("https://nginx/x/y/", "https://nginx/x/y/a/b"),
            ("http://[::1]:80/x", "http://[::1]/x/a/b"),
        ] {
            let call = server(url).expect(url).call(Verb::Get, "a/b");
            assert_eq!(call.url.as_str(), expected);
            assert_eq!(call.fields, []);
        }
    }

    #[test]
    fn moves_within_the_folder() {
        let call = server("http://nginx/x")
            .expect("a server")
            .rename("p/1", "a/b");
        assert_eq!(call.verb, Verb::Move);
        assert_eq!(call.url.as_str(), "http://nginx/x/p/1");
        let destination = crate::call::value(&call.fields, "destination");
        assert_eq!(destination, Some("http://nginx/x/a/b"));
    }

    #[test]
    fn shows_what_it_was_given() {
        let secrets = |key: Option<&str>, secret: Option<&str>| Secrets {
            key: key.map(Into::into),
            secret: secret.map(Into::into),
            token: None,
        };
        let shown = |secrets: Secrets| {
            let server = Server::new("http://nginx", Commit::Put, &secrets);
            let call = server.map(|server| server.call(Verb::Put, "a"));
            call.map(|call| crate::call::value(&call.fields, "authorization").map(str::to_owned))
        };
        let basic = shown(secrets(Some("Aladdin"), Some("open sesame"))).expect("a server");
        // RFC 7617, section 2.
        assert_eq!(basic.as_deref(), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        let bearer = shown(secrets(None, Some("t"))).expect("a server");
        assert_eq!(bearer.as_deref(), Some("Bearer t"));
        assert!(matches!(
            shown(secrets(Some("me"), None)),
            Err(ServerError::NoSecret)
        ));
        let server = Server::new("http://n", Commit::Put, &secrets(None, Some("hunter2")));
        let shown = format!("{server:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn refuses_what_it_could_not_address_or_would_print() {
        for (url, expected) in [
            (
                "nginx",
                "\"url\" is no URL like http://nginx:8080/ledge: relative URL without a base",
            ),
            (
                "ftp://nginx",
                "\"url\" starts with neither http:// nor https://",
            ),
            (
                "http://me:hunter2@nginx",
                "\"url\" holds a user name, a password or a query: secrets are in the variables ledge_blobs_key and ledge_blobs_secret",
            ),
            (
                "http://nginx/?sig=x",
                "\"url\" holds a user name, a password or a query: secrets are in the variables ledge_blobs_key and ledge_blobs_secret",
            ),
            (
                "http://nginx/a b",
                "the path of \"url\" has other characters than letters, digits, dots, hyphens and underscores",
            ),
        ] {
            assert_eq!(server(url).expect_err(url).to_string(), expected);
        }
    }
}
