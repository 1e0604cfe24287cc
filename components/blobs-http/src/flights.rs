//! Flights within an instance. Instances share nothing but the key-value store, which has no
//! compare-and-swap and nothing to wait on, and where answers must not be: some are tokens. So
//! everyone leads who is alone in an instance; what a flight gets is small, and asked twice it is
//! as right.

use crate::Component;
use crate::bindings::exports::ledge::edge::flights::{Guest, GuestLead, Lead, Role};
use futures::channel::oneshot::{self, Receiver, Sender};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The longest answer (`wit/flights.wit`).
const ANSWER: usize = 64 << 10;

thread_local! {
    /// Who waits for each flight that is under way.
    static WAITING: RefCell<BTreeMap<String, Vec<Sender<Vec<u8>>>>> = const { RefCell::new(BTreeMap::new()) };
}

/// The duty to get an answer. Dropped without one, it is the next one's.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the bindings show it")]
pub struct Leading {
    key: String,
}

impl Guest for Component {
    type Lead = Leading;

    async fn join(key: String) -> Role {
        loop {
            let Some(answer) = enter(&key) else {
                return Role::Leads(Lead::new(Leading { key }));
            };
            if let Ok(answer) = answer.await {
                return Role::Follows(answer);
            }
        }
    }
}

impl GuestLead for Leading {
    fn land(this: Lead, answer: Vec<u8>) {
        let leading = this.into_inner::<Self>();
        if answer.len() > ANSWER {
            return;
        }
        for waiting in leave(&leading.key) {
            // Who gave up meanwhile needs no answer.
            drop(waiting.send(answer.clone()));
        }
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        // Those who wait hear that there is no answer. After a landing there are none.
        drop(leave(&self.key));
    }
}

/// Where to wait for the flight; `None` if it starts now.
fn enter(key: &str) -> Option<Receiver<Vec<u8>>> {
    WAITING.with_borrow_mut(|flights| {
        if let Some(waiting) = flights.get_mut(key) {
            let (sender, receiver) = oneshot::channel();
            waiting.push(sender);
            return Some(receiver);
        }
        flights.insert(key.to_owned(), Vec::new());
        None
    })
}

/// Ends the flight. Those who waited for it.
fn leave(key: &str) -> Vec<Sender<Vec<u8>>> {
    WAITING.with_borrow_mut(|flights| flights.remove(key).unwrap_or_default())
}
