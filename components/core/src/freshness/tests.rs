use super::*;
use crate::digest::Digest;
use crate::media_type::MediaType;
use crate::record::Absence;
use Freshness::{Dead, Expired, Fresh, Resting, StaleButServable};
use proptest::prelude::*;

fn record(checked_at: u64, ask_at: u64) -> TagRecord {
    TagRecord {
        digest: Digest::from_sha256(&[0; 32]),
        media_type: MediaType::parse("a/b").expect("a media type"),
        size: 0,
        checked_at,
        ask_at,
    }
}

const fn lifetime(fresh: u64, stale_while_revalidate: u64, stale_if_error: u64) -> Lifetime {
    Lifetime {
        fresh,
        stale_while_revalidate,
        stale_if_error,
    }
}

fn worth(checked_at: u64, ask_at: u64, now: u64, lifetime: Lifetime) -> Freshness {
    freshness(Asked { checked_at, ask_at }, now, lifetime)
}

#[test]
fn ages() {
    let usual = lifetime(600, 60, 3600);
    let rows = [
        (1000, 1000, usual, Fresh(600)),
        (1000, 1599, usual, Fresh(1)),
        (1000, 1600, usual, StaleButServable),
        (1000, 1659, usual, StaleButServable),
        (1000, 1660, usual, Expired { until: 5200 }),
        (1000, 5199, usual, Expired { until: 5200 }),
        (1000, 5200, usual, Dead),
        (1000, u64::MAX, usual, Dead),
        // Nothing is fresh, and nothing serves.
        (1000, 1000, lifetime(0, 0, 0), Dead),
        (1000, 1000, lifetime(0, 0, 5), Expired { until: 1005 }),
        (1000, 1000, lifetime(0, 5, 0), StaleButServable),
        // Who is answered while the origin is asked is answered when it is silent.
        (1000, 1014, lifetime(10, 5, 1), StaleButServable),
        (1000, 1015, lifetime(10, 5, 1), Dead),
        // From the future: the clock is wrong.
        (1000, 999, usual, Expired { until: 999 + 3600 }),
        (u64::MAX, 0, usual, Expired { until: 3600 }),
        (1000, 999, lifetime(600, 0, 0), Dead),
        (0, u64::MAX, lifetime(u64::MAX, 9, 9), Dead),
        (0, u64::MAX - 1, lifetime(u64::MAX, 9, 9), Fresh(1)),
    ];
    for (checked_at, now, lifetime, expected) in rows {
        let found = worth(checked_at, 0, now, lifetime);
        assert_eq!(found, expected, "{checked_at} {now} {lifetime:?}");
    }
}

#[test]
fn an_origin_that_did_not_answer_rests() {
    let usual = lifetime(600, 0, 3600);
    let rows = [
        (1000, 1030, 1000, Fresh(600)),
        (1000, 1730, 1700, Resting(30)),
        (1000, 1730, 1729, Resting(1)),
        (1000, 1730, 1730, Expired { until: 5200 }),
        (1000, 5230, 5199, Resting(1)),
        (1000, 5230, 5200, Dead),
        // Nobody said so: the clock is wrong.
        (1000, u64::MAX, 1700, Expired { until: 5200 }),
        (
            1000,
            1700 + MAX_REST_SECONDS + 1,
            1700,
            Expired { until: 5200 },
        ),
        (2000, 1030, 1000, Resting(30)),
    ];
    for (checked_at, ask_at, now, expected) in rows {
        let found = worth(checked_at, ask_at, now, usual);
        assert_eq!(found, expected, "{checked_at} {ask_at} {now}");
    }
}

#[test]
fn an_outage_postpones_and_does_not_rejuvenate() {
    for (fresh, rest) in [(600, 30), (20, 20), (0, 0)] {
        let lifetime = lifetime(fresh, 0, 100_000);
        let kept = postponed(record(1, 0), 10_000, lifetime);
        let asked = Asked::from(&kept);
        assert_eq!((asked.checked_at, asked.age(10_000)), (1, 9_999));
        assert_eq!(kept.ask_at, 10_000 + rest);
        let quiet = freshness(asked, 10_000, lifetime).quiet_for();
        assert_eq!(quiet, (rest > 0).then_some(rest));
        assert_eq!(freshness(asked, 10_000 + rest, lifetime).quiet_for(), None);
    }
}

