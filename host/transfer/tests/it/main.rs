//! The miss path against an origin that is scripted byte for byte.

mod bench;
mod origin;

use std::sync::Arc;

use futures::future::join_all;
use futures::join;
use http_body_util::BodyExt;
use ledge_core::range::{ByteRange, Selection, Span};
use ledge_transfer::{FillError, Outcome, TransferOptions, Want};

use bench::{Bench, OPTIONS, SIZE, body, content, digest, gate, want};
use origin::{Script, Step, always, head, ok};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_callers_are_one_request_and_all_get_the_bytes() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        ok(SIZE),
        Step::Send(bytes[..1000].to_vec()),
        Step::Wait(gate.clone()),
        Step::Send(bytes[1000..].to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let answers = join_all((0..20).map(|_| bench.fill(&bytes, &[]))).await;
    let answers: Vec<_> = answers.into_iter().map(|a| a.expect("an answer")).collect();
    let outcomes: Vec<_> = answers.iter().map(|answer| answer.outcome).collect();
    assert_eq!(
        outcomes.iter().filter(|o| **o == Outcome::Started).count(),
        1
    );
    assert_eq!(
        outcomes.iter().filter(|o| **o == Outcome::Followed).count(),
        19
    );
    gate.add_permits(1);
    for answer in join_all(answers.into_iter().map(body)).await {
        assert_eq!(answer.expect("a whole body"), bytes);
    }
    bench.settled(&bytes).await;
    let again = bench.fill(&bytes, &[]).await.expect("a hit");
    assert_eq!(again.outcome, Outcome::Hit);
    assert_eq!(body(again).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bytes_come_before_the_last_ones_are_sent() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        ok(SIZE),
        Step::Send(bytes[..50_000].to_vec()),
        Step::Wait(gate.clone()),
        Step::Send(bytes[50_000..].to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
    let mut got = Vec::new();
    while got.len() < 50_000 {
        let frame = answer.body.frame().await.expect("more").expect("no error");
        got.extend_from_slice(&frame.into_data().expect("data"));
    }
    gate.add_permits(1);
    got.extend(body(answer).await.expect("the rest"));
    assert_eq!(got, bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_does_not_end_the_transfer() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        ok(SIZE),
        Step::Wait(gate.clone()),
        Step::Send(bytes.clone()),
    ];
    let bench = Bench::new(always(steps)).await;
    drop(bench.fill(&bytes, &[]).await.expect("an answer"));
    gate.add_permits(1);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_stored_and_no_client_takes_them_for_whole() {
    let bytes = content();
    let mut wrong = bytes.clone();
    wrong[7] ^= 1;
    let gate = gate();
    let rest = Step::Send(wrong.split_off(1000));
    let steps = vec![ok(SIZE), Step::Send(wrong), Step::Wait(gate.clone()), rest];
    let bench = Bench::new(always(steps)).await;
    let answer = bench.fill(&bytes, &[]).await.expect("a header");
    assert_eq!(answer.size, Some(SIZE as u64));
    gate.add_permits(2);
    body(answer).await.expect_err("a cut body");
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0);
    // The next caller asks again.
    bench.whole(&bytes).await.expect_err("wrong bytes");
    assert_eq!(bench.origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_of_unknown_length_end_in_an_error_too() {
    let bytes = content();
    let mut wrong = bytes.clone();
    wrong[SIZE - 1] ^= 1;
    let bench = Bench::new(always(vec![head("200 OK"), Step::Send(wrong)])).await;
    bench.whole(&bytes).await.expect_err("wrong bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_unknown_length_is_served_and_stored() {
    let bytes = content();
    let bench = Bench::new(always(vec![head("200 OK"), Step::Send(bytes.clone())])).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_breaks_off_stores_nothing_and_cuts() {
    let bytes = content();
    let bench = Bench::new(always(vec![ok(SIZE), Step::Send(bytes[..99_999].to_vec())])).await;
    bench.whole(&bytes).await.expect_err("wrong bytes");
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    // What came is kept for the next try.
    assert_eq!(bench.partials(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_bytes_than_promised_are_a_mismatch_before_the_first_one() {
    let bytes = content();
    let bench = Bench::new(always(vec![ok(SIZE), Step::Send(bytes.clone())])).await;
    let want = Want {
        size: Some(5),
        ..want(&bytes)
    };
    let error = bench
        .transfers
        .fill(want, bench.source(), &[])
        .await
        .expect_err("a mismatch");
    assert!(matches!(error, FillError::Mismatch(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_cold_object_are_answered_as_their_bytes_come() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        ok(SIZE),
        Step::Send(bytes[..70_000].to_vec()),
        Step::Wait(gate.clone()),
        Step::Send(bytes[70_000..].to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let early = bench
        .fill(&bytes, &[ByteRange::Between(10, 69_999)])
        .await
        .expect("an answer");
    let span = Span {
        start: 10,
        end: 70_000,
    };
    assert_eq!(early.selection, Selection::One(span));
    assert_eq!(body(early).await.expect("the range"), bytes[10..70_000]);
    let last = bench
        .fill(&bytes, &[ByteRange::Last(5)])
        .await
        .expect("an answer");
    gate.add_permits(1);
    assert_eq!(body(last).await.expect("the range"), bytes[SIZE - 5..]);
    let error = bench
        .fill(&bytes, &[ByteRange::From(SIZE as u64)])
        .await
        .expect_err("no range");
    assert!(matches!(error, FillError::Unsatisfiable(size) if size == SIZE as u64));
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_are_parts_also_of_what_is_still_coming() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        ok(SIZE),
        Step::Send(bytes[..70_000].to_vec()),
        Step::Wait(gate.clone()),
        Step::Send(bytes[70_000..].to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let ranges = [ByteRange::Between(10, 69_999), ByteRange::Last(5)];
    let mut cold = bench.fill(&bytes, &ranges).await.expect("an answer");
    let mut got = Vec::new();
    // The first part is there before the second was sent by the origin.
    while !got.ends_with(&bytes[60_000..70_000]) {
        let frame = cold.body.frame().await.expect("more").expect("no error");
        got.extend_from_slice(&frame.into_data().expect("data"));
    }
    gate.add_permits(1);
    got.extend(body(cold).await.expect("the rest"));
    bench.settled(&bytes).await;
    let warm = bench.fill(&bytes, &ranges).await.expect("an answer");
    assert_eq!(warm.outcome, Outcome::Hit);
    for got in [got, body(warm).await.expect("all of it")] {
        // A boundary of "--" and 32 characters, the range, an empty line; the bytes; …
        let boundary = String::from_utf8_lossy(&got[..34]).into_owned();
        let first = format!("{boundary}\r\nContent-Range: bytes 10-69999/300000\r\n\r\n");
        let second = format!("\r\n{boundary}\r\nContent-Range: bytes 299995-299999/300000\r\n\r\n");
        let end = format!("\r\n{boundary}--\r\n");
        let expected = [
            first.as_bytes(),
            &bytes[10..70_000],
            second.as_bytes(),
            &bytes[SIZE - 5..],
            end.as_bytes(),
        ];
        assert!(got == expected.concat(), "{} bytes", got.len());
    }
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_every_follower_with_its_fields_and_body() {
    let bytes = content();
    let gate = gate();
    let steps = vec![
        Step::Wait(gate.clone()),
        head("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"x\"\r\ncontent-length: 2"),
        Step::Send(b"no".to_vec()),
    ];
    let bench = Bench::new(always(steps)).await;
    let callers = join_all((0..3).map(|_| bench.fill(&bytes, &[])));
    let (answers, ()) = join!(callers, async {
        bench.followed_by(&bytes, 3).await;
        gate.add_permits(1);
    });
    for answer in answers {
        let Err(FillError::Refused(refusal)) = answer else {
            panic!("not refused: {answer:?}");
        };
        assert_eq!(refusal.status, 401);
        assert_eq!(refusal.headers["www-authenticate"], "Bearer realm=\"x\"");
        assert_eq!(refusal.body, "no");
    }
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_endpoint_may_do_better_is_asked_of_it() {
    let bytes = content();
    let good = bytes.clone();
    let script: Script = Arc::new(move |number| match number {
        0 => vec![head("502 Bad Gateway\r\ncontent-length: 0")],
        _ => vec![ok(SIZE), Step::Send(good.clone())],
    });
    let bench = Bench::new(script).await;
    let source = bench.sources(&["/first", "/second"]);
    let answer = bench
        .transfers
        .fill(want(&bytes), source, &[])
        .await
        .expect("an answer");
    assert_eq!(body(answer).await.expect("a whole body"), bytes);
    let requests = bench.origin.requests();
    assert!(requests[0].starts_with("GET /first "), "{requests:?}");
    assert!(requests[1].starts_with("GET /second "), "{requests:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_is_an_answer_and_no_other_endpoint_is_asked() {
    let bytes = content();
    let bench = Bench::new(always(vec![head("404 Not Found\r\ncontent-length: 0")])).await;
    let source = bench.sources(&["/first", "/second"]);
    let error = bench
        .transfers
        .fill(want(&bytes), source, &[])
        .await
        .expect_err("a refusal");
    assert!(matches!(error, FillError::Refused(refusal) if refusal.status == 404));
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_wait_their_turn_and_one_too_many_is_told_when_to_ask_again() {
    let gate = gate();
    let steps = vec![
        Step::Wait(gate.clone()),
        head("404 Not Found\r\ncontent-length: 0"),
    ];
    let options = TransferOptions {
        running: 1,
        waiting: 1,
        ..OPTIONS
    };
    let bench = Bench::with(always(steps), options).await;
    let third = async {
        bench.followed_by(b"first", 1).await;
        bench.followed_by(b"second", 1).await;
        let third = bench.fill(b"third", &[]).await;
        gate.add_permits(2);
        third
    };
    let (first, second) = (bench.fill(b"first", &[]), bench.fill(b"second", &[]));
    let (first, second, third) = join!(first, second, third);
    assert!(matches!(third, Err(FillError::Busy(_))), "{third:?}");
    for waited in [first, second] {
        assert!(matches!(waited, Err(FillError::Refused(_))), "{waited:?}");
    }
    assert_eq!(bench.origin.requests().len(), 2);
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
async fn small_objects_are_verified_before_their_first_byte() {
    let bytes = b"{}".to_vec();
    let bench = Bench::new(always(vec![ok(2), Step::Send(b"[]".to_vec())])).await;
    bench.whole(&bytes).await.expect_err("no byte of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_learns_the_digest_and_stores() {
    let bytes = content();
    let answer =
        head("200 OK\r\ncontent-type: application/x\r\ndocker-content-digest: sha256:false");
    let bench = Bench::new(always(vec![answer, Step::Send(bytes.clone())])).await;
    let stored = bench
        .transfers
        .ingest(None, bench.source(), 1 << 20)
        .await
        .expect("stored");
    assert_eq!(stored.digest, digest(&bytes));
    assert_eq!(stored.size, SIZE as u64);
    assert_eq!(stored.headers["content-type"], "application/x");
    assert!(bench.stored(&bytes).await);
    // Known and stored: nobody is asked.
    let again = bench
        .transfers
        .ingest(Some(want(&bytes)), bench.source(), 1 << 20)
        .await;
    assert_eq!(again.expect("stored").size, SIZE as u64);
    assert_eq!(bench.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_refuses_what_is_wrong_short_or_too_large() {
    let bytes = content();
    let announced = Bench::new(always(vec![ok(SIZE), Step::Send(bytes.clone())])).await;
    let error = announced
        .transfers
        .ingest(None, announced.source(), 1000)
        .await;
    assert!(matches!(error, Err(FillError::TooLarge(1000))), "{error:?}");

    let silent = Bench::new(always(vec![head("200 OK"), Step::Send(bytes.clone())])).await;
    let error = silent.transfers.ingest(None, silent.source(), 1000).await;
    assert!(matches!(error, Err(FillError::TooLarge(1000))), "{error:?}");

    let short = Bench::new(always(vec![ok(SIZE), Step::Send(bytes[..10].to_vec())])).await;
    let error = short.transfers.ingest(None, short.source(), 1 << 20).await;
    assert!(matches!(error, Err(FillError::Unreachable(_))), "{error:?}");

    let wrong = Bench::new(always(vec![ok(2), Step::Send(b"no".to_vec())])).await;
    let error = wrong
        .transfers
        .ingest(Some(want(&bytes)), wrong.source(), 1 << 20)
        .await;
    assert!(matches!(error, Err(FillError::Mismatch(_))), "{error:?}");
    assert!(!wrong.stored(&bytes).await && !wrong.stored(b"no").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_hangs_up_before_its_header_is_unreachable() {
    let bench = Bench::new(always(Vec::new())).await;
    let error = bench.fill(b"", &[]).await.expect_err("no answer");
    assert!(matches!(error, FillError::Unreachable(_)), "{error}");
    assert_eq!(bench.partials(), 0);
}
