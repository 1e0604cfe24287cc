//! `ledge:edge/origins`: asking the component for a fresh request, in mid-transfer.
//!
//! That is rare, and the instance that started the transfer may be gone: each call has an
//! instance of its own.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use ledge_transfer::{Refusal, Renew, Renewed};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmtime::component::InstancePre;

use crate::bindings::exports::ledge::edge::origins::GuestIndices;
use crate::blobs::{bodiless, refused};
use crate::instance::{Equipment, InstanceState};

/// How many calls there may be at a time, beside the instances that serve: those may all be
/// taken by clients that wait for this very transfer. A call takes milliseconds, or as long
/// as a token service does; four let one slow service not hold up the others.
pub(crate) const RENEWALS: u32 = 4;

/// Makes instances that renew requests. Clones share it.
#[derive(Clone)]
pub(crate) struct Renewer(Arc<Inner>);

struct Inner {
    equipment: Equipment,
    component: InstancePre<InstanceState>,
    origins: GuestIndices,
    turns: Semaphore,
    timeout: Duration,
}

impl Renewer {
    /// One call takes at most `timeout`, with the wait for its turn.
    ///
    /// # Errors
    /// The component does not export `origins`.
    pub(crate) fn new(
        equipment: Equipment,
        component: InstancePre<InstanceState>,
        timeout: Duration,
    ) -> wasmtime::Result<Self> {
        Ok(Self(Arc::new(Inner {
            equipment,
            origins: GuestIndices::new(&component)?,
            component,
            turns: Semaphore::new(RENEWALS as usize),
            timeout,
        })))
    }

    /// For a transfer whose source came with this ticket.
    pub(crate) fn bind(&self, ticket: Vec<u8>) -> Arc<dyn Renew> {
        Arc::new(Ticket {
            renewer: self.clone(),
            bytes: ticket,
        })
    }

    async fn renew(self, ticket: Vec<u8>, why: Refusal) -> Result<Request<()>, String> {
        match timeout(self.0.timeout, self.ask(ticket, &why)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::error!("the component could not renew a request: {error:#}");
                Err("the component failed".to_owned())
            }
            Err(_) => Err("the component did not answer in time".to_owned()),
        }
    }

    /// What the component says; an error is a trap.
    async fn ask(
        &self,
        ticket: Vec<u8>,
        why: &Refusal,
    ) -> wasmtime::Result<Result<Request<()>, String>> {
        let _turn = self.0.turns.acquire().await?;
        let mut store = self.0.equipment.store(self.clone());
        let instance = self.0.component.instantiate_async(&mut store).await?;
        let origins = self.0.origins.load(&mut store, &instance)?;
        let why = refused(why);
        let call = async |state: &_| match origins.call_renew(state, ticket, why).await? {
            Ok(request) => state.with(|store| bodiless(store, request)).map(Ok),
            Err(words) => Ok(Err(words)),
        };
        store.run_concurrent(call).await?
    }
}

/// A source's ticket, and who reads it.
struct Ticket {
    renewer: Renewer,
    bytes: Vec<u8>,
}

impl Renew for Ticket {
    fn renew(&self, why: Refusal) -> Renewed {
        Box::pin(self.renewer.clone().renew(self.bytes.clone(), why))
    }
}

#[cfg(test)]
mod tests;
