//! Objects that are so large that only the ranges that clients want are fetched.

use futures::future::join_all;
use ledge_core::range::ByteRange;
use ledge_transfer::{Outcome, Ranges, TransferOptions};

use crate::bench::{Bench, FAR, OPTIONS, PIECE, body, content, object, until};
use crate::good::{holds, holds_all, in_turn, well};
use crate::origin::Asked;

/// Everything larger than a byte is large.
const LAZY: TransferOptions = TransferOptions {
    ranges: Ranges::WholeUpTo(1),
    ..OPTIONS
};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_fetched() {
    let bytes = object(PIECE + FAR);
    let bench = Bench::with(holds(&bytes, |_| well()), LAZY).await;
    for (first, last) in [(0, 1), (5_000_000, 5_000_099), (9_000_000, 9_000_004)] {
        let range = [ByteRange::Between(first, last)];
        let got = bench.get(&bytes, &range).await.expect("the range");
        let (first, last) = (first as usize, last as usize);
        assert!(got == bytes[first..=last], "wrong bytes");
    }
    let ranges = ["0-1", "5000000-5000099", "9000000-9000004"];
    assert_eq!(bench.origin().ranges(), ranges);
    assert_eq!(bench.transfers.counts().received, 107);
    assert!(!bench.stored(&bytes).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_is_not_fetched_again() {
    let bytes = content();
    let bench = Bench::with(holds(&bytes, |_| well()), LAZY).await;
    for range in [
        ByteRange::Between(1000, 1999),
        ByteRange::Between(1500, 1600),
    ] {
        bench.get(&bytes, &[range]).await.expect("the range");
    }
    let wider = [ByteRange::Between(500, 2499)];
    let got = bench.get(&bytes, &wider).await.expect("the range");
    assert_eq!(got, bytes[500..2500]);
    assert_eq!(bench.origin().sent(), 2000);
    assert_eq!(
        bench.origin().ranges(),
        ["1000-1999", "500-999", "2000-2499"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_all_of_it_makes_it_whole() {
    let bytes = content();
    let bench = Bench::with(holds(&bytes, |_| well()), LAZY).await;
    let range = [ByteRange::Between(100_000, 199_999)];
    let got = bench.get(&bytes, &range).await.expect("the range");
    assert_eq!(got, bytes[100_000..200_000]);
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().sent(), bytes.len() as u64);
    let counts = bench.transfers.counts();
    assert_eq!((counts.started, counts.stored), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn up_to_the_size_the_whole_is_fetched() {
    let bytes = content();
    let options = TransferOptions {
        ranges: Ranges::WholeUpTo(bytes.len() as u64),
        ..OPTIONS
    };
    let bench = Bench::with(holds(&bytes, |_| well()), options).await;
    let range = [ByteRange::Between(7, 9)];
    assert_eq!(
        bench.get(&bytes, &range).await.expect("the range"),
        bytes[7..10]
    );
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().sent(), bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_are_each_fetched() {
    let bytes = content();
    let bench = Bench::with(holds(&bytes, |_| well()), LAZY).await;
    let ranges = [ByteRange::Between(10, 19), ByteRange::Last(5)];
    let got = bench.get(&bytes, &ranges).await.expect("the parts");
    for part in [&bytes[10..20], &bytes[bytes.len() - 5..]] {
        assert!(got.windows(part.len()).any(|window| window == part));
    }
    // A client may have its bytes before the origin has counted them.
    until(|| bench.origin().sent() >= 15).await;
    assert_eq!(bench.origin().sent(), 15);
}

/// Nobody else reads it, so it is read up to what is wanted.
#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_to_a_further_range_is_read_up_to_it() {
    let bytes = content();
    for further in [well().tagged("\"two\""), well().without_ranges()] {
        let script = holds(&bytes, in_turn(vec![well(), further]));
        let bench = Bench::with(script, LAZY).await;
        for first in [0, 100_000] {
            let range = [ByteRange::Between(first, first + 9)];
            let got = bench.get(&bytes, &range).await.expect("the range");
            let first = first as usize;
            assert_eq!(got, bytes[first..first + 10]);
        }
        assert_eq!(bench.origin().ranges(), ["0-9", "100000-100009"]);
    }
}

/// The transfer itself has the only turn there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_has_the_last_turn_brings_further_ranges() {
    let bytes = content();
    let options = TransferOptions {
        running: 1,
        running_per_origin: 1,
        ..LAZY
    };
    let bench = Bench::with(holds(&bytes, |_| well()), options).await;
    for first in [0, 100_000, 200_000] {
        let range = [ByteRange::Between(first, first + 9)];
        let got = bench.get(&bytes, &range).await.expect("the range");
        let first = first as usize;
        assert_eq!(got, bytes[first..first + 10]);
    }
    assert_eq!(bench.origin().sent(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_share_all_turns_bring_further_ranges() {
    let objects = [content(), object(200_000)];
    let held: Vec<_> = objects.iter().map(Vec::as_slice).collect();
    let options = TransferOptions { running: 2, ..LAZY };
    let bench = Bench::with(holds_all(&held, |_| well()), options).await;
    let bench = &bench;
    let lazily = async |bytes: &[u8]| {
        // Whoever does not read stays, and so does the transfer.
        let idle = bench.fill(bytes, &[ByteRange::Between(0, 9)]).await;
        let idle = idle.expect("an answer");
        for first in [100_000, 150_000] {
            let range = [ByteRange::Between(first, first + 9)];
            let got = bench.get(bytes, &range).await.expect("the range");
            let first = first as usize;
            assert_eq!(got, bytes[first..first + 10]);
        }
        assert_eq!(body(idle).await.expect("the range"), bytes[..10]);
    };
    join_all(objects.iter().map(|bytes| lazily(bytes))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_fetched_takes_no_room() {
    let bytes = content();
    let huge = |_: &Asked| well().claiming("bytes 0-99/9000000000000000000");
    let bench = Bench::with(holds(&bytes, huge), LAZY).await;
    let answer = bench.fill(&bytes, &[ByteRange::Between(0, 99)]).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Started);
    assert_eq!(body(answer).await.expect("the range"), bytes[..100]);
}
