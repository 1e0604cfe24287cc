//! What a lease says: where its holder is, and what opens its door for this one object.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use url::Url;

/// Bytes of a secret. Nobody guesses them in the time of a lease.
const SECRET: usize = 16;

/// The longest value of a lease that is read.
const LONGEST: usize = 2048;

/// What a node shows that was sent here by a lease. `Debug` hides it.
#[derive(Clone)]
pub(crate) struct Secret(Arc<str>);

impl Secret {
    /// A new one, like no other. None if the system has no random numbers.
    pub(crate) fn new() -> Option<Self> {
        let mut bytes = [0; SECRET];
        let provider = rustls::crypto::ring::default_provider();
        provider.secure_random.fill(&mut bytes).ok()?;
        Some(Self(hex::encode(bytes).into()))
    }

    fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == 2 * SECRET && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_one.then(|| Self(text.into()))
    }

    /// For a header field.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether somebody has shown this one. How long that takes tells nothing of it.
    pub(crate) fn is(&self, shown: &str) -> bool {
        self.0.as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A lease's value: `URL SECRET`.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// Where the holder listens.
    pub(crate) holder: Url,
    pub(crate) secret: Secret,
}

impl Pass {
    /// None if it is not one: whoever wrote it is no node.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        let (holder, secret) = value.split_once(' ')?;
        let holder = Url::parse(holder).ok()?;
        let is_one = matches!(holder.scheme(), "http" | "https")
            && holder.host().is_some()
            && holder.username().is_empty()
            && holder.password().is_none();
        is_one.then_some(Self {
            holder,
            secret: Secret::parse(secret)?,
        })
    }

    /// As a lease has it.
    pub(crate) fn value(&self) -> String {
        format!("{} {}", self.holder, self.secret.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_what_a_lease_says() {
        let holder = Url::parse("http://10.0.0.5:5000").expect("a URL");
        let secret = Secret::new().expect("random numbers");
        let value = Pass { holder, secret }.value();
        let pass = Pass::parse(&value).expect(&value);
        assert_eq!(pass.value(), value);
        let shown = value.split_once(' ').expect("two parts").1;
        assert!(pass.secret.is(shown));
        assert!(!pass.secret.is(&shown[1..]));
        assert!(!pass.secret.is(""));
        assert!(!format!("{pass:?}").contains(shown));
    }

    #[test]
    fn garbage_is_none() {
        let secret = "0123456789abcdef0123456789abcdef";
        assert!(Pass::parse(&format!("http://a:1/ {secret}")).is_some());
        for value in [
            String::new(),
            secret.to_owned(),
            format!("http://a:1/ {secret}0"),
            "http://a:1/ 0123456789abcdef0123456789abcdeg".to_owned(),
            format!("ftp://a/ {secret}"),
            format!("file:///etc/passwd {secret}"),
            format!("http://me:pw@a/ {secret}"),
            format!("http://{}/ {secret}", "a".repeat(3000)),
        ] {
            assert!(Pass::parse(&value).is_none(), "{value}");
        }
    }
}
