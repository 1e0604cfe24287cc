//! Ranges of an object that is not stored, near the running transfer and far ahead.

use futures::future::join_all;
use futures::join;
use ledge_core::range::{ByteRange, Selection, Span};
use ledge_transfer::{Answer, FillError, Outcome};

use crate::bench::{Bench, FAR, PIECE, SIZE, body, content, gate, next, object};
use crate::good::{holds, in_turn, path, refuse, well};
use crate::origin::{Origin, always, head};

/// The offsets that an origin was asked for, in order of their start, of an object of `size` bytes.
fn asked(origin: &Origin, size: usize) -> Vec<(u64, u64)> {
    let requests = origin.requests();
    let mut spans: Vec<_> = requests
        .iter()
        .map(|asked| match asked.range() {
            Some(range) => range.resolve(size as u64).expect("within the object"),
            None => ByteRange::From(0).resolve(size as u64).expect("a size"),
        })
        .map(|span| (span.start, span.end))
        .collect();
    spans.sort_unstable();
    spans
}

fn selected(answer: &Answer) -> Span {
    match answer.selection {
        Selection::One(span) => span,
        ref other => panic!("not one range: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_running_transfer_are_answered_as_their_bytes_come() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(70_000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let early = [ByteRange::Between(10, 69_999)];
    let early = bench.fill(&bytes, &early).await.expect("an answer");
    assert_eq!(
        selected(&early),
        Span {
            start: 10,
            end: 70_000
        }
    );
    assert_eq!(body(early).await.expect("the range"), bytes[10..70_000]);
    let last = bench.fill(&bytes, &[ByteRange::Last(5)]).await;
    hold.add_permits(1);
    let last = body(last.expect("an answer")).await;
    assert_eq!(last.expect("the range"), bytes[SIZE - 5..]);
    assert_eq!(body(whole).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_range_is_asked_for_and_the_rest_comes_after_it() {
    let bytes = content();
    for (range, first) in [
        (ByteRange::Last(5), "-5"),
        (ByteRange::Between(0, 1), "0-1"),
        (ByteRange::Between(100, 199), "100-199"),
    ] {
        let hold = gate();
        // What is asked for comes; everything else has to wait.
        let acts = vec![
            well(),
            well()
                .stall_at(0, &hold)
                .stall_at(2, &hold)
                .stall_at(200, &hold),
        ];
        let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
        let answer = bench.fill(&bytes, &[range]).await.expect("an answer");
        assert_eq!(answer.size, Some(SIZE as u64));
        let Span { start, end } = selected(&answer);
        let got = body(answer).await.expect("the range");
        let index = |offset: u64| usize::try_from(offset).expect("small");
        assert_eq!(got, bytes[index(start)..index(end)]);
        hold.add_permits(10);
        bench.settled(&bytes).await;
        assert!(bench.stored(&bytes).await);
        assert_eq!(bench.origin().ranges()[0], first);
        assert_eq!(bench.origin().sent(), SIZE as u64, "{first}: nothing twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_range_from_the_start_is_answered_as_a_range() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let answer = bench.fill(&bytes, &[ByteRange::From(0)]).await;
    let answer = answer.expect("an answer");
    let all = Span {
        start: 0,
        end: SIZE as u64,
    };
    assert_eq!(selected(&answer), all);
    assert_eq!(body(answer).await.expect("the range"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().sent(), SIZE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_ranges_are_parts_also_of_what_is_still_coming() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(70_000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let ranges = [ByteRange::Between(10, 69_999), ByteRange::Last(5)];
    let mut cold = bench.fill(&bytes, &ranges).await.expect("an answer");
    // The first part is there before the second was sent by the origin.
    let mut got = next(&mut cold, 69_990).await;
    hold.add_permits(1);
    got.extend(body(cold).await.expect("the rest"));
    assert_eq!(body(whole).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    let warm = bench.fill(&bytes, &ranges).await.expect("an answer");
    assert_eq!(warm.outcome, Outcome::Hit);
    assert_parts(&got, &bytes);
    assert_parts(&body(warm).await.expect("all of it"), &bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_cold_ranges_are_parts_and_nothing_comes_twice() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let ranges = [ByteRange::Between(10, 69_999), ByteRange::Last(5)];
    let got = bench.get(&bytes, &ranges).await.expect("the parts");
    assert_parts(&got, &bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().sent(), SIZE as u64);
}

/// The parts 10-69999 and the last five bytes: a boundary of "--" and 32 characters, the range,
/// an empty line; the bytes; and so on.
fn assert_parts(got: &[u8], bytes: &[u8]) {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_range_behind_the_end_is_told_the_size() {
    let bytes = content();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let beyond = [ByteRange::From(SIZE as u64)];
    for _ in 0..2 {
        let error = bench.fill(&bytes, &beyond).await.expect_err("no range");
        assert!(matches!(error, FillError::Unsatisfiable(size) if size == SIZE as u64));
        bench.settled(&bytes).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_without_ranges_sends_the_whole_once() {
    let bytes = object(4 * FAR);
    let (hold, size) = (gate(), bytes.len());
    let act = well().without_ranges().stall_at(FAR, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let far = ByteRange::From(size as u64 - 10);
    let answer = bench.fill(&bytes, &[far]).await.expect("an answer");
    assert_eq!(answer.size, Some(size as u64));
    let (got, ()) = join!(body(answer), async { hold.add_permits(1) });
    assert_eq!(got.expect("the range"), bytes[size - 10..]);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    // It said so with its first answer: nobody is sent ahead.
    assert_eq!(bench.origin().requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nonsense_answer_to_a_range_is_asked_for_the_whole() {
    let bytes = content();
    for wrong in ["bytes 0-5/300000", "bytes 7-2/300000", "items 5-9/10"] {
        let acts = vec![well().claiming(wrong), well()];
        let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
        let got = bench.get(&bytes, &[ByteRange::Between(5, 9)]).await;
        assert_eq!(got.expect("the range"), bytes[5..10], "{wrong}");
        bench.settled(&bytes).await;
        assert_eq!(bench.origin().ranges(), ["5-9", "whole"], "{wrong}");
    }
    let nonsense = head("206 Partial Content\r\ncontent-length: 0");
    let bench = Bench::new(always(vec![nonsense])).await;
    let error = bench
        .fill(&bytes, &[])
        .await
        .expect_err("nothing was asked in part");
    assert!(matches!(error, FillError::Unreachable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn far_ahead_of_a_stalled_transfer_comes_at_once_and_only_once() {
    let (bytes, hold) = (object(3 * PIECE), gate());
    let far = 2 * PIECE + 1000;
    let act = well().stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |asked| match asked.number {
        0 => act.clone(),
        _ => well(),
    }))
    .await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    bench.origin().asked(1).await;
    // The main one sends nothing: this comes another way.
    let got = bench.get(&bytes, &[ByteRange::From(far as u64)]).await;
    assert!(got.expect("the range") == bytes[far..], "wrong bytes");
    assert_eq!(bench.origin().ranges(), ["whole", "16778216-25165823"]);
    hold.add_permits(1);
    assert!(body(whole).await.expect("a whole body") == bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    // The main one stopped where the other one had started.
    assert_eq!(bench.origin().requests().len(), 2);
    let counts = bench.transfers.counts();
    assert_eq!((counts.sides, counts.unverified, counts.stored), (1, 1, 1));
    let size = bytes.len() as u64;
    assert!(
        (size..size + 256 * 1024).contains(&counts.received),
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_near_is_waited_for() {
    let (bytes, hold) = (object(2 * FAR), gate());
    let act = well().stall_at(1000, &hold);
    let bench = Bench::new(holds(&bytes, move |_| act.clone())).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let near = bench
        .fill(&bytes, &[ByteRange::Between(500_000, 500_009)])
        .await;
    let (got, ()) = join!(body(near.expect("an answer")), async {
        hold.add_permits(1);
    });
    assert_eq!(got.expect("the range"), bytes[500_000..500_010]);
    assert!(body(whole).await.expect("a whole body") == bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
    assert_eq!(bench.transfers.counts().sides, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_sent_ahead_is_resumed_too() {
    let (bytes, hold) = (object(3 * PIECE), gate());
    let acts = vec![
        well().stall_at(1000, &hold),
        well().close_at(2 * PIECE + 5000),
        well(),
    ];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    bench.origin().asked(1).await;
    let got = bench
        .get(&bytes, &[ByteRange::From(2 * PIECE as u64)])
        .await;
    assert!(got.expect("the range") == bytes[2 * PIECE..], "wrong bytes");
    let ranges = ["whole", "16777216-25165823", "16782216-25165823"];
    assert_eq!(bench.origin().ranges(), ranges);
    hold.add_permits(1);
    assert!(body(whole).await.expect("a whole body") == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_far_ahead_is_not_the_end_of_the_whole() {
    let (bytes, hold) = (object(2 * PIECE), gate());
    let acts = vec![
        well().stall_at(1000, &hold),
        refuse("404 Not Found"),
        well(),
    ];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let far = bench.fill(&bytes, &[ByteRange::From(PIECE as u64)]).await;
    let (got, ()) = join!(body(far.expect("an answer")), async {
        bench.origin().asked(2).await;
        hold.add_permits(1);
    });
    let got = got.expect("it comes with the main one, or is asked for again");
    assert!(got == bytes[PIECE..], "wrong bytes");
    assert!(body(whole).await.expect("a whole body") == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_to_a_range_far_ahead_changes_no_byte() {
    let (bytes, hold) = (object(2 * FAR), gate());
    let acts = vec![well().stall_at(1000, &hold), well().without_ranges()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let far = bench.fill(&bytes, &[ByteRange::From(FAR as u64)]).await;
    let (far, ()) = join!(body(far.expect("an answer")), async {
        bench.origin().asked(2).await;
        hold.add_permits(1);
    });
    assert!(far.expect("the range") == bytes[FAR..], "wrong bytes");
    assert!(body(whole).await.expect("a whole body") == bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.transfers.counts().sides, 1);
}

/// containerd 2.1 opens ranges every 8 MiB, takes a piece of each, and drops it.
#[tokio::test(flavor = "multi_thread")]
async fn abandoned_open_ranges_bring_every_byte_once() {
    let bytes = object(3 * PIECE + PIECE / 2);
    let size = bytes.len();
    let bench = Bench::new(holds(&bytes, |_| well())).await;
    let piece = async |at: usize| {
        let range = [ByteRange::From(at as u64)];
        let mut answer = bench.fill(&bytes, &range).await.expect("an answer");
        let length = PIECE.min(size - at);
        let got = next(&mut answer, length).await;
        assert!(
            got[..length] == bytes[at..at + length],
            "wrong bytes at {at}"
        );
    };
    let starts = (0..size).step_by(PIECE);
    futures::future::join_all(starts.map(piece)).await;
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    let spans = asked(bench.origin(), size);
    assert_eq!(bench.origin().requests()[0].path, path(&bytes));
    let pairs = spans.windows(2);
    for pair in pairs {
        assert!(pair[0].1 <= pair[1].0, "an overlap: {spans:?}");
    }
    assert_eq!(
        spans.iter().map(|(at, end)| end - at).sum::<u64>(),
        size as u64
    );
    assert_eq!(bench.transfers.counts().received, size as u64);
    assert_eq!(bench.transfers.counts().started, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_without_ranges_is_asked_for_one_far_ahead_only_once() {
    let (bytes, hold) = (object(PIECE + FAR), gate());
    let acts = vec![well().stall_at(1000, &hold), well().without_ranges()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let whole = bench.fill(&bytes, &[]).await.expect("an answer");
    let far = [4_000_000, 6_000_000, 8_000_000];
    let ranges = far.map(|at| [ByteRange::Between(at, at + 99)]);
    let answers = join_all(ranges.iter().map(|range| bench.fill(&bytes, range))).await;
    let bodies = answers.into_iter().map(|a| body(a.expect("an answer")));
    let (bodies, whole, ()) = join!(join_all(bodies), body(whole), async {
        bench.origin().asked(2).await;
        hold.add_permits(1);
    });
    for (got, at) in bodies.into_iter().zip(far) {
        let at = at as usize;
        assert_eq!(got.expect("the range"), bytes[at..at + 100]);
    }
    assert!(whole.expect("a whole body") == bytes, "wrong bytes");
    assert_eq!(bench.origin().requests().len(), 2);
}
