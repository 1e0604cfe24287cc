//! Small objects, verified before their first byte leaves.

use ledge_transfer::{FillError, Want};

use crate::bench::{Bench, SIZE, content, digest, want};
use crate::good::{holds, in_turn, well};
use crate::origin::{Step, always, head, ok};

#[tokio::test(flavor = "multi_thread")]
async fn ingest_learns_the_digest_and_stores() {
    let bytes = content();
    let answer =
        head("200 OK\r\ncontent-type: application/x\r\ndocker-content-digest: sha256:false");
    let bench = Bench::new(always(vec![answer, Step::Send(bytes.clone())])).await;
    let stored = bench
        .transfers
        .ingest(None, bench.source(&bytes), 1 << 20)
        .await
        .expect("stored");
    assert_eq!(stored.digest, digest(&bytes));
    assert_eq!(stored.size, SIZE as u64);
    assert_eq!(stored.headers["content-type"], "application/x");
    assert!(bench.stored(&bytes).await);
    // Known and stored: nobody is asked.
    let again = bench
        .transfers
        .ingest(Some(want(&bytes)), bench.source(&bytes), 1 << 20)
        .await;
    assert_eq!(again.expect("stored").size, SIZE as u64);
    assert_eq!(bench.origin().requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_refuses_what_is_wrong_short_or_too_large() {
    let bytes = content();
    let announced = Bench::new(always(vec![ok(SIZE), Step::Send(bytes.clone())])).await;
    let error = announced
        .transfers
        .ingest(None, announced.source(&bytes), 1000)
        .await;
    assert!(matches!(error, Err(FillError::TooLarge(1000))), "{error:?}");

    let silent = Bench::new(always(vec![head("200 OK"), Step::Send(bytes.clone())])).await;
    let error = silent
        .transfers
        .ingest(None, silent.source(&bytes), 1000)
        .await;
    assert!(matches!(error, Err(FillError::TooLarge(1000))), "{error:?}");

    let short = Bench::new(always(vec![ok(SIZE), Step::Send(bytes[..10].to_vec())])).await;
    let error = short
        .transfers
        .ingest(None, short.source(&bytes), 1 << 20)
        .await;
    assert!(matches!(error, Err(FillError::Unreachable(_))), "{error:?}");

    let wrong = Bench::new(always(vec![ok(2), Step::Send(b"no".to_vec())])).await;
    let error = wrong
        .transfers
        .ingest(Some(want(&bytes)), wrong.source(&bytes), 1 << 20)
        .await;
    assert!(matches!(error, Err(FillError::Mismatch(_))), "{error:?}");
    assert!(!wrong.stored(&bytes).await && !wrong.stored(b"no").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_of_a_known_digest_goes_on_where_it_broke() {
    let bytes = content();
    let acts = vec![well().close_at(100_000), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let source = bench.source(&bytes);
    let stored = bench.transfers.ingest(Some(want(&bytes)), source, 1 << 20);
    assert_eq!(stored.await.expect("stored").digest, digest(&bytes));
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole", "100000-299999"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ingest_compares_the_promised_size() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let want = Want {
        size: Some(5),
        ..want(&bytes)
    };
    let source = bench.source(&bytes);
    let error = bench.transfers.ingest(Some(want), source, 1 << 20).await;
    assert!(matches!(error, Err(FillError::Mismatch(_))), "{error:?}");
    assert!(!bench.stored(&bytes).await);
}
