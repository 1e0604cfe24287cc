//! Instances of a component: made when all are busy, reused, dropped when idle or stuck.
//!
//! wasmtime's `ProxyHandler` hands requests to them; this file tells it how many
//! there may be, how many requests one takes, and when one has to go.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval};
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::instance::{Equipment, InstanceState};
use crate::renew::Renewer;

/// How many requests one instance takes at a time. Most of them wait, for an origin
/// or for a turn; measured, it makes no difference to what is answered at once.
const CONCURRENT: usize = 128;

/// How many requests one instance serves in its life: often enough that making one
/// costs nothing, seldom enough that a component that leaks does not matter.
const REUSES: usize = 100_000;

/// How long an instance waits for work: about what a burst's tail takes.
const IDLE: Duration = Duration::from_secs(60);

/// How long work may go on after the last answer (a record being written).
const POST_RETURN: Duration = Duration::from_secs(30);

/// What is added to a request's time before its instance is thought stuck: the
/// request itself was given up before that.
const GRACE: Duration = Duration::from_secs(5);

/// How often an instance's age is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// No slot for another instance is free now.
#[derive(Debug, thiserror::Error)]
#[error("every instance is in use")]
pub(crate) struct Full;

/// Makes instances of one component.
pub(crate) struct Pool {
    pub(crate) equipment: Equipment,
    pub(crate) component: ServicePre<InstanceState>,
    pub(crate) renewer: Renewer,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) request_timeout: Duration,
    /// Set when the process ends: then instances go without having failed.
    pub(crate) closing: Arc<AtomicBool>,
}

impl HandlerState for Pool {
    type StoreData = InstanceState;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<InstanceState, Expiration, Worker>> {
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| Full)?;
        let mut store = self.equipment.store(self.renewer.clone());
        let proxy = Proxy::P3(self.component.instantiate_async(&mut store).await?);
        Ok(Instance {
            store,
            proxy,
            view: InstanceState::http,
            expiration: Expiration::new(self.request_timeout),
            state: Worker {
                _slot: slot,
                closing: self.closing.clone(),
            },
        })
    }
}

/// What one instance accepts.
pub(crate) struct Worker {
    /// Given back when the instance is gone.
    _slot: OwnedSemaphorePermit,
    closing: Arc<AtomicBool>,
}

impl WorkerState for Worker {
    type StoreData = InstanceState;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= REUSES {
            ShouldAccept::Never
        } else if concurrent >= CONCURRENT {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    /// Requests are timed outside of the instance, where a busy guest cannot stop the clock.
    fn on_request_start(
        &self,
        _: StoreContextMut<'_, InstanceState>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(pending())
    }

    fn drop(&self, store: Store<InstanceState>, result: wasmtime::Result<()>) {
        if let Err(error) = result
            && !self.closing.load(Ordering::Relaxed)
        {
            tracing::error!("an instance ended: {error:#}");
        }
        drop(store);
    }
}

/// When an instance has to go.
pub(crate) struct Expiration {
    request_timeout: Duration,
    look: Pin<Box<Interval>>,
}

impl Expiration {
    fn new(request_timeout: Duration) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            request_timeout,
            look: Box::pin(look),
        }
    }

    fn limit(&self, status: WorkerStatus) -> Duration {
        match status {
            WorkerStatus::Idle => IDLE,
            WorkerStatus::Requests => self.request_timeout + GRACE,
            WorkerStatus::PostReturn => POST_RETURN,
        }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        status: WorkerStatus,
        start: Instant,
    ) -> Poll<()> {
        while self.look.poll_tick(cx).is_ready() {
            if start.elapsed() > self.limit(status) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
