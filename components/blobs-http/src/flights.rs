//! Everyone leads. Instances share nothing but the key-value store, which has no compare-and-swap
//! and nothing to wait on; what a flight gets is small, and asked twice it is as right.

use crate::Component;
use crate::bindings::exports::ledge::edge::flights::{Guest, GuestLead, Lead, Role};

/// A lead that nobody waits for.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the bindings show it")]
pub struct Alone;

impl Guest for Component {
    type Lead = Alone;

    async fn join(_key: String) -> Role {
        Role::Leads(Lead::new(Alone))
    }
}

impl GuestLead for Alone {
    fn land(_this: Lead, _answer: Vec<u8>) {}
}
