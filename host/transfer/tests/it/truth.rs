//! Nothing wrong is stored, and nobody takes a wrong object for a whole one.

use futures::future::join_all;
use futures::join;
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_transfer::{Answer, Counts, FillError, Want};
use sha2::{Digest as _, Sha512};

use crate::bench::{Bench, OPTIONS, SIZE, body, content, gate, next, want};
use crate::good::{Act, holds, in_turn, well};
use crate::origin::{Step, always, head, ok};

/// How many of the last bytes wait for the digest: a promise of ARCHITECTURE.md.
const HELD_BACK: usize = 16 * 1024;

/// What a body brings before it ends in an error.
async fn cut(mut answer: Answer) -> Vec<u8> {
    let mut got = Vec::new();
    loop {
        match answer.body.frame().await {
            Some(Ok(frame)) => got.extend_from_slice(&frame.into_data().expect("data")),
            Some(Err(_)) => return got,
            None => panic!("the body ends well after {} bytes", got.len()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_stored_and_cut_every_client() {
    let (bytes, hold) = (content(), gate());
    let act = well().tampered_at(7).stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let answers = join_all((0..5).map(|_| bench.fill(&bytes, &[]))).await;
    hold.add_permits(100);
    for answer in answers {
        let answer = answer.expect("a header");
        assert_eq!(answer.size, Some(SIZE as u64));
        assert!(cut(answer).await.len() <= SIZE - HELD_BACK);
    }
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0);
    let counts = Counts {
        started: 1,
        followed: 4,
        failed: 1,
        mismatched: 1,
        received: SIZE as u64,
        ..Counts::default()
    };
    assert_eq!(bench.transfers.counts(), counts);
    // The next caller asks again, and gets nothing of what was wrong.
    bench.whole(&bytes).await.expect_err("wrong bytes");
    assert_eq!(bench.origin().ranges(), ["whole", "whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_bit_anywhere_is_found_however_the_end_is_told() {
    let bytes = content();
    let framings: [fn(Act) -> Act; 3] = [|act| act, Act::chunked, Act::until_close];
    for framing in framings {
        for at in [0, SIZE / 2, SIZE - HELD_BACK, SIZE - 1] {
            let act = framing(well().tampered_at(at));
            let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
            bench.whole(&bytes).await.expect_err("wrong bytes");
            bench.settled(&bytes).await;
            assert!(!bench.stored(&bytes).await && bench.partials() == 0, "{at}");
            assert_eq!(bench.transfers.counts().mismatched, 1, "{at}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_bytes_wait_until_the_digest_is_right() {
    let bytes = content();
    for framing in [|act: Act| act, Act::chunked] {
        let hold = gate();
        let act = framing(well().stall_at(SIZE - 1, &hold));
        let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
        let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
        let mut got = next(&mut answer, SIZE - HELD_BACK - 1).await;
        assert!(got.len() <= SIZE - HELD_BACK, "{}", got.len());
        let (rest, ()) = join!(body(answer), async { hold.add_permits(1) });
        got.extend(rest.expect("the rest"));
        assert_eq!(got, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_all_bytes_is_under_the_rule_of_the_whole() {
    let (bytes, hold) = (content(), gate());
    let act = well().tampered_at(7).stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let answer = bench.fill(&bytes, &[ByteRange::From(0)]).await;
    hold.add_permits(1);
    let got = cut(answer.expect("a header")).await;
    assert!(got.len() <= SIZE - HELD_BACK, "{}", got.len());
    assert_eq!(bench.transfers.counts().unverified, 0);
}

/// The one exception, and it is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_an_unfinished_object_goes_out_when_it_is_there() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(70_000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let range = bench.get(&bytes, &[ByteRange::Between(10, 69_999)]).await;
    assert_eq!(range.expect("the range"), bytes[10..70_000]);
    assert_eq!(bench.transfers.counts().unverified, 1);
    hold.add_permits(1);
    assert_eq!(body(whole).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    bench
        .get(&bytes, &[ByteRange::Last(1)])
        .await
        .expect("a hit");
    assert_eq!(bench.transfers.counts().unverified, 1, "a hit is verified");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_unknown_length_is_served_and_stored() {
    let bytes = content();
    for framing in [Act::chunked, Act::until_close] {
        let bench = Bench::new(holds(&bytes, move |_| framing(well()))).await;
        let answer = bench.fill(&bytes, &[]).await.expect("an answer");
        assert_eq!(answer.size, None);
        assert_eq!(body(answer).await.expect("a whole body"), bytes);
        bench.settled(&bytes).await;
        assert!(bench.stored(&bytes).await);
        assert_eq!(bench.origin().ranges(), ["whole"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_body_is_never_taken_for_the_whole() {
    let bytes = content();
    let short = bytes[..SIZE - 1].to_vec();
    for steps in [
        vec![ok(SIZE), Step::Send(short.clone())],
        vec![ok(SIZE - 1), Step::Send(short.clone())],
        vec![head("200 OK"), Step::Send(short.clone())],
        vec![head("200 OK"), Step::Send(Vec::new())],
    ] {
        let bench = Bench::new(always(steps)).await;
        bench.whole(&bytes).await.expect_err("too few bytes");
        bench.settled(&bytes).await;
        assert!(!bench.stored(&bytes).await);
        assert_eq!(bench.transfers.counts().stored, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_length_is_found_and_the_next_fill_is_right() {
    let bytes = content();
    for length in [SIZE - 1, SIZE + 1] {
        let bench = Bench::new(holds(
            &bytes,
            in_turn(vec![well().announcing(length), well()]),
        ))
        .await;
        bench.whole(&bytes).await.expect_err("a false length");
        bench.settled(&bytes).await;
        assert!(!bench.stored(&bytes).await);
        assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
        bench.settled(&bytes).await;
        assert!(bench.stored(&bytes).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_body_than_the_object_is_a_mismatch() {
    let bytes = content();
    let mut long = bytes.clone();
    long.push(0);
    for header in [ok(SIZE + 1), head("200 OK")] {
        let bench = Bench::new(always(vec![header, Step::Send(long.clone())])).await;
        bench.whole(&bytes).await.expect_err("too many bytes");
        bench.settled(&bytes).await;
        assert_eq!(bench.transfers.counts().mismatched, 1);
        assert!(!bench.stored(&bytes).await && bench.partials() == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_breaks_off_goes_on_and_is_right() {
    let bytes = content();
    let acts = vec![well().chunked().close_at(100_000), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole", "100000-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_size_than_promised_is_a_mismatch_before_the_first_byte() {
    let bytes = content();
    for size in [5, SIZE as u64 - 1, SIZE as u64 + 1] {
        let bench = Bench::new(holds(&bytes, |_| well())).await;
        let want = Want {
            size: Some(size),
            ..want(&bytes)
        };
        let source = bench.source(&bytes);
        let error = bench.transfers.fill(want, source, &[]).await;
        assert!(matches!(error, Err(FillError::Mismatch(_))), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promised_size_is_the_length_of_an_answer_without_one() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well().chunked())).await;
    let want = Want {
        size: Some(SIZE as u64),
        ..want(&bytes)
    };
    let source = bench.source(&bytes);
    let answer = bench.transfers.fill(want, source, &[]).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.size, Some(SIZE as u64));
    assert_eq!(body(answer).await.expect("a whole body"), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_answer_is_refused_before_its_first_byte() {
    let bytes = content();
    let steps = vec![
        head("200 OK\r\ncontent-encoding: gzip"),
        Step::Send(bytes.clone()),
    ];
    let bench = Bench::new(always(steps)).await;
    let error = bench.fill(&bytes, &[]).await.expect_err("a mismatch");
    assert!(matches!(error, FillError::Mismatch(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_small_object_no_byte_leaves_before_it_is_verified() {
    let bytes = content()[..HELD_BACK].to_vec();
    let bench = Bench::new(holds(&bytes, |_| well().tampered_at(0))).await;
    // The transfer may have failed before the header leaves.
    if let Ok(answer) = bench.fill(&bytes, &[]).await {
        assert_eq!(cut(answer).await, b"");
    }
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_object_is_an_object() {
    for framing in [|act: Act| act, Act::chunked, Act::until_close] {
        let bench = Bench::new(holds(b"", move |_| framing(well()))).await;
        assert_eq!(bench.whole(b"").await.expect("a body"), b"");
        bench.settled(b"").await;
        assert!(bench.stored(b"").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sha512_is_verified_as_well() {
    let bytes = content();
    let want = Want {
        digest: Digest::from_sha512(&Sha512::digest(&bytes).into()),
        size: None,
    };
    let acts = vec![well().tampered_at(5), well().close_at(100_000), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let source = || bench.source(&bytes);
    if let Ok(answer) = bench.transfers.fill(want.clone(), source(), &[]).await {
        cut(answer).await;
    }
    crate::bench::until(|| bench.transfers.followers(&want.digest).is_none()).await;
    let answer = bench.transfers.fill(want.clone(), source(), &[]).await;
    let got = body(answer.expect("an answer")).await;
    assert_eq!(got.expect("a whole body"), bytes);
    crate::bench::until(|| bench.transfers.followers(&want.digest).is_none()).await;
    let stored = bench.transfers.store().stat(&want.digest).await;
    assert_eq!(stored.expect("a store"), Some(SIZE as u64));
    assert_eq!(bench.origin().ranges(), ["whole", "whole", "100000-299999"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_brought_wrong_bytes_is_asked_last_the_next_time() {
    let bytes = content();
    let bad = holds(&bytes, |_| well().tampered_at(200_000));
    let bench = Bench::of(vec![bad, holds(&bytes, |_| well())], OPTIONS).await;
    bench.whole(&bytes).await.expect_err("wrong bytes");
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    for origin in &bench.origins {
        assert_eq!(origin.ranges(), ["whole"]);
    }
}

/// Both had a part in the wrong object, and only one of them is to blame.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_tampers_and_breaks_off_does_not_win_for_ever() {
    let bytes = content();
    let bad = holds(&bytes, |_| well().tampered_at(5).close_at(100_000));
    let bench = Bench::of(vec![bad, holds(&bytes, |_| well())], OPTIONS).await;
    let mut tries = 0;
    while bench.whole(&bytes).await.is_err() {
        bench.settled(&bytes).await;
        tries += 1;
        assert!(
            tries < 3,
            "the endpoint that has it right is not asked first"
        );
    }
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_not_taken_for_an_object() {
    let bytes = content();
    let bench = Bench::new(always(vec![ok(0)])).await;
    for ranges in [&[][..], &[ByteRange::From(0)]] {
        let answer = bench.fill(&bytes, ranges).await;
        assert!(matches!(answer, Err(FillError::Mismatch(_))), "{answer:?}");
    }
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await && bench.partials() == 0);
    assert_eq!(bench.transfers.counts().mismatched, 2);
    // What is empty by right is one.
    let answer = bench.fill(&[], &[]).await.expect("an answer");
    assert_eq!(answer.size, Some(0));
    assert_eq!(body(answer).await.expect("an end"), b"");
}
