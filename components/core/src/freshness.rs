//! When an origin has to be asked again: RFC 9111, sections 4.2 and 5.2.1.4, and
//! RFC 5861, with the operator's own lifetimes, because registries send none.
//!
//! A digest never goes stale. What this is about is what a tag means, and what is
//! listed: facts that an origin was asked for once, and that age from then on.
//!
//! ```text
//! asked       fresh for          answered while       answers when the      no use
//! the origin  `fresh` seconds    the origin is asked  origin does not       any more
//! |-----------|------------------|--------------------|---------------------|------>
//!             0                  `stale_while_revalidate`  `stale_if_error`
//! ```

mod policy;

pub use policy::Policy;

use crate::record::{AbsenceRecord, ListRecord, TagRecord};

/// How long a stale record serves before an origin that does not answer is asked
/// again, in seconds: half a minute, so that an outage costs few clients a timeout
/// and is not noticed for long after its end.
const RETRY_SECONDS: u64 = 30;

/// No origin is left alone for longer, in seconds, whatever it or a wrong clock
/// says: after an hour a question more is no burden, and an origin that is well
/// again is not kept waiting for a day by one mistaken header.
pub const MAX_REST_SECONDS: u64 = 3600;

/// When an origin was asked, and when it may be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// When it last said what is known, in seconds since the epoch.
    pub checked_at: u64,
    /// When it may be asked again after a try that failed, in seconds since the
    /// epoch; 0 if none did.
    pub ask_at: u64,
}

impl Asked {
    /// How old the origin's word is, in seconds: the `Age` of RFC 9111, section 5.1.
    #[must_use]
    pub const fn age(self, now: u64) -> u64 {
        now.saturating_sub(self.checked_at)
    }
}

impl From<&ListRecord> for Asked {
    fn from(record: &ListRecord) -> Self {
        Self {
            checked_at: record.checked_at,
            ask_at: record.ask_at,
        }
    }
}

impl From<&TagRecord> for Asked {
    fn from(record: &TagRecord) -> Self {
        Self {
            checked_at: record.checked_at,
            ask_at: record.ask_at,
        }
    }
}

/// How long a fact is good for, in seconds each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How long the origin need not be asked.
    pub fresh: u64,
    /// How long after that clients are answered while the origin is asked
    /// (RFC 5861, section 3).
    pub stale_while_revalidate: u64,
    /// How long after it was fresh a fact serves when the origin does not answer
    /// (RFC 5861, section 4).
    pub stale_if_error: u64,
}

impl Lifetime {
    /// The lifetime for a client who wants the origin to be asked (RFC 9111, section
    /// 5.2.1.4). An origin that does not answer is replaced for as long as before.
    #[must_use]
    pub fn asked_anew(self) -> Self {
        Self {
            fresh: 0,
            stale_while_revalidate: 0,
            stale_if_error: self.serves(),
        }
    }

    /// This lifetime, fresh for `fresh` seconds; how long a fact serves at all stays.
    #[must_use]
    pub fn fresh_for(self, fresh: u64) -> Self {
        let fresh = fresh.min(self.serves());
        let rest = self.serves() - fresh;
        Self {
            fresh,
            stale_while_revalidate: self.stale_while_revalidate.min(rest),
            stale_if_error: rest,
        }
    }

    /// How long a fact serves at all, in seconds since the origin was asked.
    fn serves(self) -> u64 {
        let stale = self.stale_while_revalidate.max(self.stale_if_error);
        self.fresh.saturating_add(stale)
    }
}

/// What a fact is worth at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The origin need not be asked for so many seconds.
    Fresh(u64),
    /// It is stale, and the origin is not to be asked for so many seconds, because
    /// it did not answer a moment ago.
    Resting(u64),
    /// It is stale. Answer, and ask the origin meanwhile.
    StaleButServable,
    /// It is stale. Ask the origin first; if it does not answer, this serves.
    Expired {
        /// Until when, in seconds since the epoch.
        until: u64,
    },
    /// It is too old even for that.
    Dead,
}

impl Freshness {
    /// For how many seconds the origin is not to be asked; `None` if it is.
    #[must_use]
    pub const fn quiet_for(self) -> Option<u64> {
        match self {
            Self::Fresh(left) | Self::Resting(left) => Some(left),
            Self::StaleButServable | Self::Expired { .. } | Self::Dead => None,
        }
    }

    /// Whether it serves when the origin does not answer.
    #[must_use]
    pub const fn serves_on_error(self) -> bool {
        !matches!(self, Self::Dead)
    }
}

/// What a fact is worth at `now`, in seconds since the epoch. One from the future
/// is stale: the clock was wrong then or is wrong now, and asking sets it right.
#[must_use]
pub fn freshness(asked: Asked, now: u64, lifetime: Lifetime) -> Freshness {
    let age = now.checked_sub(asked.checked_at);
    let left = age.map_or(lifetime.serves() - lifetime.fresh, |age| {
        lifetime.serves().saturating_sub(age)
    });
    let rest = asked.ask_at.saturating_sub(now);
    let within = |seconds| age.is_some_and(|age| age < seconds);
    if within(lifetime.fresh) {
        Freshness::Fresh(lifetime.fresh - asked.age(now))
    } else if left == 0 {
        Freshness::Dead
    } else if (1..=MAX_REST_SECONDS).contains(&rest) {
        Freshness::Resting(rest.min(left))
    } else if within(
        lifetime
            .fresh
            .saturating_add(lifetime.stale_while_revalidate),
    ) {
        Freshness::StaleButServable
    } else {
        Freshness::Expired {
            until: now.saturating_add(left),
        }
    }
}

/// The record after a try at `now` that the origin did not answer: it is not asked
/// for half a minute, or for as long as a tag is fresh at all if that is less.
#[must_use]
pub fn postponed(record: TagRecord, now: u64, lifetime: Lifetime) -> TagRecord {
    TagRecord {
        ask_at: rests_until(now, lifetime),
        ..record
    }
}

/// When an origin that did not answer at `now` is asked again, in seconds since the epoch.
#[must_use]
pub fn rests_until(now: u64, lifetime: Lifetime) -> u64 {
    now.saturating_add(RETRY_SECONDS.min(lifetime.fresh))
}

/// For how many seconds more it is believed that an origin does not show something,
/// when that is remembered for `negative` seconds; `None` if it is to be asked.
#[must_use]
pub fn absent_for(record: &AbsenceRecord, now: u64, negative: u64) -> Option<u64> {
    let age = now.checked_sub(record.checked_at)?;
    negative.checked_sub(age).filter(|left| *left > 0)
}

/// Whether a client's `Cache-Control` fields say `no-cache` (RFC 9111, section 5.2.1.4).
pub fn wants_no_cache<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> bool {
    fields
        .into_iter()
        .flat_map(|field| field.split(|byte| *byte == b','))
        .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-cache"))
}

#[cfg(test)]
mod tests;
