//! Which endpoint is asked, and whose answer is final.

use http::{Request, StatusCode};
use ledge_transfer::{FillError, Source};

use crate::bench::{Bench, OPTIONS, content, digest, gate, want};
use crate::good::{holds, path, refuse, well};
use crate::origin::{Step, always, head};

#[tokio::test(flavor = "multi_thread")]
async fn what_another_endpoint_may_do_better_is_asked_of_it() {
    let bytes = content();
    for status in ["500 Oops", "502 Bad Gateway", "503 Service Unavailable"] {
        let bad = holds(&bytes, move |_| refuse(status));
        let bench = Bench::of(vec![bad, holds(&bytes, |_| well())], OPTIONS).await;
        assert_eq!(
            bench.whole(&bytes).await.expect("a body"),
            bytes,
            "{status}"
        );
        for origin in &bench.origins {
            assert_eq!(origin.ranges(), ["whole"], "{status}");
            assert_eq!(origin.requests()[0].path, path(&bytes));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_final_and_no_other_endpoint_is_asked() {
    let bytes = content();
    for (status, text) in [
        (401, "401 Unauthorized"),
        (403, "403 Forbidden"),
        (404, "404 Not Found"),
        (410, "410 Gone"),
        (429, "429 Too Many Requests"),
    ] {
        let bad = holds(&bytes, move |_| refuse(text));
        let bench = Bench::of(vec![bad, holds(&bytes, |_| well())], OPTIONS).await;
        let error = bench.fill(&bytes, &[]).await.expect_err("a refusal");
        let FillError::Refused(refusal) = error else {
            panic!("not refused: {error:?}");
        };
        assert_eq!((refusal.status.as_u16(), refusal.origin), (status, 0));
        assert_eq!(bench.origins[0].requests().len(), 1, "{text}");
        assert_eq!(bench.origins[1].requests().len(), 0, "{text}");
        assert!(!bench.stored(&bytes).await && bench.partials() == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_endpoint_that_it_came_from() {
    let bytes = content();
    let bad = holds(&bytes, |_| refuse("500 Oops"));
    let denied = holds(&bytes, |_| refuse("403 Forbidden"));
    let bench = Bench::of(vec![bad, denied], OPTIONS).await;
    let error = bench.fill(&bytes, &[]).await.expect_err("a refusal");
    let FillError::Refused(refusal) = error else {
        panic!("not refused: {error:?}");
    };
    assert_eq!(refusal.status, StatusCode::FORBIDDEN);
    assert_eq!(refusal.origin, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_hangs_up_before_its_header_is_unreachable() {
    let bench = Bench::new(always(Vec::new())).await;
    let error = bench.fill(b"", &[]).await.expect_err("no answer");
    assert!(matches!(error, FillError::Unreachable(_)), "{error}");
    assert_eq!(bench.partials(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_without_endpoints_is_an_error_and_nothing_is_left() {
    let bench = Bench::new(always(Vec::new())).await;
    let error = bench
        .transfers
        .fill(want(b"x"), Source::default(), &[])
        .await;
    assert!(matches!(error, Err(FillError::Request(_))), "{error:?}");
    assert_eq!(bench.transfers.followers(&digest(b"x")), None);
    assert_eq!(bench.partials(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_who_is_not_configured() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let stranger = Bench::new(holds(&bytes, |_| well())).await;
    let request = Request::get(&stranger.origin().url).body(());
    let source = Source {
        origins: vec![request.expect("a request")],
        ..Source::default()
    };
    let error = bench.transfers.fill(want(&bytes), source, &[]).await;
    assert!(matches!(error, Err(FillError::Unreachable(_))), "{error:?}");
    assert_eq!(stranger.origin().requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_whose_body_does_not_end_is_a_refusal() {
    let (bytes, never) = (content(), gate());
    let stalls = always(vec![
        head("404 Not Found\r\ncontent-length: 100"),
        Step::Send(b"gone".to_vec()),
        Step::Wait(never.clone()),
    ]);
    let bench = Bench::new(stalls).await;
    let error = bench.fill(&bytes, &[]).await.expect_err("a refusal");
    let FillError::Refused(refusal) = error else {
        panic!("not refused: {error:?}");
    };
    assert_eq!(refusal.body, "gone");
    assert_eq!(never.available_permits(), 0);
}
