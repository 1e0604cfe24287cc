//! Leases: which node does what all of them want done once.
//!
//! A lease is a key that expires, and its value names the holder like no other. Whoever renews or gives back one says
//! that value, so that a node that slept through its lease takes nothing from the next holder. Objects are named by
//! what they hold: two nodes that think that they hold the same lease do the same work twice, and no harm.

use std::time::Duration;

use redis::{Cmd, cmd};

use crate::server::Server;

/// How long a lease lasts that is not renewed: so long others wait for a holder that died, unless they find that
/// out themselves.
pub const TERM: Duration = Duration::from_secs(10);

/// Keys: the lease. Arguments: the value, its term in milliseconds, a value that may be replaced.
/// Answers the value of who has it, or nothing if that is the caller from now on.
const TAKE: &str = "local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[3] then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false";

/// Keys: the lease. Arguments: the value, its term in milliseconds. Answers whether the caller has it.
const RENEW: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])";

/// Keys: the lease. Arguments: the value.
const GIVE_BACK: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// The leases that nodes take from each other. Clones share the server.
#[derive(Clone, Debug)]
pub struct Leases {
    server: Server,
    /// Before every name.
    prefix: String,
}

/// Why a lease was neither taken nor found: the server is away. The text holds no secret.
#[derive(Debug, thiserror::Error)]
#[error("{server} does not answer: {reason}")]
pub struct LeaseError {
    server: String,
    reason: String,
}

impl Leases {
    pub(crate) fn new(server: Server, prefix: &str) -> Self {
        Self {
            server,
            prefix: format!("{prefix}lease:"),
        }
    }

    /// Takes the lease with this value, for [`TERM`]. If somebody has it, the answer is their value; unless it is
    /// `instead_of`, which is replaced.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn take(
        &self,
        name: &str,
        value: &str,
        instead_of: Option<&str>,
    ) -> Result<Option<String>, LeaseError> {
        let mut take = self.script(TAKE, name);
        take.arg(value).arg(TERM.as_millis() as u64);
        // No value is empty, so that replaces none.
        take.arg(instead_of.unwrap_or_default());
        self.ask(&take).await
    }

    /// Has it for another [`TERM`]; false if it is somebody else's now.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn renew(&self, name: &str, value: &str) -> Result<bool, LeaseError> {
        let mut renew = self.script(RENEW, name);
        self.ask(renew.arg(value).arg(TERM.as_millis() as u64))
            .await
    }

    /// Leaves it to others, if it is still the caller's.
    ///
    /// # Errors
    /// [`LeaseError`]
    pub async fn give_back(&self, name: &str, value: &str) -> Result<(), LeaseError> {
        self.ask(self.script(GIVE_BACK, name).arg(value)).await
    }

    fn script(&self, script: &str, name: &str) -> Cmd {
        let mut command = cmd("EVAL");
        command.arg(script).arg(1);
        command.arg([self.prefix.as_str(), name].concat());
        command
    }

    /// The server's own words may repeat what it was sent, so only their kind is told.
    async fn ask<T: redis::FromRedisValue>(&self, command: &Cmd) -> Result<T, LeaseError> {
        let answer = self.server.ask(command).await;
        answer.map_err(|error| LeaseError {
            server: self.server.name().to_owned(),
            reason: error.code().unwrap_or(error.category()).to_owned(),
        })
    }
}
