//! `ledge:edge/flights`: one at a time, by key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;
use wasmtime::component::{Accessor, HasData, Resource, ResourceTable};

use crate::bindings::ledge::edge::flights::{Host, HostLead, HostWithStore, Role};

/// The longest answer: the bound of the interface.
const ANSWER_BYTES: usize = 64 * 1024;
/// The longest key: the bound of the interface.
const KEY_BYTES: usize = 1024;

type Table = HashMap<String, watch::Receiver<Option<Bytes>>>;

/// The flights that are in the air. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Flights(Arc<Mutex<Table>>);

/// What a caller is to do.
#[derive(Debug)]
pub(crate) enum Joined {
    Leads(Lead),
    Follows(Bytes),
}

/// The right to land a flight. Dropped without, the next one who waits leads.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub struct Lead {
    flights: Flights,
    key: String,
    answer: watch::Sender<Option<Bytes>>,
}

impl Flights {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the flight of `key`, or starts it.
    pub(crate) async fn join(&self, key: &str) -> Joined {
        loop {
            let mut answer = match self.lead_or_watch(key) {
                Ok(lead) => return Joined::Leads(lead),
                Err(watch) => watch,
            };
            // An error says that the leader went without landing: look again.
            if let Ok(landed) = answer.wait_for(Option::is_some).await {
                return Joined::Follows(landed.clone().unwrap_or_default());
            }
        }
    }

    fn lead_or_watch(&self, key: &str) -> Result<Lead, watch::Receiver<Option<Bytes>>> {
        let mut table = self.table();
        if let Some(watch) = table.get(key) {
            return Err(watch.clone());
        }
        let (answer, watch) = watch::channel(None);
        table.insert(key.to_owned(), watch);
        Ok(Lead {
            flights: self.clone(),
            key: key.to_owned(),
            answer,
        })
    }
}

impl Lead {
    /// Ends the flight: everybody who waits gets `answer`.
    pub(crate) fn land(self, answer: Bytes) {
        if answer.len() <= ANSWER_BYTES {
            self.answer.send_replace(Some(answer));
        }
    }
}

impl Drop for Lead {
    /// Off the table first: whoever is woken by the end must not find it there.
    fn drop(&mut self) {
        self.flights.table().remove(&self.key);
    }
}

/// A borrow of what the interface needs.
pub(crate) struct FlightsView<'a> {
    pub(crate) flights: &'a Flights,
    pub(crate) table: &'a mut ResourceTable,
}

pub(crate) struct HasFlights;

impl HasData for HasFlights {
    type Data<'a> = FlightsView<'a>;
}

impl Host for FlightsView<'_> {}

impl HostLead for FlightsView<'_> {
    fn land(&mut self, lead: Resource<Lead>, answer: Vec<u8>) -> wasmtime::Result<()> {
        self.table.delete(lead)?.land(answer.into());
        Ok(())
    }

    fn drop(&mut self, lead: Resource<Lead>) -> wasmtime::Result<()> {
        self.table.delete(lead)?;
        Ok(())
    }
}

impl<T: Send> HostWithStore<T> for HasFlights {
    async fn join(accessor: &Accessor<T, Self>, key: String) -> wasmtime::Result<Role> {
        if key.len() > KEY_BYTES {
            return Err(wasmtime::format_err!(
                "a flight's key is at most {KEY_BYTES} bytes"
            ));
        }
        let flights = accessor.with(|mut access| access.get().flights.clone());
        match flights.join(&key).await {
            Joined::Follows(answer) => Ok(Role::Follows(answer.into())),
            Joined::Leads(lead) => {
                accessor.with(|mut access| Ok(Role::Leads(access.get().table.push(lead)?)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::poll;
    use std::pin::pin;

    async fn lead(flights: &Flights) -> Lead {
        match flights.join("key").await {
            Joined::Leads(lead) => lead,
            Joined::Follows(answer) => panic!("follows {answer:?}"),
        }
    }

    #[tokio::test]
    async fn everybody_who_waits_gets_the_answer() {
        let flights = Flights::default();
        let leader = lead(&flights).await;
        let mut first = pin!(flights.join("key"));
        let mut second = pin!(flights.join("key"));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        leader.land("answer".into());
        assert!(matches!(first.await, Joined::Follows(answer) if answer == "answer"));
        assert!(matches!(second.await, Joined::Follows(answer) if answer == "answer"));
        drop(lead(&flights).await);
    }

    #[tokio::test]
    async fn when_the_leader_goes_one_who_waits_leads() {
        let flights = Flights::default();
        let leader = lead(&flights).await;
        let mut first = pin!(flights.join("key"));
        let mut second = pin!(flights.join("key"));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(leader);
        let Joined::Leads(next) = first.await else {
            panic!("nobody leads")
        };
        assert!(poll!(&mut second).is_pending());
        next.land("second".into());
        assert!(matches!(second.await, Joined::Follows(answer) if answer == "second"));
    }

    #[tokio::test]
    async fn an_answer_over_the_bound_is_as_if_dropped() {
        let flights = Flights::default();
        let leader = lead(&flights).await;
        let mut waiting = pin!(flights.join("key"));
        assert!(poll!(&mut waiting).is_pending());
        leader.land(vec![0; ANSWER_BYTES + 1].into());
        assert!(matches!(waiting.await, Joined::Leads(_)));
    }

    #[tokio::test]
    async fn keys_do_not_meet() {
        let flights = Flights::default();
        let _one = lead(&flights).await;
        assert!(matches!(flights.join("other").await, Joined::Leads(_)));
    }
}
