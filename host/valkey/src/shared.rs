//! A label that a node shares with others, and goes on with alone while the server is away.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use ledge_store::{KeyValue, KvError, Records};

use crate::away::Away;
use crate::label::Label;

/// Records at a server, and a copy of what this node saw of them beside it.
///
/// What the server says counts, and is noted in the copy. While it is away the copy answers, and
/// takes what is set; that stays this node's own, and is learned again by the others.
#[must_use]
pub fn shared(label: Label, copy: KeyValue) -> Arc<dyn Records> {
    Arc::new(Shared {
        label,
        copy,
        away: Away::new(),
    })
}

struct Shared {
    label: Label,
    copy: KeyValue,
    away: Away,
}

impl Shared {
    /// What the server answered, if it did.
    async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, KvError>>,
    ) -> Result<Option<T>, KvError> {
        if self.away.is_away() {
            return Ok(None);
        }
        match answer.await {
            Ok(answer) => {
                self.away.answered("the shared records");
                Ok(Some(answer))
            }
            Err(error @ KvError::Away { .. }) => {
                self.away.failed(
                    &error,
                    "going on with this node's own copy of the shared records",
                );
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The copy says the same as the server.
    fn note(&self, key: &str, value: Option<&Bytes>) {
        let noted = match (self.copy.get(key), value) {
            (Ok(known), value) if known.as_ref() == value => Ok(()),
            (_, Some(value)) => self.copy.set(key, value.clone()),
            (_, None) => self.copy.delete(key),
        };
        if let Err(error) = noted {
            tracing::warn!(%error, "a shared record is not noted");
        }
    }
}

#[async_trait]
impl Records for Shared {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        match self.ask(self.label.get(key)).await? {
            Some(value) => {
                self.note(key, value.as_ref());
                Ok(value)
            }
            None => self.copy.get(key),
        }
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        self.copy.set(key, value.clone())?;
        self.ask(self.label.set(key, value)).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.copy.delete(key)?;
        self.ask(self.label.delete(key)).await.map(drop)
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        match self.ask(self.label.exists(key)).await? {
            Some(exists) => Ok(exists),
            None => self.copy.exists(key),
        }
    }

    async fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        match self.ask(self.label.keys_after(after, limit)).await? {
            Some(keys) => Ok(keys),
            None => self.copy.keys_after(after, limit),
        }
    }
}
