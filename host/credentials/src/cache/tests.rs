use std::time::{Duration, Instant};

use super::{Cache, Found, HELPER_LIFE, HELPER_PAUSE, Pace};
use crate::error::CredentialError;
use crate::file::Version;
use crate::helper::HelperFault;
use crate::secret::Secret;

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn secret(word: &str) -> Secret {
    Secret::IdentityToken(word.into())
}

fn found(word: &str, version: Version, pace: Pace) -> Found {
    Found {
        secret: Some(secret(word)),
        version,
        pace,
    }
}

fn helper_error() -> CredentialError {
    CredentialError::Helper {
        name: "test".to_owned(),
        why: HelperFault::NotFound,
    }
}

/// What is served at that time; none if the provider is asked.
fn served(cache: &Cache, now: Instant) -> Option<Option<Secret>> {
    cache
        .fresh(now)
        .map(|answer| answer.expect("credentials, not an error"))
}

fn is_error(cache: &Cache, now: Instant) -> bool {
    matches!(cache.fresh(now), Some(Err(CredentialError::Helper { .. })))
}

#[test]
fn a_helper_is_asked_after_its_answer_has_aged() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    assert_eq!(served(&cache, start), None);
    cache.found(start, found("one", Version::None, Pace::HELPER));
    assert_eq!(
        served(&cache, start + HELPER_LIFE - MOMENT),
        Some(Some(secret("one")))
    );
    assert_eq!(served(&cache, start + HELPER_LIFE), None);
    assert!(!cache.confirm(start + HELPER_LIFE, Version::None));
}

#[test]
fn nothing_is_an_answer_too() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    let found = Found {
        secret: None,
        version: Version::None,
        pace: Pace::HELPER,
    };
    cache.found(start, found);
    assert_eq!(served(&cache, start + SECOND), Some(None));
    cache.refused(None);
    assert_eq!(served(&cache, start + HELPER_PAUSE), None);
}

#[test]
fn a_file_that_is_the_same_is_served_on() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::Absent, Pace::FILE));
    for second in 1..1000 {
        let now = start + SECOND * second;
        assert_eq!(served(&cache, now - MOMENT), Some(Some(secret("one"))));
        assert_eq!(served(&cache, now), None);
        assert!(cache.confirm(now, Version::Absent));
    }
}

#[test]
fn a_file_that_changed_is_read() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::Absent, Pace::FILE));
    let folder = std::env::temp_dir();
    let changed = Version::of(&std::fs::metadata(folder).expect("a folder"));
    assert!(!cache.confirm(start + SECOND, changed));
}

#[test]
fn a_helper_of_a_file_ages_although_the_file_is_the_same() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::Absent, Pace::HELPER_OF_FILE));
    assert!(cache.confirm(start + HELPER_LIFE - MOMENT, Version::Absent));
    assert!(!cache.confirm(start + HELPER_LIFE, Version::Absent));
}

#[test]
fn what_was_refused_is_asked_for_once_a_pause() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::None, Pace::HELPER));
    cache.refused(Some(&secret("one")));
    let soon = start + HELPER_PAUSE;
    assert_eq!(served(&cache, soon - MOMENT), Some(Some(secret("one"))));
    assert_eq!(served(&cache, soon), None);
    assert!(!cache.confirm(soon, Version::None));
    cache.found(soon, found("two", Version::None, Pace::HELPER));
    assert_eq!(
        served(&cache, soon + SECOND * 60),
        Some(Some(secret("two")))
    );
}

#[test]
fn a_late_refusal_of_an_old_secret_does_no_harm() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("two", Version::None, Pace::HELPER));
    cache.refused(Some(&secret("one")));
    cache.refused(None);
    assert_eq!(
        served(&cache, start + SECOND * 60),
        Some(Some(secret("two")))
    );
}

#[test]
fn when_a_helper_fails_its_last_answer_serves_until_refused() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::None, Pace::HELPER));
    let later = start + HELPER_LIFE;
    assert!(cache.failed(later, helper_error()), "the first in a row");
    assert_eq!(served(&cache, later), Some(Some(secret("one"))));
    assert_eq!(served(&cache, later + HELPER_PAUSE), None);
    assert!(
        !cache.failed(later + HELPER_PAUSE, helper_error()),
        "the second"
    );
    cache.refused(Some(&secret("one")));
    assert!(is_error(&cache, later + HELPER_PAUSE));
    cache.found(
        later + HELPER_PAUSE * 2,
        found("two", Version::None, Pace::HELPER),
    );
    assert_eq!(
        served(&cache, later + HELPER_PAUSE * 2),
        Some(Some(secret("two")))
    );
    assert!(
        cache.failed(later + HELPER_LIFE, helper_error()),
        "the first again"
    );
}

#[test]
fn a_failure_is_not_repeated_at_every_request() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.failed(start, helper_error());
    assert!(is_error(&cache, start + HELPER_PAUSE - MOMENT));
    assert!(cache.fresh(start + HELPER_PAUSE).is_none());
}

#[test]
fn a_file_that_comes_back_as_it_was_ends_a_failure() {
    let (mut cache, start) = (Cache::default(), Instant::now());
    cache.found(start, found("one", Version::Absent, Pace::FILE));
    cache.failed(start + SECOND, CredentialError::Stopped);
    assert!(cache.confirm(start + SECOND * 2, Version::Absent));
    assert!(
        cache.failed(start + SECOND * 3, CredentialError::Stopped),
        "the first again"
    );
}
