//! What an unfinished transfer left is taken up, by the next fill and after a restart.

use std::fs;
use std::os::unix::fs::FileExt;

use ledge_core::range::ByteRange;
use ledge_transfer::Outcome;

use crate::bench::{Bench, body, content, digest, gate, next, object, until};
use crate::good::{Act, holds, in_turn, refuse, well};
use crate::origin::always;

/// So that a few marks are made on the way.
const LARGE: usize = 4 << 20;

/// When so much came there is a mark.
const MARKED: usize = 3 << 19;

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

/// Where the marks are: after how many bytes the hash is known.
fn marks(bench: &Bench) -> Vec<usize> {
    let Some((_, marks)) = bench.partial_files() else {
        return Vec::new();
    };
    let marks = fs::read_to_string(marks).expect("a file");
    // The last line may not be written yet.
    let lines = marks
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let offsets = lines.filter_map(|line| line.split_once(' '));
    let offsets = offsets.map(|(offset, _)| offset.parse().expect("an offset"));
    offsets.collect()
}

/// Where an open range starts.
fn start(range: &str) -> usize {
    let at = range.strip_suffix('-').expect("an open range");
    at.parse().expect("an offset")
}

/// The process dies in the middle: only what was marked on the way is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mirror_loses_at_most_what_came_after_the_last_mark() {
    let (bytes, hold) = (object(LARGE), gate());
    let first = well()
        .stall_at(MARKED, &hold)
        .stall_at(LARGE - 100_000, &hold);
    let bench = Bench::new(holds(&bytes, in_turn(vec![first, well()]))).await;
    let answer = bench.fill(&bytes, &[]).await.expect("an answer");
    until(|| !marks(&bench).is_empty()).await;
    hold.add_permits(1);
    // A mark a MiB.
    until(|| {
        marks(&bench)
            .last()
            .is_some_and(|last| last + (1 << 20) > LARGE - 100_000)
    })
    .await;
    let last = marks(&bench).last().copied().expect("a mark");
    let bench = bench.killed();
    drop(answer);
    let got = bench.whole(&bytes).await.expect("a whole body");
    assert!(got == bytes, "wrong bytes");
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(start(&bench.origin().ranges()[1]), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_tampered_bytes_only_the_right_beginning_is_used() {
    let (bytes, hold) = (object(LARGE), gate());
    let first = well().stall_at(MARKED, &hold).close_at(LARGE - 1000);
    let acts = vec![first, refuse("404 Not Found"), well()];
    let bench = Bench::new(holds(&bytes, in_turn(acts))).await;
    let answer = bench.fill(&bytes, &[]).await.expect("an answer");
    until(|| !marks(&bench).is_empty()).await;
    hold.add_permits(1);
    body(answer).await.expect_err("a cut body");
    bench.settled(&bytes).await;
    let before = marks(&bench).into_iter().rfind(|mark| *mark <= 3_000_000);
    let (file, _) = bench.partial_files().expect("an unfinished object");
    let file = fs::OpenOptions::new().write(true).open(file);
    let flipped = [bytes[3_000_000] ^ 1];
    let written = file.and_then(|file| file.write_all_at(&flipped, 3_000_000));
    written.expect("tampered");
    let bench = bench.killed();
    let got = bench.whole(&bytes).await.expect("a whole body");
    assert!(got == bytes, "wrong bytes");
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(Some(start(&bench.origin().ranges()[2])), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_all_wrong_are_not_used() {
    let bytes = content();
    let bench = stopped_at(&bytes, 100_000, well()).await;
    let (file, _) = bench.partial_files().expect("an unfinished object");
    fs::write(file, vec![0; 100_000]).expect("written");
    comes_out_right(&bench.killed(), &bytes, "whole").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_marks_and_short_files_are_not_trusted() {
    let bytes = content();
    for cut in [0, 1, 99_999] {
        let bench = stopped_at(&bytes, 100_000, well()).await;
        let (file, _) = bench.partial_files().expect("an unfinished object");
        let file = fs::OpenOptions::new().write(true).open(file);
        file.and_then(|file| file.set_len(cut)).expect("cut");
        comes_out_right(&bench.killed(), &bytes, "whole").await;
    }
    let bench = stopped_at(&bytes, 100_000, well()).await;
    let (_, marks) = bench.partial_files().expect("an unfinished object");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_only_lacks_its_commit_is_stored_without_the_origin() {
    let bytes = content();
    let bench = Bench::new(always(Vec::new())).await;
    let mut partial = bench
        .transfers
        .store()
        .begin(&digest(&bytes))
        .expect("a file");
    partial.write_at(&bytes, 0).expect("written");
    let whole = digest(&bytes);
    partial
        .mark(bytes.len() as u64, whole.hex())
        .expect("marked");
    partial.keep();
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 0);
    assert!(bench.origin().requests().is_empty());
}

/// It is of use when there is room again.
#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_the_rest_what_is_there_stays() {
    let bytes = content();
    let huge = well().claiming("bytes 100000-299999/9000000000000000000");
    let bench = stopped_at(&bytes, 100_000, huge).await;
    let answer = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(answer.outcome, Outcome::Bypass);
    drop(answer);
    bench.settled(&bytes).await;
    assert_eq!(bench.partials(), 2);
}
