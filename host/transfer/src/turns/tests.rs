//! Turns, one property a test.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use super::spares::WAITING;
use super::{Full, Spare, Turn, Turns, Waiting};

/// Somebody who waits, as a future that a test polls when it likes.
pub(super) type Calling = Pin<Box<dyn Future<Output = Turn>>>;

pub(super) fn calling(waiting: Waiting) -> Calling {
    Box::pin(waiting.turn())
}

/// The turn, if it is there.
pub(super) fn called(waiting: &mut Calling) -> Option<Turn> {
    match waiting
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(turn) => Some(turn),
        Poll::Pending => None,
    }
}

/// Nobody runs, nobody waits, and nothing is left of any origin.
pub(super) fn is_empty(turns: &Turns) -> bool {
    let queue = turns.0.lock().unwrap_or_else(PoisonError::into_inner);
    queue.is_empty()
}

/// Whether it was told to stop.
pub(super) fn is_told(spare: &Spare) -> bool {
    let told = pin!(spare.told());
    told.poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

fn enter(turns: &Turns, origin: &str) -> Calling {
    calling(turns.enter(origin).expect("a place"))
}

#[test]
fn a_free_turn_is_there_at_once() {
    let turns = Turns::new(2, 1, 0);
    let first = called(&mut enter(&turns, "a")).expect("a turn");
    let second = called(&mut enter(&turns, "b")).expect("a turn");
    drop((first, second));
    assert!(is_empty(&turns));
}

#[test]
fn origins_take_turns_and_within_one_the_first_is_first() {
    let turns = Turns::new(1, 1, 16);
    let mut turn = called(&mut enter(&turns, "a"));
    let names = ["a1", "a2", "a3", "b1", "b2", "c1", "a4"];
    let mut waiting: Vec<_> = names
        .iter()
        .map(|name| (*name, enter(&turns, &name[..1])))
        .collect();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(turn.take());
        let mut found = waiting
            .iter_mut()
            .enumerate()
            .filter_map(|(at, (_, waiting))| called(waiting).map(|turn| (at, turn)));
        let (at, next) = found.next().expect("somebody is called");
        assert!(found.next().is_none(), "one turn, two called");
        drop(found);
        turn = Some(next);
        order.push(waiting.remove(at).0);
    }
    // b had become ready before a was: a ran when it was joined by its next.
    assert_eq!(order, ["b1", "c1", "a1", "b2", "a2", "a3", "a4"]);
    drop(turn);
    assert!(is_empty(&turns));
}

#[test]
fn an_origin_at_its_bound_holds_up_nobody() {
    let turns = Turns::new(4, 2, 16);
    let first = called(&mut enter(&turns, "slow")).expect("a turn");
    let _second = called(&mut enter(&turns, "slow")).expect("a turn");
    let mut third = enter(&turns, "slow");
    assert!(called(&mut third).is_none());
    let _other = called(&mut enter(&turns, "fast")).expect("a turn");
    drop(first);
    assert!(called(&mut third).is_some());
}

#[test]
fn a_bound_of_the_origin_above_that_of_all_says_nothing() {
    let turns = Turns::new(1, 5, 1);
    let first = called(&mut enter(&turns, "a")).expect("a turn");
    let mut second = enter(&turns, "a");
    assert!(called(&mut second).is_none());
    drop(first);
    assert!(called(&mut second).is_some());
}

#[test]
fn who_would_wait_too_many_is_refused_and_who_need_not_wait_is_not() {
    let turns = Turns::new(3, 1, 1);
    let _running = called(&mut enter(&turns, "a")).expect("a turn");
    let waiting = enter(&turns, "a");
    assert_eq!(turns.enter("a").err(), Some(Full));
    let _other = called(&mut enter(&turns, "b")).expect("a turn");
    assert_eq!(turns.enter("b").err(), Some(Full));
    drop(waiting);
    assert!(turns.enter("b").is_ok());
}

#[test]
fn whoever_tries_overtakes_nobody() {
    let turns = Turns::new(2, 2, 16);
    let first = turns.try_turn("a").expect("a turn");
    let second = turns.try_turn("a").expect("a turn");
    assert!(turns.try_turn("a").is_none());
    assert!(turns.try_turn("b").is_none());
    let mut waiting = enter(&turns, "b");
    drop(first);
    // The turn is the other's already, though it has not looked.
    assert!(turns.try_turn("b").is_none());
    assert!(turns.try_turn("c").is_none());
    let turn = called(&mut waiting);
    assert!(turn.is_some());
    drop((turn, second));
    assert!(turns.try_turn("c").is_some());
    assert!(is_empty(&turns));
}

#[test]
fn whoever_is_dropped_when_called_hands_the_turn_on() {
    let turns = Turns::new(1, 1, 16);
    let running = called(&mut enter(&turns, "a")).expect("a turn");
    let mut polled = enter(&turns, "a");
    assert!(called(&mut polled).is_none());
    let unpolled = turns.enter("b").expect("a place");
    let mut last = enter(&turns, "c");
    drop(running);
    drop(polled);
    assert!(called(&mut last).is_none());
    drop(unpolled);
    let turn = called(&mut last).expect("a turn");
    drop(turn);
    assert!(is_empty(&turns));
}

#[test]
fn whoever_leaves_in_the_middle_takes_nothing_along() {
    let turns = Turns::new(1, 1, 16);
    let running = called(&mut enter(&turns, "a")).expect("a turn");
    let first = enter(&turns, "b");
    let mut second = enter(&turns, "b");
    drop(first);
    drop(running);
    assert!(called(&mut second).is_some());
    drop(second);
    assert!(is_empty(&turns));
}

