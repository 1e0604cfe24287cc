//! In which order an upstream's endpoints are asked, and what their answers say of them: kept in
//! memory for all instances. Losing it costs a question.

use crate::context::now;
use crate::records::{self, Label};
use ledge_core::health::{Circuit, Health, Order, Outcome, order};
use ledge_core::key;
use ledge_core::quota::Quota;
use ledge_core::upstream::Upstream;
use ledge_core::uri::Endpoint;

/// The order in which to ask. Whoever asks a half-open endpoint takes its probe.
pub(crate) async fn in_order(upstream: &Upstream) -> Order {
    let mut known = Vec::with_capacity(upstream.endpoints().len());
    for endpoint in upstream.endpoints() {
        known.push(health(upstream, endpoint).await);
    }
    order(&known, now())
}

/// Notes how a try ended. That an endpoint is well is not written down.
pub(crate) async fn ended(upstream: &Upstream, endpoint: &Endpoint, outcome: Outcome) {
    let before = health(upstream, endpoint).await;
    let after = before.after(outcome, now());
    if after == before {
        return;
    }
    let key = key::health(upstream, endpoint);
    if after == Health::default() {
        eprintln!("upstream {}: {endpoint} answers again", upstream.name());
        records::delete(Label::Volatile, &key).await;
        return;
    }
    let is_closed = |health: Health| health.circuit(now()) == Circuit::Closed;
    if is_closed(before) && !is_closed(after) {
        eprintln!(
            "upstream {}: {endpoint} failed time after time and is left alone for a while",
            upstream.name()
        );
    }
    records::set(Label::Volatile, &key, &after.encode()).await;
}

/// Takes the probe of a half-open endpoint: for others it is open meanwhile.
pub(crate) async fn tried(upstream: &Upstream, endpoint: &Endpoint) {
    let known = health(upstream, endpoint).await;
    if known.circuit(now()) == Circuit::HalfOpen {
        let key = key::health(upstream, endpoint);
        records::set(Label::Volatile, &key, &known.probed(now()).encode()).await;
    }
}

/// For how many seconds who has a copy need not ask: the origin asked for it, or no endpoint
/// is likely to answer.
pub(crate) async fn resting(upstream: &Upstream) -> Option<u64> {
    if let Some(rest) = quota(upstream).await.resting(now()) {
        return Some(rest);
    }
    // A moment: the first endpoint that may be tried is found by the next order.
    (in_order(upstream).await.hopeful == 0).then_some(1)
}

/// What the origin has told of its quota.
pub(crate) async fn quota(upstream: &Upstream) -> Quota {
    let record = records::get(Label::Volatile, &key::quota(upstream)).await;
    record
        .and_then(|bytes| Quota::decode(&bytes))
        .unwrap_or_default()
}

/// Notes what an answer says of the quota.
pub(crate) async fn told(upstream: &Upstream, status: u16, field: impl Fn(&str) -> Option<String>) {
    let before = quota(upstream).await;
    let after = before.learn(status, field, now());
    if after != before {
        records::set(Label::Volatile, &key::quota(upstream), &after.encode()).await;
    }
}

async fn health(upstream: &Upstream, endpoint: &Endpoint) -> Health {
    let record = records::get(Label::Volatile, &key::health(upstream, endpoint)).await;
    record
        .and_then(|bytes| Health::decode(&bytes))
        .unwrap_or_default()
}