#[test]
fn what_is_quiet_and_what_serves() {
    let rows = [
        (Fresh(5), Some(5), true),
        (Resting(5), Some(5), true),
        (StaleButServable, None, true),
        (Expired { until: 5 }, None, true),
        (Dead, None, false),
    ];
    for (freshness, quiet, serves) in rows {
        assert_eq!(freshness.quiet_for(), quiet);
        assert_eq!(freshness.serves_on_error(), serves);
    }
}

#[test]
fn absences_are_remembered_shortly() {
    let record = AbsenceRecord {
        absence: Absence::Unknown,
        checked_at: 1000,
    };
    let rows = [
        (1000, 30, Some(30)),
        (1029, 30, Some(1)),
        (1030, 30, None),
        (1000, 0, None),
        (999, 30, None),
        (u64::MAX, 30, None),
    ];
    for (now, negative, left) in rows {
        assert_eq!(absent_for(&record, now, negative), left, "{now}");
    }
}

#[test]
fn reads_what_a_client_wants() {
    let rows: [(&[&str], bool); 9] = [
        (&[], false),
        (&[""], false),
        (&["no-cache"], true),
        (&["No-Cache"], true),
        (&["max-age=0, no-cache ,x"], true),
        (&["max-age=0", "no-cache"], true),
        (&["no-store"], false),
        (&["no-cache=\"x\""], false),
        (&["no-cached"], false),
    ];
    for (fields, wanted) in rows {
        let fields = fields.iter().map(|field| field.as_bytes());
        assert_eq!(wants_no_cache(fields.clone()), wanted, "{fields:?}");
    }
    assert!(!wants_no_cache([&b"\xff,\0"[..]]));
}

fn order(freshness: Freshness) -> u8 {
    match freshness {
        Fresh(_) => 0,
        Resting(_) | StaleButServable => 1,
        Expired { .. } => 2,
        Dead => 3,
    }
}

proptest! {
    #[test]
    fn nothing_gets_better_with_age(
        fresh in 0_u64..50, while_revalidate in 0_u64..50, if_error in 0_u64..50,
        now in 0_u64..200, later in 0_u64..200,
    ) {
        let lifetime = lifetime(fresh, while_revalidate, if_error);
        let (first, second) = (now.min(later), now.max(later));
        let (before, after) = (worth(0, 0, first, lifetime), worth(0, 0, second, lifetime));
        prop_assert!(order(before) <= order(after), "{:?} {:?}", before, after);
    }

    #[test]
    fn who_wants_it_anew_is_never_told_what_is_fresh(
        fresh: u64, while_revalidate: u64, if_error: u64, checked_at: u64, now: u64,
    ) {
        let usual = lifetime(fresh, while_revalidate, if_error);
        let (kept, anew) = (worth(checked_at, 0, now, usual), worth(checked_at, 0, now, usual.asked_anew()));
        prop_assert_eq!(anew.quiet_for(), None);
        if now >= checked_at {
            prop_assert_eq!(anew.serves_on_error(), kept.serves_on_error());
        }
    }

    #[test]
    fn a_longer_freshness_changes_nothing_of_the_end(
        fresh in 0_u64..50, more in 0_u64..500, while_revalidate in 0_u64..50, if_error in 0_u64..50,
        now in 0_u64..200,
    ) {
        let usual = lifetime(fresh, while_revalidate, if_error);
        let longer = usual.fresh_for(fresh + more);
        let (kept, stretched) = (worth(0, 0, now, usual), worth(0, 0, now, longer));
        prop_assert!(order(stretched) <= order(kept));
        prop_assert_eq!(stretched.serves_on_error(), kept.serves_on_error());
    }

    #[test]
    fn never_panics(asked: [u64; 2], now: u64, times: [u64; 3]) {
        let found = worth(asked[0], asked[1], now, lifetime(times[0], times[1], times[2]));
        prop_assert!(found.quiet_for() != Some(0));
        if let Expired { until } = found {
            prop_assert!(until > now || until == u64::MAX);
        }
    }
}