fn enter_spare(turns: &Turns, origin: &str) -> (Calling, Spare) {
    let (waiting, spare) = turns.enter_spare(origin).expect("a place");
    (calling(waiting), spare)
}

#[test]
fn a_spare_turn_is_given_while_no_client_waits() {
    let turns = Turns::new(2, 1, 16);
    let client = called(&mut enter(&turns, "a")).expect("a turn");
    let mut second = enter(&turns, "a");
    assert!(called(&mut second).is_none());
    // A turn is free that the client cannot use; it is a client all the same.
    let (mut spare, _) = enter_spare(&turns, "b");
    assert!(called(&mut spare).is_none());
    drop(client);
    let second = called(&mut second).expect("a turn");
    let turn = called(&mut spare).expect("a turn");
    drop((second, turn));
    assert!(is_empty(&turns));
}

#[test]
fn spare_turns_are_half_of_all_and_half_of_an_origin_s() {
    let turns = Turns::new(8, 4, 16);
    let mut spares: Vec<_> = ["a", "a", "a", "b", "b", "c"]
        .map(|origin| enter_spare(&turns, origin).0)
        .into();
    let running: Vec<_> = spares.iter_mut().map(called).collect();
    let given: Vec<_> = running.iter().map(Option::is_some).collect();
    assert_eq!(given, [true, true, false, true, true, false]);
}

#[test]
fn the_youngest_is_told_to_stop_when_a_client_has_to_wait() {
    let turns = Turns::new(4, 4, 16);
    let (mut old, first) = enter_spare(&turns, "a");
    let (mut young, second) = enter_spare(&turns, "b");
    let (old, young) = (called(&mut old), called(&mut young));
    let _clients = ["c", "c"].map(|origin| called(&mut enter(&turns, origin)).expect("a turn"));
    assert!(!is_told(&first) && !is_told(&second));
    let mut waiting = enter(&turns, "d");
    assert!(called(&mut waiting).is_none());
    assert!(!is_told(&first) && is_told(&second));
    drop(young);
    assert!(called(&mut waiting).is_some());
    assert!(!is_told(&first), "nobody waits any more");
    drop(old);
}

#[test]
fn where_an_origin_is_at_its_bound_one_of_its_own_is_told() {
    let turns = Turns::new(8, 2, 16);
    let (mut of_a, first) = enter_spare(&turns, "a");
    let (mut of_b, second) = enter_spare(&turns, "b");
    let _turns = (called(&mut of_a), called(&mut of_b));
    let _client = called(&mut enter(&turns, "a")).expect("a turn");
    let mut waiting = enter(&turns, "a");
    assert!(called(&mut waiting).is_none());
    assert!(is_told(&first) && !is_told(&second));
}

#[test]
fn a_spare_turn_that_became_a_client_s_stays() {
    let turns = Turns::new(4, 4, 16);
    let spares = ["a", "a"].map(|origin| enter_spare(&turns, origin));
    let [(mut old, first), (mut young, second)] = spares;
    let _turns = (called(&mut old), called(&mut young));
    let _clients = ["b", "b"].map(|origin| called(&mut enter(&turns, origin)).expect("a turn"));
    let mut waiting = enter(&turns, "c");
    assert!(called(&mut waiting).is_none());
    assert!(is_told(&second) && !is_told(&first));
    second.promote();
    assert!(!is_told(&second) && is_told(&first), "another one stops");
    first.promote();
    assert!(!is_told(&first));
}

#[test]
fn who_becomes_a_client_while_it_waits_is_the_last_of_its_origin() {
    let turns = Turns::new(1, 1, 1);
    let running = called(&mut enter(&turns, "a")).expect("a turn");
    let (mut spare, rank) = enter_spare(&turns, "a");
    let mut client = enter(&turns, "a");
    // As many wait as may; it is let in all the same.
    rank.promote();
    assert_eq!(turns.enter("a").err(), Some(Full));
    assert!(called(&mut spare).is_none() && called(&mut client).is_none());
    drop(running);
    assert!(called(&mut spare).is_none());
    drop(called(&mut client).expect("a turn"));
    drop(called(&mut spare).expect("a turn"));
    assert!(is_empty(&turns));
}

#[test]
fn so_many_wait_for_spare_turns_and_no_more() {
    let turns = Turns::new(1, 1, 0);
    let running = called(&mut enter(&turns, "a")).expect("a turn");
    let mut waiting: Vec<_> = (0..WAITING).map(|_| enter_spare(&turns, "a")).collect();
    assert!(turns.enter_spare("b").is_err());
    drop(waiting.pop());
    let last = turns.enter_spare("b");
    assert!(last.is_ok() && turns.enter_spare("b").is_err());
    drop((running, waiting, last));
    assert!(is_empty(&turns));
}

/// Tasks on several threads that give up while others hand turns on. A lost turn would be found
/// in the queue at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_turn_is_lost_between_threads() {
    const TASKS: usize = 48;
    const ROUNDS: usize = 200;
    let turns = Turns::new(3, 2, TASKS);
    let (running, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks = (0..TASKS).map(|task| {
        let (turns, running, taken) = (turns.clone(), running.clone(), taken.clone());
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let waiting = turns.enter(["a", "b", "c"][task % 3]).expect("a place");
                let mut turn = pin!(waiting.turn());
                for _ in 0..(task + round) % 7 {
                    if let Poll::Ready(_turn) = futures::poll!(turn.as_mut()) {
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 3);
                        tokio::task::yield_now().await;
                        running.fetch_sub(1, Ordering::SeqCst);
                        taken.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a task that ends");
    }
    assert!(taken.load(Ordering::SeqCst) > 0);
    assert!(is_empty(&turns));
}
