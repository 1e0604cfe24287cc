//! Transfers that nobody waits for yet.

use std::time::Duration;

use futures::join;
use ledge_transfer::{Abandoned, FillError, Outcome, Prefetched, TransferOptions};

use crate::bench::{Bench, OPTIONS, body, content, gate, object, until, want};
use crate::good::{Act, holds, holds_all, in_turn, path, refuse, well};
use crate::origin::Asked;

/// One turn, and `stops` for what everybody left.
const ONE: TransferOptions = TransferOptions {
    running: 1,
    abandoned: Abandoned::Stop,
    ..OPTIONS
};

impl Bench {
    async fn prefetch(&self, bytes: &[u8]) -> Result<Prefetched, FillError> {
        let source = self.source(bytes);
        self.transfers.prefetch(want(bytes), source).await
    }
}

/// Two objects, and how the first is answered; the second is well.
async fn two(first: Act, options: TransferOptions) -> (Bench, Vec<u8>, Vec<u8>) {
    let (one, other) = (content(), object(100_000));
    let of_first = path(&one);
    let act = move |asked: &Asked| match asked.path == of_first {
        true => first.clone(),
        false => well(),
    };
    let bench = Bench::with(holds_all(&[&one, &other], act), options).await;
    (bench, one, other)
}

/// What was asked for, in its order.
fn paths(bench: &Bench) -> Vec<String> {
    let requests = bench.origin().requests();
    requests.iter().map(|asked| asked.path.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_stored_though_nobody_follows() {
    let bytes = content();
    let bench = Bench::with(holds(&bytes, |_| well()), ONE).await;
    let begun = bench.prefetch(&bytes).await.expect("an answer");
    assert_eq!(begun.outcome, Outcome::Started);
    assert_eq!(
        (begun.size, begun.origin),
        (Some(bytes.len() as u64), Some(0))
    );
    assert_eq!(begun.headers["etag"], crate::good::TAG);
    bench.settled(&bytes).await;
    assert!(bench.stored(&bytes).await);
    let again = bench.prefetch(&bytes).await.expect("an answer");
    assert_eq!((again.outcome, again.origin), (Outcome::Hit, None));
    assert_eq!(bench.origin().ranges(), ["whole"]);
    let counts = bench.transfers.counts();
    assert_eq!((counts.prefetched, counts.yielded), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_meanwhile_shares_it() {
    let (bytes, hold) = (content(), gate());
    let stalled = well().stall_at(100_000, &hold);
    let bench = Bench::with(holds(&bytes, move |_| stalled.clone()), ONE).await;
    bench.prefetch(&bytes).await.expect("an answer");
    let other = bench.prefetch(&bytes).await.expect("an answer");
    assert_eq!((other.outcome, other.origin), (Outcome::Followed, None));
    let client = bench.fill(&bytes, &[]).await.expect("an answer");
    assert_eq!(client.outcome, Outcome::Followed);
    assert!(client.is_shown, "the origin has answered the same request");
    let another = bench.source_at("/somewhere/else");
    let another = bench.transfers.fill(want(&bytes), another, &[]).await;
    let another = another.expect("an answer");
    assert!(!another.is_shown, "and no other one");
    hold.add_permits(1);
    let (first, second) = join!(body(client), body(another));
    assert_eq!(first.expect("a body"), bytes);
    assert_eq!(second.expect("a body"), bytes);
    assert_eq!(bench.origin().ranges(), ["whole"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_its_turn_to_a_client_and_what_came_is_kept() {
    let hold = gate();
    let stalled = well().stall_at(200_000, &hold);
    let (bench, first, second) = two(stalled, ONE).await;
    bench.prefetch(&first).await.expect("an answer");
    until(|| bench.transfers.counts().received == 200_000).await;
    // The gate is closed: without the turn this would never be answered.
    assert_eq!(bench.whole(&second).await.expect("a body"), second);
    bench.settled(&first).await;
    assert_eq!(bench.transfers.counts().yielded, 1);
    hold.add_permits(2);
    assert_eq!(bench.whole(&first).await.expect("a body"), first);
    assert_eq!(paths(&bench), [path(&first), path(&second), path(&first)]);
    assert!(
        bench.origin().ranges()[2].ends_with('-'),
        "from where it stopped"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_its_turn_to_a_client_before_the_origin_has_answered() {
    let (hold, bytes) = (gate(), content());
    let wait = crate::origin::Step::Wait(hold.clone());
    let other = object(100_000);
    let (slow, good) = (path(&bytes), holds_all(&[&bytes, &other], |_| well()));
    let script: crate::origin::Script = std::sync::Arc::new(move |asked| {
        let mut steps = good(asked);
        if asked.path == slow {
            steps.insert(0, wait.clone());
        }
        steps
    });
    let bench = Bench::with(script, ONE).await;
    let client = async {
        bench.origin().asked(1).await;
        bench.whole(&other).await
    };
    let (prefetched, client) = join!(bench.prefetch(&bytes), client);
    assert!(
        matches!(prefetched, Err(FillError::Yielded)),
        "{prefetched:?}"
    );
    assert_eq!(client.expect("a body"), other);
    hold.add_permits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_a_client_has_joined_is_that_client_s() {
    let hold = gate();
    let (bench, first, second) = two(well().stall_at(200_000, &hold), ONE).await;
    bench.prefetch(&first).await.expect("an answer");
    let mine = bench.fill(&first, &[]).await.expect("an answer");
    let other = bench.whole(&second);
    let goes_on = async {
        bench.followed_by(&second, 1).await;
        hold.add_permits(1);
        body(mine).await
    };
    let (other, mine) = join!(other, goes_on);
    assert_eq!(mine.expect("a body"), first);
    assert_eq!(other.expect("a body"), second);
    assert_eq!(paths(&bench), [path(&first), path(&second)]);
    assert_eq!(bench.transfers.counts().yielded, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_a_client_has_joined_ends_when_that_leaves() {
    let (bytes, hold) = (content(), gate());
    let acts = vec![well().stall_at(100_000, &hold), well()];
    let bench = Bench::with(holds(&bytes, in_turn(acts)), ONE).await;
    bench.prefetch(&bytes).await.expect("an answer");
    drop(bench.fill(&bytes, &[]).await.expect("an answer"));
    bench.settled(&bytes).await;
    assert!(!bench.stored(&bytes).await);
    hold.add_permits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_promotes_what_waits_for_a_turn() {
    let hold = gate();
    let (bench, first, second) = two(well().stall_at(0, &hold), ONE).await;
    let busy = bench.whole(&first);
    let queued = async {
        bench.followed_by(&first, 1).await;
        let (prefetched, mine, ()) = join!(bench.prefetch(&second), bench.whole(&second), async {
            bench.followed_by(&second, 2).await;
            bench.origin().asked(1).await;
            assert_eq!(paths(&bench), [path(&first)]);
            hold.add_permits(1);
        });
        assert_eq!(prefetched.expect("an answer").outcome, Outcome::Started);
        mine
    };
    let (busy, mine) = join!(busy, queued);
    assert_eq!(busy.expect("a body"), first);
    assert_eq!(mine.expect("a body"), second);
    assert_eq!(paths(&bench), [path(&first), path(&second)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_caller_leaves_before_its_turn_leaves_the_queue() {
    let hold = gate();
    let (bench, first, second) = two(well().stall_at(0, &hold), ONE).await;
    let busy = bench.fill(&first, &[]).await.expect("an answer");
    let waiting = tokio::time::timeout(Duration::ZERO, bench.prefetch(&second));
    waiting.await.expect_err("it waits for its turn");
    bench.settled(&second).await;
    hold.add_permits(1);
    assert_eq!(body(busy).await.expect("a body"), first);
    assert_eq!(paths(&bench), [path(&first)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_is_forgotten() {
    let bytes = content();
    let acts = vec![refuse("404 Not Found"), well()];
    let bench = Bench::with(holds(&bytes, in_turn(acts)), ONE).await;
    let refused = bench.prefetch(&bytes).await;
    assert!(matches!(refused, Err(FillError::Refused(_))), "{refused:?}");
    bench.settled(&bytes).await;
    assert_eq!(bench.whole(&bytes).await.expect("a body"), bytes);
}
