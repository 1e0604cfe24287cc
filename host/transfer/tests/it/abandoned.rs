//! What becomes of a transfer that every client has left.

use ledge_transfer::{Abandoned, TransferOptions};

use crate::bench::{Bench, OPTIONS, body, content, gate, next};
use crate::good::{holds, in_turn, well};

fn abandoned(abandoned: Abandoned) -> TransferOptions {
    TransferOptions {
        abandoned,
        ..OPTIONS
    }
}

/// Everybody leaves a transfer of which `there` bytes are there.
async fn left_by_everybody(options: TransferOptions, there: usize) -> (Bench, Vec<u8>) {
    let (bytes, hold) = (content(), gate());
    let acts = vec![well().stall_at(there, &hold), well()];
    let bench = Bench::with(holds(&bytes, in_turn(acts)), options).await;
    let mut first = bench.fill(&bytes, &[]).await.expect("an answer");
    let second = bench.fill(&bytes, &[]).await.expect("an answer");
    next(&mut first, there).await;
    drop(first);
    bench.followed_by(&bytes, 1).await;
    drop(second);
    // One that ends does so while the origin stalls.
    if options.abandoned == Abandoned::Stop {
        bench.settled(&bytes).await;
    }
    hold.add_permits(1);
    bench.settled(&bytes).await;
    (bench, bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_everybody_left_goes_on() {
    let (bench, bytes) = left_by_everybody(abandoned(Abandoned::Keep), 100_000).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_and_whoever_comes_back_takes_up_the_rest() {
    let (bench, bytes) = left_by_everybody(abandoned(Abandoned::Stop), 100_000).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 2);
    assert_eq!(bench.transfers.counts().failed, 1);
    assert_eq!(bench.whole(&bytes).await.expect("a whole body"), bytes);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole", "100000-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_if_enough_of_it_is_there() {
    // A third of it is there.
    let (bench, bytes) = left_by_everybody(abandoned(Abandoned::KeepOver(30)), 100_000).await;
    assert!(bench.stored(&bytes).await);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_if_too_little_is_there() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(100_000, &hold);
    let bench = Bench::with(
        holds(&bytes, move |_| act.clone()),
        abandoned(Abandoned::KeepOver(34)),
    );
    let bench = bench.await;
    let mut answer = bench.fill(&bytes, &[]).await.expect("an answer");
    next(&mut answer, 100_000).await;
    drop(answer);
    // The origin stalls for ever: this ends because it stops.
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    assert_eq!(bench.partials(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_in_time_finds_it_running() {
    let (bytes, hold) = (content(), gate());
    let act = well().stall_at(100_000, &hold);
    let options = abandoned(Abandoned::Stop);
    let bench = Bench::with(holds(&bytes, move |_| act.clone()), options).await;
    let first = bench.fill(&bytes, &[]).await.expect("an answer");
    let second = bench.fill(&bytes, &[]).await.expect("an answer");
    drop(first);
    let third = bench.fill(&bytes, &[]).await.expect("an answer");
    drop(second);
    bench.followed_by(&bytes, 1).await;
    hold.add_permits(1);
    assert_eq!(body(third).await.expect("a whole body"), bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}
