//! One label's records at a server.

use async_trait::async_trait;
use bytes::Bytes;
use ledge_store::{KvError, Records, check_key, check_record};
use redis::{Cmd, RedisError, cmd};

use crate::server::Server;

/// How long a record is kept that is not written again, in seconds: ninety days. A tag that was not
/// asked about for longer does not serve any more (`stale_if_error` is a month), and all else is
/// learned again by one question. So nothing has to be swept.
const LIFE: u64 = 90 * 24 * 3600;

/// How many keys are looked up at once.
const PAGE: usize = 1024;

/// The records of one label.
#[derive(Clone, Debug)]
pub struct Label {
    server: Server,
    /// Before every key.
    prefix: String,
    /// The sorted set of all keys, if they are listed.
    list: Option<String>,
}

impl Label {
    pub(crate) fn new(server: Server, prefix: &str, label: &str) -> Self {
        Self {
            server,
            prefix: format!("{prefix}{label}:"),
            list: None,
        }
    }

    /// The same, where keys can be listed: for labels of few records, which are kept for ever.
    #[must_use]
    pub fn listed(self) -> Self {
        let list = Some(self.prefix.trim_end_matches(':').to_owned());
        Self { list, ..self }
    }

    /// Where the label is, as a URL, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        self.server.name()
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, KvError> {
        let answer = self.server.ask(command).await;
        answer.map_err(|error| self.away(&error))
    }

    /// The server's own words may repeat what it was sent, so only their kind is told.
    fn away(&self, error: &RedisError) -> KvError {
        let reason = match error.code() {
            Some(code) => code.to_owned(),
            None => error.category().to_owned(),
        };
        KvError::Away {
            place: self.place().to_owned(),
            reason,
        }
    }

    fn key(&self, name: &str, key: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg([self.prefix.as_str(), key].concat());
        command
    }
}

#[async_trait]
impl Records for Label {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, KvError> {
        check_key(key)?;
        let value: Option<Vec<u8>> = self.ask(&self.key("GET", key)).await?;
        Ok(value.map(Bytes::from))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), KvError> {
        check_record(key, &value)?;
        let mut set = self.key("SET", key);
        set.arg(&*value);
        match &self.list {
            // The name first: a name without a record is no harm, a record that nobody lists is lost.
            Some(list) => {
                let mut named = cmd("ZADD");
                self.ask::<()>(named.arg(list).arg(0).arg(key)).await?;
            }
            None => drop(set.arg("EX").arg(LIFE)),
        }
        self.ask(&set).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        check_key(key)?;
        self.ask::<()>(&self.key("DEL", key)).await?;
        match &self.list {
            Some(list) => self.ask(cmd("ZREM").arg(list).arg(key)).await,
            None => Ok(()),
        }
    }

    async fn exists(&self, key: &str) -> Result<bool, KvError> {
        check_key(key)?;
        self.ask(&self.key("EXISTS", key)).await
    }

    async fn keys_after(&self, after: Option<&str>, limit: usize) -> Result<Vec<String>, KvError> {
        let list = self.list.as_ref().ok_or(KvError::Unlisted)?;
        let first = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut page = cmd("ZRANGEBYLEX");
        page.arg(list).arg(first).arg("+");
        page.arg("LIMIT").arg(0).arg(limit.min(PAGE));
        self.ask(&page).await
    }
}
