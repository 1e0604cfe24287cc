//! How many transfers run, who goes first, and how fast.

use std::time::Duration;

use futures::future::join_all;
use futures::join;
use ledge_core::range::ByteRange;
use ledge_transfer::{FillError, Ranges, SEATS, TransferOptions};

use crate::bench::{Bench, OPTIONS, PIECE, body, content, gate, object, until, want};
use crate::good::{holds, holds_all, path, refuse, well};

/// Objects of which no two are alike.
fn objects(number: usize) -> Vec<Vec<u8>> {
    (1..=number).map(|n| object(100_000 + n)).collect()
}

fn slices(objects: &[Vec<u8>]) -> Vec<&[u8]> {
    objects.iter().map(Vec::as_slice).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_wait_their_turn_and_one_too_many_is_told_when_to_ask_again() {
    let (objects, hold) = (objects(3), gate());
    let stalled = well().stall_at(0, &hold);
    let options = TransferOptions {
        running: 1,
        waiting: 1,
        ..OPTIONS
    };
    let script = holds_all(&slices(&objects), move |_| stalled.clone());
    let bench = Bench::with(script, options).await;
    let third = async {
        bench.followed_by(&objects[0], 1).await;
        bench.followed_by(&objects[1], 1).await;
        let third = bench.fill(&objects[2], &[]).await;
        bench.origin().asked(1).await;
        assert_eq!(bench.origin().requests().len(), 1, "one at a time");
        hold.add_permits(2);
        third
    };
    let (first, second) = (bench.whole(&objects[0]), bench.whole(&objects[1]));
    let (first, second, third) = join!(first, second, third);
    assert!(matches!(third, Err(FillError::Busy(5))), "{third:?}");
    assert_eq!(first.expect("a whole body"), objects[0]);
    assert_eq!(second.expect("a whole body"), objects[1]);
    // Each was asked for once, in whatever order they came.
    let requests = bench.origin().requests();
    let mut paths: Vec<_> = requests.iter().map(|asked| asked.path.clone()).collect();
    paths.sort();
    let mut expected = [path(&objects[0]), path(&objects[1])];
    expected.sort();
    assert_eq!(paths, expected);
    // There is room again.
    hold.add_permits(1);
    assert_eq!(bench.whole(&objects[2]).await.expect("a body"), objects[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_needs_no_turn() {
    let (bytes, hold) = (content(), gate());
    let stalled = well().stall_at(1000, &hold);
    let options = TransferOptions {
        running: 1,
        waiting: 0,
        ..OPTIONS
    };
    let script = holds_all(&[&bytes], move |_| stalled.clone());
    let bench = Bench::with(script, options).await;
    let answers = join_all((0..30).map(|_| bench.fill(&bytes, &[]))).await;
    hold.add_permits(1);
    for answer in answers {
        let got = body(answer.expect("an answer")).await;
        assert_eq!(got.expect("a whole body"), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_at_its_bound_holds_up_no_other() {
    let (objects, hold) = (objects(3), gate());
    let stalled = well().stall_at(0, &hold);
    let options = TransferOptions {
        running_per_origin: 1,
        ..OPTIONS
    };
    let slow = holds_all(&slices(&objects), move |_| stalled.clone());
    let fast = holds_all(&slices(&objects), |_| well());
    let bench = Bench::of(vec![slow, fast], options).await;
    let of_second = async {
        bench.followed_by(&objects[0], 1).await;
        bench.followed_by(&objects[1], 1).await;
        let mut source = bench.source(&objects[2]);
        source.origins.remove(0);
        let answer = bench.transfers.fill(want(&objects[2]), source, &[]).await;
        let got = body(answer.expect("an answer")).await;
        assert_eq!(got.expect("a whole body"), objects[2]);
        assert_eq!(bench.origins[0].requests().len(), 1, "its bound");
        hold.add_permits(2);
    };
    let (first, second) = (bench.whole(&objects[0]), bench.whole(&objects[1]));
    let (first, second, ()) = join!(first, second, of_second);
    assert_eq!(first.expect("a whole body"), objects[0]);
    assert_eq!(second.expect("a whole body"), objects[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_run_than_may() {
    let (objects, hold) = (objects(8), gate());
    let stalled = well().stall_at(0, &hold);
    let options = TransferOptions {
        running: 3,
        ..OPTIONS
    };
    let script = holds_all(&slices(&objects), move |_| stalled.clone());
    let bench = Bench::with(script, options).await;
    let all = join_all(objects.iter().map(|bytes| bench.whole(bytes)));
    let let_through = async {
        for bytes in &objects {
            bench.followed_by(bytes, 1).await;
        }
        for through in 0..objects.len() {
            let expected = objects.len().min(through + 3);
            bench.origin().asked(expected).await;
            assert_eq!(bench.origin().requests().len(), expected);
            hold.add_permits(1);
            until(|| bench.transfers.counts().stored > through as u64).await;
        }
    };
    let (all, ()) = join!(all, let_through);
    for (got, bytes) in all.into_iter().zip(&objects) {
        assert_eq!(&got.expect("a whole body"), bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_transfer_gives_its_turn_back() {
    let objects = objects(4);
    let options = TransferOptions {
        running: 1,
        waiting: 0,
        ..OPTIONS
    };
    let script = holds_all(&slices(&objects), |_| refuse("404 Not Found"));
    let bench = Bench::with(script, options).await;
    for bytes in &objects {
        let error = bench.fill(bytes, &[]).await.expect_err("a refusal");
        assert!(matches!(error, FillError::Refused(_)), "{error}");
        bench.settled(bytes).await;
    }
}

/// The bytes are the same, however fast they come.
#[tokio::test(flavor = "multi_thread")]
async fn a_bandwidth_changes_no_byte() {
    let bytes = content();
    let options = TransferOptions {
        bandwidth: 5_000_000,
        bandwidth_per_origin: 4_000_000,
        ..OPTIONS
    };
    let bench = Bench::with(holds_all(&[&bytes], |_| well()), options).await;
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_before_its_turn_leaves_the_queue() {
    let (objects, hold) = (objects(3), gate());
    let stalled = well().stall_at(0, &hold);
    let options = TransferOptions {
        running: 1,
        waiting: 1,
        ..OPTIONS
    };
    let script = holds_all(&slices(&objects), move |_| stalled.clone());
    let bench = Bench::with(script, options).await;
    let first = bench.fill(&objects[0], &[]).await.expect("an answer");
    let second = tokio::time::timeout(Duration::ZERO, bench.fill(&objects[1], &[]));
    second.await.expect_err("it waits for its turn");
    bench.settled(&objects[1]).await;
    // Its place is free.
    let (third, ()) = join!(bench.whole(&objects[2]), async { hold.add_permits(2) });
    assert_eq!(third.expect("a body"), objects[2]);
    assert_eq!(body(first).await.expect("a body"), objects[0]);
    let requests = bench.origin().requests();
    assert!(requests.iter().all(|asked| asked.path != path(&objects[1])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_of_ranges_waits_for_turns_and_does_not_end() {
    let (bytes, hold) = (object(PIECE), gate());
    let options = TransferOptions {
        running: 1,
        waiting: 0,
        ranges: Ranges::WholeUpTo(1),
        ..OPTIONS
    };
    let stalled = well().stall_at(1000, &hold);
    let bench = Bench::with(holds(&bytes, move |_| stalled.clone()), options).await;
    let first = bench.fill(&bytes, &[ByteRange::Between(0, 1999)]).await;
    let far = ByteRange::Between(5_000_000, 5_000_099);
    let second = bench.fill(&bytes, &[far]).await.expect("an answer");
    let (first, second, ()) = join!(body(first.expect("an answer")), body(second), async {
        hold.add_permits(1);
    });
    assert_eq!(first.expect("the range"), bytes[..2000]);
    assert_eq!(second.expect("the range"), bytes[5_000_000..5_000_100]);
    assert_eq!(bench.origin().ranges(), ["0-1999", "5000000-5000099"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_wait_for_readers_are_bounded() {
    let objects: Vec<_> = (0..=SEATS).map(|n| object(100 + n)).collect();
    let options = TransferOptions {
        ranges: Ranges::WholeUpTo(1),
        ..OPTIONS
    };
    let bench = Bench::with(holds_all(&slices(&objects), |_| well()), options).await;
    let range = [ByteRange::Between(0, 1)];
    for object in &objects[..SEATS] {
        assert_eq!(bench.get(object, &range).await.expect("bytes"), object[..2]);
    }
    let one_more = bench.fill(&objects[SEATS], &range).await;
    assert!(matches!(one_more, Err(FillError::Busy(5))), "{one_more:?}");
    // What is fetched whole waits for no reader.
    let whole = bench.whole(&objects[SEATS]).await;
    assert_eq!(whole.expect("a body"), objects[SEATS]);
}
