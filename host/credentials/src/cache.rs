//! When a provider is asked again, and what is served until then. Time is an argument.

use std::time::{Duration, Instant};

use crate::error::CredentialError;
use crate::file::Version;
use crate::secret::Secret;

/// How long a file is not looked at after it was. Rotation is a matter of minutes; a storm of token
/// requests is one look.
pub(crate) const FILE_PAUSE: Duration = Duration::from_secs(1);
/// How long a helper is left alone after it failed, or was asked because an origin refused what it said.
/// Helpers start a process and often ask a cloud: a repository that is simply closed to us may not make
/// every 401 do that.
pub(crate) const HELPER_PAUSE: Duration = Duration::from_secs(5);
/// How long a helper's answer counts. It does not say how long that is. The shortest-lived that are common are
/// access tokens of Google's metadata service, which renews them when five minutes are left.
const HELPER_LIFE: Duration = Duration::from_secs(300);

/// How often a provider is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long what is known is served unchecked.
    check: Duration,
    /// How long it counts although the file is the same; without, for good.
    life: Option<Duration>,
    /// How soon it may be asked for again when it was refused.
    pause: Duration,
}

impl Pace {
    /// A file: it says by itself when it changes.
    pub(crate) const FILE: Self = Self {
        check: FILE_PAUSE,
        life: None,
        pause: FILE_PAUSE,
    };
    /// A helper that a file names.
    pub(crate) const HELPER_OF_FILE: Self = Self {
        check: FILE_PAUSE,
        life: Some(HELPER_LIFE),
        pause: HELPER_PAUSE,
    };
    /// A helper.
    pub(crate) const HELPER: Self = Self {
        check: HELPER_LIFE,
        life: Some(HELPER_LIFE),
        pause: HELPER_PAUSE,
    };
}

/// What a provider said.
#[derive(Debug)]
pub(crate) struct Found {
    /// None: it has nothing for this upstream, which is anonymous then.
    pub(crate) secret: Option<Secret>,
    /// Of the file that was read.
    pub(crate) version: Version,
    pub(crate) pace: Pace,
}

/// What is served.
pub(crate) type Answer = Result<Option<Secret>, CredentialError>;

/// What is known of an upstream's credentials.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    held: Option<Held>,
    /// If the provider failed after that.
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Held {
    found: Found,
    asked: Instant,
    checked: Instant,
    refused: bool,
}

#[derive(Debug)]
struct Failure {
    error: CredentialError,
    at: Instant,
}

impl Cache {
    /// What to serve without asking; none if the provider is to be asked.
    pub(crate) fn fresh(&self, now: Instant) -> Option<Answer> {
        let due = match (&self.failure, &self.held) {
            (Some(failure), _) => failure.at + failure.error.pause(),
            (None, Some(held)) if held.refused => held.asked + held.found.pace.pause,
            (None, Some(held)) => held.checked + held.found.pace.check,
            (None, None) => return None,
        };
        if now < due { self.answer() } else { None }
    }

    /// What there is: the last that a provider said, unless it failed and that was refused. None before
    /// it was asked.
    pub(crate) fn answer(&self) -> Option<Answer> {
        match (&self.held, &self.failure) {
            (Some(held), Some(failure)) if held.refused => Some(Err(failure.error.clone())),
            (Some(held), _) => Some(Ok(held.found.secret.clone())),
            (None, Some(failure)) => Some(Err(failure.error.clone())),
            (None, None) => None,
        }
    }

    /// The file was looked at. If what is held still counts, it is served again.
    pub(crate) fn confirm(&mut self, now: Instant, version: Version) -> bool {
        let Some(held) = &mut self.held else {
            return false;
        };
        let alive = held
            .found
            .pace
            .life
            .is_none_or(|life| now < held.asked + life);
        let counts = !held.refused && alive && held.found.version.is_still(version);
        if counts {
            held.checked = now;
            self.failure = None;
        }
        counts
    }

    /// The provider answered.
    pub(crate) fn found(&mut self, now: Instant, found: Found) {
        self.held = Some(Held {
            found,
            asked: now,
            checked: now,
            refused: false,
        });
        self.failure = None;
    }

    /// The provider failed. Whether it had not before.
    pub(crate) fn failed(&mut self, now: Instant, error: CredentialError) -> bool {
        self.failure.replace(Failure { error, at: now }).is_none()
    }

    /// An origin refused a request that was sent with this, or without anything. What was refused
    /// may be older than what is held: then nothing is wrong with that.
    pub(crate) fn refused(&mut self, sent: Option<&Secret>) {
        if let Some(held) = &mut self.held
            && held.found.secret.as_ref() == sent
        {
            held.refused = true;
        }
    }
}

#[cfg(test)]
mod tests;
