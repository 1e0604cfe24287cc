//! What an unfinished transfer left is taken up, by the next fill and after a restart.

use std::fs;
use std::os::unix::fs::FileExt;

use ledge_core::range::ByteRange;

use crate::bench::{Bench, body, content, gate, next, object, until};
use crate::good::{Act, holds, in_turn, refuse, well};

/// So that a few marks are made on the way.
const LARGE: usize = 4 << 20;

/// A transfer that stops at `at` for good, and then an origin that answers `then`.
async fn stopped_at(bytes: &[u8], at: usize, then: Act) -> Bench {
    let acts = vec![well().close_at(at), refuse("404 Not Found"), then];
    let bench = Bench::new(holds(bytes, in_turn(acts))).await;
    bench.whole(bytes).await.expect_err("a cut body");
    bench.settled(bytes).await;
    assert!(!bench.stored(bytes).await);
    assert_eq!(bench.partials(), 2);
    bench
}

async fn comes_out_right(bench: &Bench, bytes: &[u8], third: &str) {
    let got = bench.whole(bytes).await.expect("a whole body");
    assert!(got == bytes, "wrong bytes");
    bench.settled(bytes).await;
    assert!(bench.stored(bytes).await);
    assert_eq!(bench.partials(), 0);
    assert_eq!(bench.origin().ranges()[2..], [third]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_fill_asks_only_for_the_rest() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well()).await;
    comes_out_right(&bench, &bytes, "100000-").await;
    assert_eq!(bench.origin().sent(), bytes.len() as u64);
    let counts = bench.transfers.counts();
    assert_eq!((counts.taken_up, counts.stored, counts.failed), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_too() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well()).await.killed();
    assert_eq!(bench.partials(), 2);
    comes_out_right(&bench, &bytes, "100000-").await;
    assert_eq!(bench.transfers.counts().taken_up, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_read_before_the_rest_comes() {
    let (bytes, hold) = (content(), gate());
    let bench = stopped_at(&bytes, 100_000, well().stall_at(100_000, &hold)).await;
    let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(next(&mut answer, 100_000).await, bytes[..100_000]);
    hold.add_permits(1);
    assert_eq!(body(answer).await.expect("the rest"), bytes[100_000..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_takes_up_what_is_there_as_well() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well()).await;
    let range = [ByteRange::Between(50_000, 150_000)];
    let got = bench.get(&bytes, &range).await.expect("the range");
    assert_eq!(got, bytes[50_000..=150_000]);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().sent(), bytes.len() as u64);
}

/// The process dies in the middle: only what was marked on the way is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mirror_loses_at_most_what_came_after_the_last_mark() {
    let (bytes, hold) = (object(LARGE), gate());
    let acts = vec![well().stall_at(LARGE - 100_000, &hold), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
    next(&mut answer, LARGE - 100_000).await;
    // A mark follows the bytes that readers see.
    until(|| fs::read_to_string(bench.partial_files().1).is_ok_and(|m| m.lines().count() >= 3))
        .await;
    let bench = bench.killed();
    drop(answer);
    let got = bench.whole(&bytes).await.expect("a whole body");
    assert!(got == bytes, "wrong bytes");
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    let ranges = bench.origin().ranges();
    let at = ranges[1].strip_suffix('-').expect("an open range");
    let at: usize = at.parse().expect("an offset");
    // A mark a MiB, or a batch of frames later.
    assert!(at >= LARGE - 100_000 - (3 << 19), "{at}");
    assert!(at <= LARGE - 100_000, "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_tampered_bytes_only_the_right_beginning_is_used() {
    let bytes = object(LARGE);
    let bench = stopped_at(&bytes, LARGE - 1000, well()).await;
    let (file, marks) = bench.partial_files();
    let marks = fs::read_to_string(marks).expect("marks");
    assert!(marks.lines().count() >= 3, "{marks}");
    let file = fs::OpenOptions::new().write(true).open(file);
    let flipped = [bytes[3_000_000] ^ 1];
    let written = file.and_then(|file| file.write_all_at(&flipped, 3_000_000));
    written.expect("tampered");
    let bench = bench.killed();
    let got = bench.whole(&bytes).await.expect("a whole body");
    assert!(got == bytes, "wrong bytes");
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    let third = bench.origin().ranges()[2].clone();
    let at = third.strip_suffix('-').expect("an open range");
    let at: usize = at.parse().expect("an offset");
    assert!((1 << 20..=3_000_000).contains(&at), "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_all_wrong_are_not_used() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well()).await;
    let (file, _) = bench.partial_files();
    fs::write(file, vec![0; 100_000]).expect("written");
    comes_out_right(&bench.killed(), &bytes, "whole").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_marks_and_short_files_are_not_trusted() {
    let bytes = content();
    for cut in [0, 1, 99_999] {
        let bench = stopped_at(&bytes, 100_000, well()).await;
        let (file, _) = bench.partial_files();
        let file = fs::OpenOptions::new().write(true).open(file);
        file.and_then(|file| file.set_len(cut)).expect("cut");
        comes_out_right(&bench.killed(), &bytes, "whole").await;
    }
    let bench = stopped_at(&bytes, 100_000, well()).await;
    let (_, marks) = bench.partial_files();
    fs::write(marks, "nonsense\n").expect("written");
    comes_out_right(&bench.killed(), &bytes, "whole").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_without_ranges_sends_it_again() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well().without_ranges()).await;
    comes_out_right(&bench, &bytes, "100000-").await;
}

/// One of the two is wrong, and nobody knows which: both go.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_shorter_than_what_is_there_is_a_mismatch() {
    let bytes = content();
    let framings: [fn(Act) -> Act; 2] = [|act| act.announcing(50_000), Act::until_close];
    for framing in framings {
        let short = framing(well().without_ranges()).close_at(50_000);
        let acts = vec![
            well().close_at(100_000),
            refuse("404 Not Found"),
            short,
            well(),
        ];
        let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
        bench.whole(&bytes).await.expect_err("a cut body");
        bench.settled(&bytes).await;
        assert_eq!(bench.partials(), 2);
        bench.whole(&bytes).await.expect_err("too few bytes");
        bench.settled(&bytes).await;
        assert_eq!(bench.partials(), 0);
        assert_eq!(bench.transfers.counts().mismatched, 1);
        assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
        assert_eq!(bench.origin().ranges()[2..], ["100000-", "whole"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_up_and_failed_its_digest_is_gone() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well().tampered_at(200_000)).await;
    bench.whole(&bytes).await.expect_err("wrong bytes");
    bench.settled(&bytes).await;
    assert_eq!(bench.partials(), 0);
    bench.whole(&bytes).await.expect_err("wrong bytes");
    assert_eq!(bench.origin().ranges()[2..], ["100000-", "whole"]);
}
