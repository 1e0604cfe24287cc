//! What an origin says of how much more it will answer, and what follows.
//!
//! Read are `Retry-After` (RFC 9110, section 10.2.3), and `RateLimit-Limit`,
//! `RateLimit-Remaining` and `RateLimit-Reset` in Docker Hub's form (`100;w=21600`)
//! and in that of draft-ietf-httpapi-ratelimit-headers up to 06; and `RateLimit` with
//! `RateLimit-Policy`, as that draft has them from 08 on. Where there are both, those.

use crate::freshness::{Lifetime, MAX_REST_SECONDS};
use crate::record::{lines, number};
use std::time::SystemTime;

mod structured;

/// How long an origin is left alone that says 429 and not for how long, in seconds:
/// the usual window of limits is a minute.
const DEFAULT_REST: u64 = 60;

/// Longest window that is believed, in seconds: a day. Docker Hub's has six hours.
const MAX_WINDOW: u64 = 24 * 3600;

/// How long what remains is believed when no window is told, in seconds.
const DEFAULT_WINDOW: u64 = 3600;

/// How many times longer everything is fresh when nothing remains: the usual ten
/// minutes become an hour, so that a window of six hours costs six questions a tag.
const MOST_STRETCH: u64 = 6;

/// What remains of an origin's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// How many requests it answers in a window; at least 1.
    pub limit: u32,
    /// How many of them are left; at most `limit`.
    pub remaining: u32,
    /// Until when that is believed, in seconds since the epoch.
    pub until: u64,
}

/// What an origin has told about how often it may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What remains, if it said so.
    pub remaining: Option<Remaining>,
    /// When it may be asked again, in seconds since the epoch; 0 if it did not ask
    /// to be left alone.
    pub ask_at: u64,
}

impl Quota {
    /// What is known after an answer that came at `now`: its status, and its fields
    /// by lowercase name. What the answer does not speak of stays as it was.
    #[must_use]
    pub fn learn(self, status: u16, field: impl Fn(&str) -> Option<String>, now: u64) -> Self {
        let told = Told::read(field, now);
        Self {
            remaining: told.remaining(now).or(self.remaining),
            ask_at: match told.rest(status) {
                Some(rest) => now.saturating_add(rest.min(MAX_REST_SECONDS)),
                None => self.ask_at,
            },
        }
    }

    /// For how many seconds the origin asked to be left alone; `None` if it may be
    /// asked. Longer than [`MAX_REST_SECONDS`] only a wrong clock says, and so nobody.
    #[must_use]
    pub fn resting(&self, now: u64) -> Option<u64> {
        let rest = self.ask_at.saturating_sub(now);
        (1..=MAX_REST_SECONDS).contains(&rest).then_some(rest)
    }

    /// The lifetime as the quota runs out: as it is while more than half remains, and
    /// then longer in proportion to what is gone, up to six times. How
    /// long a fact serves at all stays, and what is never fresh stays so too.
    #[must_use]
    pub fn stretch(&self, lifetime: Lifetime, now: u64) -> Lifetime {
        match self.remaining {
            Some(told) if told.counts(now) => lifetime.fresh_for(told.stretched(lifetime.fresh)),
            _ => lifetime,
        }
    }

    /// The record as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let remaining = self.remaining.map_or_else(
            || "\n\n".to_owned(),
            |told| format!("{}\n{}\n{}", told.limit, told.remaining, told.until),
        );
        format!("q1\n{remaining}\n{}", self.ask_at).into_bytes()
    }

    /// The record, if the bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let [limit, remaining, until, ask_at] = lines(bytes, "q1")?;
        let remaining = match (limit, remaining, until) {
            ("", "", "") => None,
            _ => Some(Remaining::of(
                count(limit)?,
                count(remaining)?,
                number(until)?,
            )?),
        };
        Some(Self {
            remaining,
            ask_at: number(ask_at)?,
        })
    }
}

impl Remaining {
    fn of(limit: u32, remaining: u32, until: u64) -> Option<Self> {
        (limit > 0).then(|| Self {
            limit,
            remaining: remaining.min(limit),
            until,
        })
    }

    /// Whether it is still believed. Beyond the longest window the clock was wrong.
    const fn counts(self, now: u64) -> bool {
        now < self.until && self.until - now <= MAX_WINDOW
    }

    /// `fresh`, times 1 while half remains or more, and `MOST_STRETCH` when nothing does.
    fn stretched(self, fresh: u64) -> u64 {
        let limit = u128::from(self.limit);
        let gone = limit.saturating_sub(2 * u128::from(self.remaining));
        let more = u128::from(fresh) * u128::from(MOST_STRETCH - 1) * gone / limit;
        fresh.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
    }
}

/// What one answer tells, in seconds from then.
struct Told {
    limit: Option<Counted>,
    remaining: Option<Counted>,
    reset: Option<u64>,
    retry_after: Option<u64>,
}

/// A number of requests, and the window that it is of, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    count: u32,
    window: Option<u64>,
}

impl Told {
    fn read(field: impl Fn(&str) -> Option<String>, now: u64) -> Self {
        let retry_after = field("retry-after").and_then(|text| retry_after(&text, now));
        let text = |name| field(name).unwrap_or_default();
        let limits = structured::nearest(&text("ratelimit"), &text("ratelimit-policy"));
        if let Some((limit, remaining)) = limits {
            return Self {
                limit: Some(limit),
                remaining: Some(remaining),
                reset: remaining.window,
                retry_after,
            };
        }
        let counted = |name| field(name).and_then(|text| Counted::parse(&text));
        Self {
            limit: counted("ratelimit-limit"),
            remaining: counted("ratelimit-remaining"),
            reset: field("ratelimit-reset").and_then(|text| number(text.trim())),
            retry_after,
        }
    }

    fn remaining(&self, now: u64) -> Option<Remaining> {
        let (limit, left) = (self.limit?, self.remaining?);
        let window = self.reset.or(left.window).or(limit.window);
        let window = window.unwrap_or(DEFAULT_WINDOW).min(MAX_WINDOW);
        Remaining::of(limit.count, left.count, now.saturating_add(window))
    }

    /// How long the origin wants to be left alone. 429 says so (RFC 6585, section 4),
    /// and 503 if it says for how long (RFC 9110, section 15.6.4).
    fn rest(&self, status: u16) -> Option<u64> {
        match status {
            429 => Some(self.retry_after.or(self.reset).unwrap_or(DEFAULT_REST)),
            503 => self.retry_after,
            _ => None,
        }
    }
}

impl Counted {
    /// The first of a list, with its parameter `w`: `100;w=21600, 10;w=1`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',').next()?.split(';').map(str::trim);
        let count = count(parts.next()?)?;
        let window = parts
            .find_map(|part| part.strip_prefix("w="))
            .and_then(number);
        Some(Self { count, window })
    }
}

/// The seconds from `now` on that a `Retry-After` field means (RFC 9110, section
/// 10.2.3): a number, or a date in one of HTTP's three forms. A date that has passed
/// is now.
#[must_use]
pub fn retry_after(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Too many digits for a number are for ever.
        return Some(number(text).unwrap_or(u64::MAX));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let since_epoch = date.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.as_secs().saturating_sub(now))
}

/// A count of requests. More than 32 bits hold is no quota.
fn count(text: &str) -> Option<u32> {
    number(text).and_then(|count| count.try_into().ok())
}

#[cfg(test)]
mod tests;
