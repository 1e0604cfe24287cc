//! A store, a client and a scripted origin, and what tests ask of them.

use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_origin::{Client, ClientOptions, EgressRules, UpstreamEgress};
use ledge_store::{BlobStore, StoreOptions};
use ledge_transfer::{Answer, FillError, Source, TransferOptions, Transfers, Want};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::origin::{Origin, Script};

/// More than what is held back, and than one window.
pub(crate) const SIZE: usize = 300_000;

pub(crate) struct Bench {
    pub(crate) origin: Origin,
    pub(crate) transfers: Transfers,
    directory: TempDir,
}

impl Bench {
    pub(crate) async fn new(script: Script) -> Self {
        Self::with(
            script,
            TransferOptions {
                running: 8,
                waiting: 8,
            },
        )
        .await
    }

    pub(crate) async fn with(script: Script, options: TransferOptions) -> Self {
        let origin = Origin::start(script).await;
        let directory = TempDir::new().expect("a directory");
        let store = BlobStore::open(&StoreOptions {
            path: directory.path().to_owned(),
            memory: 0,
        })
        .expect("a store");
        let rules = EgressRules::new(vec![UpstreamEgress {
            name: "test".to_owned(),
            endpoints: vec![url::Url::parse(&origin.url).expect("a URL")],
            trusted_hosts: Vec::new(),
        }]);
        let client = Client::new(rules, ClientOptions::default()).expect("a client");
        Self {
            origin,
            transfers: Transfers::new(store, client, options),
            directory,
        }
    }

    pub(crate) fn source(&self) -> Source {
        self.sources(&["/blob"])
    }

    pub(crate) fn sources(&self, paths: &[&str]) -> Source {
        let request = |path| Request::get(format!("{}{path}", self.origin.url)).body(());
        Source {
            origins: paths
                .iter()
                .map(|path| request(path).expect("a request"))
                .collect(),
            renew: None,
        }
    }

    pub(crate) async fn fill(
        &self,
        bytes: &[u8],
        ranges: &[ByteRange],
    ) -> Result<Answer, FillError> {
        self.transfers
            .fill(want(bytes), self.source(), ranges)
            .await
    }

    /// The whole object. It may fail before its header, if the transfer has failed by then, or after it.
    pub(crate) async fn whole(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let answer = self.fill(bytes, &[]).await.map_err(|e| e.to_string())?;
        body(answer).await.map_err(|e| e.to_string())
    }

    pub(crate) async fn stored(&self, bytes: &[u8]) -> bool {
        let found = self.transfers.store().stat(&digest(bytes)).await;
        found.expect("a store that works").is_some()
    }

    pub(crate) fn partials(&self) -> usize {
        let partial = self.directory.path().join("partial");
        std::fs::read_dir(partial).expect("a directory").count()
    }

    /// Waits until no transfer of `bytes` runs any more: then a fill asks the origin again.
    pub(crate) async fn settled(&self, bytes: &[u8]) {
        while self.transfers.followers(&digest(bytes)).is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits until `number` callers follow the transfer of `bytes`.
    pub(crate) async fn followed_by(&self, bytes: &[u8], number: usize) {
        while self.transfers.followers(&digest(bytes)) != Some(number) {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn content() -> Vec<u8> {
    (0..SIZE).map(|n| (n * 31 % 251) as u8).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes).into())
}

pub(crate) fn want(bytes: &[u8]) -> Want {
    Want {
        digest: digest(bytes),
        size: None,
    }
}

pub(crate) async fn body(answer: Answer) -> Result<Vec<u8>, std::io::Error> {
    Ok(answer.body.collect().await?.to_bytes().to_vec())
}

pub(crate) fn gate() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(0))
}
