//! Who stores an object right now, as a value in the key-value store.
//!
//! That store has no compare-and-swap, and on some platforms a write is seen elsewhere only
//! seconds later. So a lease promises nothing: two that start at once both store the object. That
//! is work done twice and no harm, because an object appears whole under its digest or not at all.

use serde::{Deserialize, Serialize};

/// How long a lease lasts unless it is renewed, in seconds: a holder that died is replaced before
/// a client that tries again gives up (containerd waits for headers for 30 s, and tries the
/// origin then).
pub(crate) const SECONDS: u64 = 60;

/// How often a holder renews its lease, in seconds: two writes may be lost. Some platforms allow
/// fifty writes a second for all.
pub(crate) const RENEW: u64 = 20;

/// Nothing of ours is longer.
const LONGEST: usize = 4 << 10;

/// A holder, and what it would leave behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lease {
    /// Seconds since the Unix epoch.
    until: u64,
    /// Like no other.
    holder: String,
    /// The upload in parts that it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
}

/// What a lease says to somebody who wants to store the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told<'a> {
    /// Nobody stores it.
    Free,
    /// Somebody does.
    Held,
    /// Somebody did, and left this upload behind.
    Left(&'a str),
}

impl Lease {
    pub(crate) const fn new(holder: String, upload: Option<String>, now: u64) -> Self {
        Self {
            until: now.saturating_add(SECONDS),
            holder,
            upload,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Of text and a number JSON can always be made.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// `None` if the value is no lease; then it holds nobody off.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        serde_json::from_slice(value).ok()
    }

    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    pub(crate) fn upload(&self) -> Option<&str> {
        self.upload.as_deref()
    }

    /// A clock that is behind may have written an end that is far off: nobody waits longer than a lease lasts.
    pub(crate) fn told(&self, now: u64) -> Told<'_> {
        if now < self.until && self.until - now <= SECONDS {
            return Told::Held;
        }
        self.upload.as_deref().map_or(Told::Free, Told::Left)
    }

    /// Whether it is time to renew it.
    pub(crate) const fn is_due(&self, now: u64) -> bool {
        now.saturating_add(SECONDS - RENEW) >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(upload: Option<&str>) -> Lease {
        Lease::new("me".to_owned(), upload.map(str::to_owned), 1000)
    }

    #[test]
    fn holds_others_off_for_a_minute() {
        let rows = [
            (1000, Told::Held),
            (1059, Told::Held),
            (1060, Told::Left("u")),
            (u64::MAX, Told::Left("u")),
            // Its writer's clock was a minute ahead.
            (999, Told::Left("u")),
            (0, Told::Left("u")),
        ];
        for (now, told) in rows {
            assert_eq!(lease(Some("u")).told(now), told, "{now}");
        }
        assert_eq!(lease(None).told(1060), Told::Free);
    }

    #[test]
    fn is_renewed_while_two_writes_may_still_be_lost() {
        let rows = [(1000, false), (1019, false), (1020, true), (2000, true)];
        for (now, due) in rows {
            assert_eq!(lease(None).is_due(now), due, "{now}");
        }
    }

    #[test]
    fn survives_the_store_and_garbage_holds_nobody_off() {
        for upload in [None, Some("id\"+/=")] {
            let lease = lease(upload);
            assert_eq!(Lease::decode(&lease.encode()), Some(lease));
        }
        let long = format!(r#"{{"until":1,"holder":"{}"}}"#, "x".repeat(LONGEST));
        for value in [
            "",
            "{}",
            "1",
            "\u{0}",
            r#"{"until":-1,"holder":"x"}"#,
            &long,
        ] {
            assert_eq!(Lease::decode(value.as_bytes()), None, "{value:.20}");
        }
    }
}
