//! The room's door: which credentials an upstream has.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::{Answer, Cache};
use crate::error::CredentialError;
use crate::lookup::Lookup;
use crate::provider::{Account, Resolved};
use crate::secret::Secret;
use crate::surroundings::Surroundings;

/// The credentials of all upstreams. Clones share what is known.
#[derive(Clone)]
pub struct Credentials(Arc<HashMap<String, Source>>);

enum Source {
    /// They do not change while the process runs.
    Fixed(Result<Secret, CredentialError>),
    Asked(Arc<Asked>),
}

/// An upstream whose provider is asked.
struct Asked {
    upstream: String,
    lookup: Lookup,
    surroundings: Arc<dyn Surroundings>,
    cache: Mutex<Cache>,
    /// Held by whoever asks: everybody else waits, and finds the answer.
    turn: tokio::sync::Mutex<()>,
    warned: AtomicBool,
}

impl Credentials {
    /// Credentials that come from there. Nothing is asked yet; variables are read.
    #[must_use]
    pub fn new(
        accounts: impl IntoIterator<Item = Account>,
        surroundings: impl Surroundings,
    ) -> Self {
        let surroundings: Arc<dyn Surroundings> = Arc::new(surroundings);
        let sources = accounts.into_iter().map(|account| {
            let name = account.upstream.clone();
            (name, Source::new(account, &surroundings))
        });
        Self(Arc::new(sources.collect()))
    }

    /// What requests to this upstream are to be authenticated with now; none if it has no account, or its provider has
    /// nothing for it. However many ask, the provider is asked once, and goes on being asked when they hang up.
    /// A helper may take 10 s.
    ///
    /// # Errors
    ///
    /// If the provider fails and there is nothing from before, or that was refused.
    pub async fn get(&self, upstream: &str) -> Result<Option<Secret>, CredentialError> {
        match self.0.get(upstream) {
            None => Ok(None),
            Some(Source::Fixed(answer)) => answer.clone().map(Some),
            Some(Source::Asked(asked)) => Arc::clone(asked).get().await,
        }
    }

    /// An origin answered 401 to a request that was sent with this, or without any. The next `get` asks the provider
    /// again: a file at most once a second, a helper at most every five. Between that, and if the provider says the
    /// same again, `get` goes on giving what was refused: it may be the repository that is closed, and not the
    /// credentials that are wrong.
    pub fn refused(&self, upstream: &str, sent: Option<&Secret>) {
        if let Some(Source::Asked(asked)) = self.0.get(upstream) {
            asked.cache().refused(sent);
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Source {
    fn new(account: Account, surroundings: &Arc<dyn Surroundings>) -> Self {
        match account.provider.resolve(&account.servers, &**surroundings) {
            Resolved::Fixed(answer) => Self::Fixed(answer),
            Resolved::Asked(lookup) => Self::Asked(Arc::new(Asked {
                upstream: account.upstream,
                lookup,
                surroundings: Arc::clone(surroundings),
                cache: Mutex::default(),
                turn: tokio::sync::Mutex::default(),
                warned: AtomicBool::new(false),
            })),
        }
    }
}

impl Asked {
    async fn get(self: Arc<Self>) -> Answer {
        if let Some(answer) = self.fresh() {
            return answer;
        }
        // A task of its own: a client that hangs up does not end what others wait for.
        tokio::spawn(async move { self.refreshed().await })
            .await
            .unwrap_or(Err(CredentialError::Stopped))
    }

    async fn refreshed(&self) -> Answer {
        let _turn = self.turn.lock().await;
        if let Some(answer) = self.fresh() {
            return answer;
        }
        if let Err(error) = self.refresh().await {
            self.failed(error);
        }
        self.cache()
            .answer()
            .unwrap_or(Err(CredentialError::Stopped))
    }

    /// Looks whether the file changed, and asks if need be.
    async fn refresh(&self) -> Result<(), CredentialError> {
        let version = self.lookup.version().await?;
        if self.cache().confirm(self.surroundings.now(), version) {
            return Ok(());
        }
        let looked = self.lookup.ask().await?;
        self.warn_if_open(looked.open_to);
        self.cache().found(self.surroundings.now(), looked.found);
        Ok(())
    }

    /// The first failure of several is told; the others only to who gets them instead of credentials.
    fn failed(&self, error: CredentialError) {
        let text = error.to_string();
        if self.cache().failed(self.surroundings.now(), error) {
            tracing::warn!(
                upstream = self.upstream,
                error = text,
                "no new credentials; the last ones serve if there are any"
            );
        }
    }

    fn warn_if_open(&self, open_to: u32) {
        let Some(path) = self.lookup.path() else {
            return;
        };
        if open_to != 0 && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                upstream = self.upstream,
                path = %path.display(),
                "others than its owner may use this file of credentials: chmod 600 it"
            );
        }
    }

    fn fresh(&self) -> Option<Answer> {
        self.cache().fresh(self.surroundings.now())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
