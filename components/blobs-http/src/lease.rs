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

/// How long an origin that sent other bytes is asked last for that digest, in seconds: as in Ledge's own host.
const SUSPECTED: u64 = 3600;

/// No more of them are noted: who has so many endpoints has another trouble.
const SUSPECTS: usize = 8;

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
    /// Origins that sent other bytes, and until when they are asked last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    suspects: Vec<(String, u64)>,
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
    pub(crate) const fn new(holder: String, now: u64) -> Self {
        Self {
            until: now.saturating_add(SECONDS),
            holder,
            upload: None,
            suspects: Vec::new(),
        }
    }

    /// The holder has begun an upload.
    pub(crate) fn begun(&mut self, upload: &str) {
        self.upload = Some(upload.to_owned());
    }

    /// What the last holder knew of origins, for this one.
    pub(crate) fn learn(&mut self, last: &Self, now: u64) {
        // A clock that is ahead suspects nobody for longer.
        let holds = |until: u64| now < until && until - now <= SUSPECTED;
        let known = last.suspects.iter().filter(|(_, until)| holds(*until));
        self.suspects = known.take(SUSPECTS).cloned().collect();
    }

    /// An origin sent other bytes.
    pub(crate) fn blame(&mut self, origin: String, now: u64) {
        self.suspects.retain(|(known, _)| *known != origin);
        if self.suspects.len() < SUSPECTS {
            self.suspects.push((origin, now.saturating_add(SUSPECTED)));
        }
    }

    /// What is left when its holder gives it back, if that is worth a record.
    pub(crate) fn given_back(mut self, now: u64) -> Option<Self> {
        self.until = now;
        self.upload = None;
        (!self.suspects.is_empty()).then_some(self)
    }

    pub(crate) const fn renew(&mut self, now: u64) {
        self.until = now.saturating_add(SECONDS);
    }

    /// Origins that are to be asked last.
    pub(crate) fn suspects(&self) -> Vec<String> {
        let names = self.suspects.iter().map(|(name, _)| name.clone());
        names.collect()
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
        let mut lease = Lease::new("me".to_owned(), 1000);
        if let Some(upload) = upload {
            lease.begun(upload);
        }
        lease
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
    fn who_sent_other_bytes_is_known_to_the_next_for_an_hour() {
        let mut last = lease(Some("u"));
        last.blame("http://a".to_owned(), 1000);
        last.blame("http://a".to_owned(), 1010);
        let left = last.given_back(1010).expect("something to tell");
        let left = Lease::decode(&left.encode()).expect("a lease");
        assert_eq!(left.told(1010), Told::Free);
        for (now, expected) in [(1010, 1), (4609, 1), (4610, 0), (0, 0)] {
            let mut next = Lease::new("next".to_owned(), now);
            next.learn(&left, now);
            assert_eq!(next.suspects().len(), expected, "{now}");
            // It passes that on, and begins no hour of its own.
            let left = next.given_back(now);
            assert_eq!(left.is_some(), expected > 0, "{now}");
        }
        assert_eq!(lease(Some("u")).given_back(1010), None);
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
