use super::*;
use proptest::prelude::*;

const NOW: u64 = 1_000_000;

fn learn(status: u16, fields: &[(&str, &str)]) -> Quota {
    learn_more(Quota::default(), status, fields)
}

fn learn_more(known: Quota, status: u16, fields: &[(&str, &str)]) -> Quota {
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    known.learn(status, field, NOW)
}

const fn lifetime(fresh: u64, stale_if_error: u64) -> Lifetime {
    Lifetime {
        fresh,
        stale_while_revalidate: 0,
        stale_if_error,
    }
}

fn left(limit: u32, remaining: u32) -> Quota {
    Quota {
        remaining: Remaining::of(limit, remaining, NOW + 100),
        ask_at: 0,
    }
}

#[test]
fn reads_what_remains() {
    let rows = [
        ("100;w=21600", "76;w=21600", None, Some((100, 76, 21600))),
        ("100", "76;w=60", None, Some((100, 76, 60))),
        ("100 ; w=60", " 76", None, Some((100, 76, 60))),
        ("100", "76", Some("50"), Some((100, 76, 50))),
        ("100;w=60", "76", Some("50"), Some((100, 76, 50))),
        ("100", "76", None, Some((100, 76, 3600))),
        (
            "10, 10;w=1;burst=1000, 1000;w=60",
            "9",
            Some("1"),
            Some((10, 9, 1)),
        ),
        ("100;w=99999999", "76", None, Some((100, 76, 86400))),
        ("100;comment=\"x\";w=60", "76", None, Some((100, 76, 60))),
        ("100;w=x", "176", Some("x"), Some((100, 100, 3600))),
        ("0", "0", None, None),
        ("", "5", None, None),
        ("-5", "5", None, None),
        ("+5", "5", None, None),
        ("5.5", "5", None, None),
        ("4294967296", "5", None, None),
        ("100", "unlimited", None, None),
    ];
    for (limit, remaining, reset, expected) in rows {
        let mut fields = vec![
            ("ratelimit-limit", limit),
            ("ratelimit-remaining", remaining),
        ];
        fields.extend(reset.map(|reset| ("ratelimit-reset", reset)));
        let expected = expected.map(|(limit, remaining, window)| Remaining {
            limit,
            remaining,
            until: NOW + window,
        });
        assert_eq!(learn(200, &fields).remaining, expected, "{fields:?}");
        assert_eq!(learn(200, &fields).resting(NOW), None);
    }
    assert_eq!(
        learn(200, &[("ratelimit-remaining", "5")]),
        Quota::default()
    );
}

