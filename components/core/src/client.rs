//! Who asks, where the origin is to judge that: an upstream in pass-through.

use crate::token::Authorization;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// A client, by what it shows of itself in `Authorization` (RFC 9110, section 11.6.2). Its
/// `Debug` shows nothing of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    authorization: Option<Authorization>,
    mark: Box<str>,
}

impl Client {
    /// Who sent these `Authorization` fields. More than one, or one that cannot be passed on,
    /// are as good as none: the origin then says what it wants.
    #[must_use]
    pub fn read<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut fields = fields.into_iter();
        let first = fields.next().filter(|_| fields.next().is_none());
        Self::new(first.and_then(Authorization::given))
    }

    /// Who shows this.
    #[must_use]
    pub fn new(authorization: Option<Authorization>) -> Self {
        let mark = authorization.as_ref().map_or_else(
            || "anonymous".into(),
            |authorization| hexadecimal(&Sha256::digest(authorization.expose())),
        );
        Self {
            authorization,
            mark,
        }
    }

    /// What it shows.
    #[must_use]
    pub const fn authorization(&self) -> Option<&Authorization> {
        self.authorization.as_ref()
    }

    /// A name for it that does not say what it shows: the SHA-256 of that. A weak password
    /// could be found from it, so it is only kept in memory.
    #[must_use]
    pub const fn mark(&self) -> &str {
        &self.mark
    }
}

fn hexadecimal(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(fields: &[&str]) -> Client {
        Client::read(fields.iter().map(|field| field.as_bytes()))
    }

    fn shown(fields: &[&str]) -> Option<String> {
        let client = read(fields);
        client.authorization().map(|a| a.expose().to_owned())
    }

    #[test]
    fn shows_what_it_was_sent() {
        for value in ["Basic bWU6aHVudGVyMg==", "Bearer abc.def", "Negotiate a b"] {
            assert_eq!(shown(&[value]).as_deref(), Some(value));
        }
        let long = format!("Bearer {}", "x".repeat(20_000));
        for none in [
            &[][..],
            &[""],
            &["Basic"],
            &["Basic "],
            &[" Basic x"],
            &["Basic x\n"],
            &["Basic \u{e9}"],
            &["Basic x", "Basic x"],
            &[&long],
        ] {
            assert_eq!(shown(none), None, "{none:?}");
            assert_eq!(read(none).mark(), "anonymous");
        }
    }

    #[test]
    fn marks_tell_apart_and_tell_nothing() {
        let (one, two) = (read(&["Basic bWU6YQ=="]), read(&["Basic bWU6Yg=="]));
        assert_ne!(one.mark(), two.mark());
        assert_eq!(one.mark(), read(&["Basic bWU6YQ=="]).mark());
        // printf 'Basic bWU6YQ==' | sha256sum
        assert_eq!(
            one.mark(),
            "35ccba9981f15db2feb382251076ba83a42db671d4d98e1bc1814f4e4de464ae"
        );
        assert!(!format!("{one:?}").contains("bWU6YQ"), "{one:?}");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(fields in proptest::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let client = Client::read(fields.iter().map(Vec::as_slice));
            prop_assert!(client.authorization().is_none() || fields.len() == 1);
        }
    }
}
