//! Instances of the component: made when all are busy, reused as Spin reuses those of WASI 0.3
//! (`crates/trigger-http/src/server.rs`).

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Interval, MissedTickBehavior, interval};
use wasmtime::component::GuestTaskId;
use wasmtime::{Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::arguments::Reuse;
use crate::instance::{Equipment, State};

/// How often an instance's age is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Makes instances.
pub(crate) struct Instances {
    pub(crate) equipment: Equipment,
    pub(crate) component: ServicePre<State>,
    pub(crate) reuse: Reuse,
    /// How long a request may take, and what it leaves behind.
    pub(crate) request_timeout: Option<Duration>,
}

impl HandlerState for Instances {
    type StoreData = State;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Instance<State, Expiration, Worker>> {
        let mut store = self.equipment.store();
        let proxy = Proxy::P3(self.component.instantiate_async(&mut store).await?);
        Ok(Instance {
            store,
            proxy,
            view: State::http,
            expiration: Expiration::new(self.reuse.idle_instance_timeout, self.request_timeout),
            state: Worker(self.reuse),
        })
    }
}

/// What one instance accepts.
pub(crate) struct Worker(Reuse);

impl WorkerState for Worker {
    type StoreData = State;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        if total >= self.0.max_instance_reuse_count {
            ShouldAccept::Never
        } else if concurrent >= self.0.max_instance_concurrent_reuse_count {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, State>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(pending())
    }

    fn drop(&self, store: Store<State>, result: wasmtime::Result<()>) {
        if let Err(error) = result {
            eprintln!("an instance ended: {error:#}");
        }
        drop(store);
    }
}

/// When an instance has to go.
pub(crate) struct Expiration {
    idle: Duration,
    request: Option<Duration>,
    look: Pin<Box<Interval>>,
}

impl Expiration {
    fn new(idle: Duration, request: Option<Duration>) -> Self {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let look = Box::pin(look);
        Self {
            idle,
            request,
            look,
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
        let limit = match status {
            WorkerStatus::Idle => Some(self.idle),
            WorkerStatus::Requests | WorkerStatus::PostReturn => self.request,
        };
        while self.look.poll_tick(cx).is_ready() {
            if limit.is_some_and(|limit| start.elapsed() > limit) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}