#[test]
fn reads_the_structured_fields() {
    let policy = r#""default";q=100;w=60"#;
    let two = r#""burst";q=10;w=1, "day";q=1000;w=86400"#;
    let rows = [
        (r#""default";r=50;t=30"#, policy, Some((100, 50, 30))),
        (r#""default";r=50"#, policy, Some((100, 50, 60))),
        (r#""default";t=30;r=150"#, policy, Some((100, 100, 30))),
        (
            r#""default";r=50;t=99999999"#,
            policy,
            Some((100, 50, 86400)),
        ),
        (
            r#""default";r=50;t=30;pk=:YQ==:"#,
            policy,
            Some((100, 50, 30)),
        ),
        // Whichever ends first.
        (
            r#""burst";r=9;t=1, "day";r=10;t=500"#,
            two,
            Some((1000, 10, 500)),
        ),
        (
            r#""day";r=1000;t=500, "burst";r=1;t=1"#,
            two,
            Some((10, 1, 1)),
        ),
        // Without a policy all that is known is what remains.
        (r#""default";r=50;t=30"#, "", Some((50, 50, 30))),
        (r#""other";r=0;t=30"#, policy, Some((1, 0, 30))),
        (
            r#""default";r=5"#,
            r#""default";q=9;w=60;qu="requests""#,
            Some((9, 5, 60)),
        ),
        (
            r#""default";r=5"#,
            r#""default";q=9;w=60;qu="content-bytes""#,
            None,
        ),
        (r#""default";r=5"#, r#""default";w=60"#, None),
        (r#""default";r=-5;t=30"#, policy, None),
        (r#""default";r=5.5"#, policy, None),
        (r#""default";r=4294967296"#, policy, None),
        (r#""default";t=30"#, policy, None),
        (r#"("default";r=5)"#, policy, None),
        ("default;r=5;t=30", policy, None),
        (r#""default;r=50"#, policy, None),
        // The dictionary of draft 07.
        ("limit=100, remaining=50, reset=5", "", None),
    ];
    for (limits, policies, expected) in rows {
        let fields = [("ratelimit", limits), ("ratelimit-policy", policies)];
        let expected = expected.map(|(limit, remaining, window)| Remaining {
            limit,
            remaining,
            until: NOW + window,
        });
        assert_eq!(learn(200, &fields).remaining, expected, "{fields:?}");
    }
    let long = format!(r#""default";r=50;x="{}""#, "x".repeat(1024));
    assert_eq!(learn(200, &[("ratelimit", &long)]), Quota::default());
}

#[test]
fn the_structured_fields_go_first_if_they_can_be_read() {
    let older = [("ratelimit-limit", "100"), ("ratelimit-remaining", "5")];
    let with = |text| [&older[..], &[("ratelimit", text)]].concat();
    let left = |fields: &[_]| learn(200, fields).remaining.map(|told| told.remaining);
    assert_eq!(left(&with("\"default\";r=7;t=30")), Some(7));
    assert_eq!(left(&with("limit=100, remaining=7")), Some(5));
}

#[test]
fn reads_how_long_to_leave_it_alone() {
    type Row<'a> = (u16, &'a [(&'a str, &'a str)], Option<u64>);
    let rows: [Row<'_>; 15] = [
        (429, &[("retry-after", "120")], Some(120)),
        (429, &[("retry-after", " 120 ")], Some(120)),
        (429, &[], Some(60)),
        (429, &[("retry-after", "soon")], Some(60)),
        (429, &[("ratelimit-reset", "7")], Some(7)),
        (
            429,
            &[("ratelimit-reset", "7"), ("retry-after", "8")],
            Some(8),
        ),
        (429, &[("ratelimit", "\"default\";r=0;t=9")], Some(9)),
        (
            429,
            &[("ratelimit", "\"default\";r=0;t=9"), ("retry-after", "8")],
            Some(8),
        ),
        (429, &[("retry-after", "0")], None),
        (429, &[("retry-after", "86400")], Some(3600)),
        (
            429,
            &[("retry-after", "99999999999999999999999")],
            Some(3600),
        ),
        (503, &[("retry-after", "5")], Some(5)),
        (503, &[], None),
        (200, &[("retry-after", "5")], None),
        (404, &[("retry-after", "5")], None),
    ];
    for (status, fields, expected) in rows {
        let resting = learn(status, fields).resting(NOW);
        assert_eq!(resting, expected, "{status} {fields:?}");
    }
    let asked = learn(429, &[("retry-after", "120")]);
    assert_eq!(asked.resting(NOW + 119), Some(1));
    assert_eq!(asked.resting(NOW + 120), None);
    // The clock was set back by more than an origin is ever left alone.
    assert_eq!(asked.resting(NOW - 3600), None);
}

#[test]
fn reads_dates() {
    let then = 784_111_777;
    let rows = [
        ("Sun, 06 Nov 1994 08:49:37 GMT", then - 10, Some(10)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", then - 10, Some(10)),
        ("Sun Nov  6 08:49:37 1994", then - 10, Some(10)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", then, Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", then + 5, Some(0)),
        ("Sun, 06 Nov 1994 08:49:37", then, None),
        ("1.5", then, None),
        ("-5", then, None),
        ("", then, None),
    ];
    for (text, now, expected) in rows {
        assert_eq!(retry_after(text, now), expected, "{text}");
    }
}

#[test]
fn what_is_not_said_stays() {
    let fields = [("ratelimit-limit", "100"), ("ratelimit-remaining", "5")];
    let known = learn_more(learn(429, &[("retry-after", "9")]), 200, &fields);
    assert_eq!(known.resting(NOW), Some(9));
    assert_eq!(learn_more(known, 404, &[]), known);
}

#[test]
fn stretches_as_it_runs_out() {
    let rows = [
        (100, 100, 600),
        (100, 51, 600),
        (100, 50, 600),
        (100, 49, 660),
        (100, 25, 2100),
        (100, 1, 3540),
        (100, 0, 3600),
        (1, 1, 600),
        (1, 0, 3600),
        (u32::MAX, 0, 3600),
    ];
    for (limit, remaining, fresh) in rows {
        let stretched = left(limit, remaining).stretch(lifetime(600, 100_000), NOW);
        assert_eq!(stretched.fresh, fresh, "{remaining} of {limit}");
        assert_eq!(stretched.fresh + stretched.stale_if_error, 100_600);
    }
}

#[test]
fn stretches_within_bounds() {
    let gone = left(100, 0);
    for (fresh, stale_if_error, expected) in [
        (600, 1000, 1600),
        (600, 0, 600),
        (0, 1000, 0),
        (u64::MAX, 1000, u64::MAX),
        (u64::MAX / 2, u64::MAX, u64::MAX),
    ] {
        let stretched = gone.stretch(lifetime(fresh, stale_if_error), NOW);
        assert_eq!(stretched.fresh, expected, "{fresh} {stale_if_error}");
    }
    let usual = lifetime(600, 100_000);
    assert_eq!(gone.stretch(usual, NOW + 99).fresh, 3600);
    // The window has passed, nothing is known, or the clock was wrong.
    assert_eq!(gone.stretch(usual, NOW + 100), usual);
    assert_eq!(gone.stretch(usual, NOW - MAX_WINDOW), usual);
    assert_eq!(Quota::default().stretch(usual, NOW), usual);
}

#[test]
fn other_records_are_as_if_not_there() {
    assert_eq!(Quota::decode(b"q1\n\n\n\n0"), Some(Quota::default()));
    for text in [
        "",
        "q1",
        "q2\n\n\n\n0",
        "q1\n\n\n\n",
        "q1\n5\n\n\n0",
        "q1\n0\n0\n5\n0",
        "q1\n+5\n0\n5\n0",
        "q1\n4294967296\n0\n5\n0",
        "q1\n5\n5\n5\n0\n",
    ] {
        assert_eq!(Quota::decode(text.as_bytes()), None, "{text:?}");
    }
}

fn quota() -> impl Strategy<Value = Quota> {
    let remaining = (1_u32.., any::<u32>(), any::<u64>());
    let remaining = proptest::option::of(remaining);
    (remaining, any::<u64>()).prop_map(|(told, ask_at)| Quota {
        remaining: told.and_then(|(limit, left, until)| Remaining::of(limit, left, until)),
        ask_at,
    })
}

proptest! {
    #[test]
    fn records_round_trip(quota in quota()) {
        prop_assert_eq!(Quota::decode(&quota.encode()), Some(quota));
    }

    #[test]
    fn less_is_never_fresher(
        limit in 1_u32.., more: u32, less: u32, fresh: u64, stale_if_error: u64,
    ) {
        let (more, less) = (more.max(less), more.min(less));
        let usual = lifetime(fresh, stale_if_error);
        let rich = left(limit, more).stretch(usual, NOW);
        let poor = left(limit, less).stretch(usual, NOW);
        prop_assert!(fresh <= rich.fresh && rich.fresh <= poor.fresh);
        prop_assert!(poor.fresh <= fresh.saturating_mul(MOST_STRETCH));
        prop_assert!(poor.fresh <= fresh.saturating_add(stale_if_error));
    }

    #[test]
    fn garbage_never_panics(
        texts in proptest::array::uniform4("[0-9]{0,22}(;w=[0-9]{0,22})?|\\PC{0,40}"),
        lists in proptest::array::uniform2(
            "(\"a?\"(;[rtqw]=-?[0-9]{0,16}){0,3}(;qu=\"[a-z]{0,3}\")?(, )?){0,3}|\\PC{0,40}",
        ),
        status in prop_oneof![Just(429_u16), Just(503), Just(200)], now: u64, bytes: Vec<u8>,
    ) {
        let names = [
            "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after",
            "ratelimit", "ratelimit-policy",
        ];
        let texts: Vec<_> = texts.into_iter().chain(lists).collect();
        let field = |name: &str| names.iter().position(|n| *n == name).map(|at| texts[at].clone());
        let learnt = Quota::default().learn(status, field, now);
        prop_assert!(learnt.resting(now).is_none_or(|rest| rest <= MAX_REST_SECONDS));
        let _ = (Quota::decode(&bytes), learnt.stretch(lifetime(now, 5), now));
    }
}
