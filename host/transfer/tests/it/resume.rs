//! A transfer that breaks goes on from the byte that it reached, and its clients wait.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use ledge_core::range::ByteRange;
use ledge_transfer::{FillError, Refusal, Renew, Renewed, Retries, Source, TransferOptions};

use crate::bench::{Bench, OPTIONS, SIZE, body, content, gate, want};
use crate::good::{Act, TAG, holds, in_turn, refuse, well};
use crate::origin::{Asked, Script, Step, head};

/// Of a first answer that broke.
const REST: &str = "100000-299999";

fn broken() -> Act {
    well().close_at(100_000)
}

/// A bench whose only origin answers so, one request after the other.
async fn bench(acts: Vec<Act>) -> (Vec<u8>, Bench) {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    (bytes, bench)
}

async fn comes_out_right(acts: Vec<Act>, ranges: &[&str]) -> Bench {
    let (bytes, bench) = bench(acts).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ranges);
    assert_eq!(bench.transfers.counts().started, 1);
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn all_clients_get_all_bytes_on_the_same_body() {
    let (bytes, hold) = (content(), gate());
    let acts = vec![well().stall_at(50_000, &hold).close_at(100_000), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let first = bench.fill(&bytes, &[]).await.expect("an answer");
    let second = bench.fill(&bytes, &[]).await.expect("an answer");
    hold.add_permits(1);
    let (first, second) = futures::join!(body(first), body(second));
    assert_eq!(first.expect("a whole body"), bytes);
    assert_eq!(second.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert_eq!(bench.origin().ranges(), ["whole", REST]);
    assert_eq!(bench.origin().requests()[1].field("if-range"), Some(TAG));
    assert_eq!(bench.origin().sent(), SIZE as u64);
    let counts = bench.transfers.counts();
    assert_eq!((counts.resumed, counts.stored, counts.failed), (1, 1, 0));
    assert_eq!(counts.received, SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_break_costs_one_request_for_the_rest() {
    let acts = vec![
        well().close_at(1),
        well().close_at(5000),
        well().close_at(299_999),
        well(),
    ];
    let ranges = ["whole", "1-299999", "5000-299999", "299999-299999"];
    let bench = comes_out_right(acts, &ranges).await;
    assert_eq!(bench.origin().sent(), SIZE as u64);
    assert_eq!(bench.transfers.counts().resumed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_before_the_first_byte_is_resumed_as_well() {
    comes_out_right(vec![well().close_at(0), well()], &["whole", "0-299999"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_connection_is_resumed() {
    let (bytes, bench) = bench(vec![well().reset_at(100_000), well()]).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    // What was on its way when it was reset is lost.
    let ranges = bench.origin().ranges();
    assert_eq!(ranges.len(), 2);
    let (at, last) = ranges[1].split_once('-').expect("a range");
    assert_eq!(last, "299999");
    assert!(at.parse::<usize>().expect("an offset") <= 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_strong_tag_the_rest_is_asked_for_without_if_range() {
    for tag in ["", "W/\"weak\""] {
        let acts = vec![broken().tagged(tag), well().tagged(tag)];
        let bench = comes_out_right(acts, &["whole", REST]).await;
        assert_eq!(bench.origin().requests()[1].field("if-range"), None);
    }
}

/// The digest names the bytes, whatever tag they have.
#[tokio::test(flavor = "multi_thread")]
async fn another_tag_brings_the_whole_and_what_came_is_skipped() {
    let acts = vec![broken(), well().tagged("\"two\"")];
    let bench = comes_out_right(acts, &["whole", REST]).await;
    assert_eq!(bench.origin().sent(), SIZE as u64 + 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_to_a_range_is_skipped_up_to_where_it_broke() {
    let acts = vec![broken(), well().without_ranges()];
    comes_out_right(acts, &["whole", REST]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_object_in_the_second_part_is_found() {
    let (bytes, bench) = bench(vec![broken(), well().tampered_at(150_000)]).await;
    bench.whole(&bytes).await.expect_err("wrong bytes");
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await && bench.partials() == 0);
    assert_eq!(bench.transfers.counts().mismatched, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_mid_transfer_are_waited_out() {
    for status in [
        "500 Oops",
        "503 Service Unavailable",
        "429 Too Many Requests\r\nretry-after: 0",
        "429 Too Many Requests\r\nretry-after: 3600",
    ] {
        let acts = vec![broken(), refuse(status), refuse(status), well()];
        comes_out_right(acts, &["whole", REST, REST, REST]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_content_range_is_not_taken() {
    for wrong in [
        "bytes 0-199999/300000",
        "bytes 100001-299999/300000",
        "bytes 100000-299999/*",
        "nonsense",
    ] {
        let acts = vec![broken(), well().claiming(wrong), well()];
        comes_out_right(acts, &["whole", REST, REST]).await;
    }
}

/// Fails after so many tries, with what came kept.
async fn gives_up(acts: Vec<Act>, requests: usize) -> FillError {
    let (bytes, bench) = bench(acts).await;
    let answer = bench.fill(&bytes, &[]).await.expect("an answer");
    let error = body(answer).await.expect_err("a cut body");
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.origin().requests().len(), requests);
    assert_eq!(bench.partials(), 2, "what came is kept");
    let inner = error.into_inner().expect("a cause");
    *inner.downcast::<FillError>().expect("a fill's error")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_another_size_is_none_to_go_on_with() {
    let gone = refuse("416 Range Not Satisfiable\r\ncontent-range: bytes */7");
    let error = gives_up(vec![broken(), gone, well()], 2).await;
    assert!(matches!(error, FillError::Unsatisfiable(7)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_of_every_endpoint_is_the_end() {
    for (text, status) in [
        ("404 Not Found", 404),
        ("410 Gone", 410),
        ("401 Unauthorized", 401),
        ("403 Forbidden", 403),
    ] {
        let error = gives_up(vec![broken(), refuse(text), well()], 2).await;
        assert!(
            matches!(&error, FillError::Refused(r) if r.status == status),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_tries_without_a_byte_it_gives_up() {
    let acts = vec![broken(), refuse("503 Service Unavailable")];
    // The first answer, and a request after each wait.
    let error = gives_up(acts, 1 + OPTIONS.retries.tries).await;
    assert!(
        matches!(&error, FillError::Refused(r) if r.status == 503),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_starts_the_tries_anew() {
    let breaks = (1..=20).map(|n| well().close_at(n * 1000));
    let acts: Vec<_> = breaks.chain([well()]).collect();
    let bytes = content();
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin().requests().len(), 21);
    assert_eq!(bench.origin().sent(), SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_endpoint_is_asked_for_the_rest() {
    let bytes = content();
    let first = holds(&bytes, |_| broken());
    let second = holds(&bytes, |_| well().tagged("\"other\""));
    let bench = Bench::of(vec![first, second], OPTIONS).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert_eq!(bench.origins[0].ranges(), ["whole"]);
    assert_eq!(bench.origins[1].ranges(), [REST]);
    // The first one's tag says nothing to the second.
    assert_eq!(bench.origins[1].requests()[0].field("if-range"), None);
    assert_eq!(bench.origins[1].sent(), 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_it_is_passed_over_while_another_may_have_it() {
    let bytes = content();
    let first = holds(&bytes, in_turn(vec![broken(), well()]));
    let second = holds(&bytes, |_| refuse("404 Not Found"));
    let bench = Bench::of(vec![first, second], OPTIONS).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    assert_eq!(bench.origins[0].ranges(), ["whole", REST]);
    assert_eq!(bench.origins[1].ranges(), [REST]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_no_endpoint_has_it_any_more_nobody_waits() {
    let bytes = content();
    let first = holds(&bytes, in_turn(vec![broken(), refuse("404 Not Found")]));
    let second = holds(&bytes, |_| refuse("404 Not Found"));
    let options = TransferOptions {
        // Waiting all of them would outlast the test's patience.
        retries: Retries {
            tries: 1000,
            ..OPTIONS.retries
        },
        ..OPTIONS
    };
    let bench = Bench::of(vec![first, second], options).await;
    bench.whole(&bytes).await.expect_err("a cut body");
    bench.settled(&bytes).await;
    assert_eq!(bench.origins[0].ranges(), ["whole", REST]);
    assert_eq!(bench.origins[1].ranges(), [REST]);
}

/// Answers with a request that has a token, or with an error, and remembers why it was asked.
struct Registry {
    fresh: Result<Request<()>, String>,
    asked: Mutex<Vec<Refusal>>,
}

impl Renew for Registry {
    fn renew(&self, why: Refusal) -> Renewed {
        self.asked.lock().expect("no panic holds it").push(why);
        let fresh = self.fresh.clone();
        Box::pin(async { fresh })
    }
}

/// An origin that lets nobody in without the new token after the first answer.
fn expiring(asked: &Asked) -> Act {
    match (asked.number, asked.field("authorization")) {
        (0, _) => broken(),
        (_, Some("Bearer new")) => well(),
        _ => refuse("401 Unauthorized\r\nwww-authenticate: Bearer realm=\"x\""),
    }
}

/// Fills with credentials that expire after the first answer.
async fn expires(token: Result<&str, String>) -> (Bench, Arc<Registry>, Result<Vec<u8>, String>) {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, expiring)).await;
    let request = |token: &str| {
        let request = Request::get(format!("{}/fresh", bench.origin().url));
        let request = request.header("authorization", token);
        request.body(()).expect("a request")
    };
    let registry = Arc::new(Registry {
        fresh: token.map(request),
        asked: Mutex::default(),
    });
    let source = Source {
        renew: Some(registry.clone()),
        ..bench.source(&bytes)
    };
    let answer = bench.transfers.fill(want(&bytes), source, &[]).await;
    let got = body(answer.expect("an answer")).await;
    bench.settled(&bytes).await;
    (bench, registry, got.map_err(|error| error.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_credentials_are_renewed_once_in_mid_transfer() {
    let (bench, registry, got) = expires(Ok("Bearer new")).await;
    assert_eq!(got.expect("a whole body"), content());
    assert_eq!(bench.origin().ranges(), ["whole", REST, REST]);
    let last = &bench.origin().requests()[2];
    assert_eq!(last.path, "/fresh");
    assert_eq!(last.field("if-range"), Some(TAG));
    let asked = registry.asked.lock().expect("no panic holds it");
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].status.as_u16(), asked[0].origin), (401, 0));
    let challenge = &asked[0].headers["www-authenticate"];
    assert_eq!(challenge, "Bearer realm=\"x\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_cannot_be_renewed_are_the_end() {
    let (bench, registry, got) = expires(Err("no".to_owned())).await;
    got.expect_err("a cut body");
    assert_eq!(bench.origin().ranges(), ["whole", REST]);
    assert_eq!(registry.asked.lock().expect("no panic holds it").len(), 1);
    assert_eq!(bench.partials(), 2, "what came is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn fresh_credentials_that_let_nobody_in_are_the_end() {
    let (bench, registry, got) = expires(Ok("Bearer wrong")).await;
    got.expect_err("a cut body");
    assert_eq!(bench.origin().ranges(), ["whole", REST, REST]);
    assert_eq!(registry.asked.lock().expect("no panic holds it").len(), 1);
}

/// Nobody said the size at first, and then the origin brings less at a time than it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_as_short_as_it_says_is_no_break() {
    let bytes = content();
    let object = Bytes::from(bytes.clone());
    let script: Script = Arc::new(move |asked| match asked.range() {
        Some(ByteRange::From(at) | ByteRange::Between(at, _)) => {
            let (size, at) = (object.len(), at as usize);
            let end = size.min(at + 50_000);
            let status = "206 Partial Content\r\ncontent-range: bytes";
            let length = end - at;
            vec![
                head(&format!(
                    "{status} {at}-{}/{size}\r\ncontent-length: {length}",
                    end - 1
                )),
                Step::Body(object.slice(at..end)),
            ]
        }
        // In chunks, and cut.
        _ => vec![
            head("200 OK\r\ntransfer-encoding: chunked"),
            Step::Send(b"186a0\r\n".to_vec()),
            Step::Body(object.slice(..100_000)),
        ],
    });
    let bench = Bench::new(script).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    let ranges = [
        "whole",
        "100000-",
        "150000-299999",
        "200000-299999",
        "250000-299999",
    ];
    assert_eq!(bench.origin().ranges(), ranges);
    assert_eq!(bench.transfers.counts().resumed, 1);
}
