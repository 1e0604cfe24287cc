//! A run: images to manifests, manifests to blobs, each blob once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use ledge_core::digest::Digest;
use ledge_core::reference::Reference;
use tokio::sync::{Mutex as Held, Semaphore};
use tokio::time::Instant;

use crate::client::{Client, Got};
use crate::contents::{Blob, Contents, contents};
use crate::failure::Failure;
use crate::options::Options;
use crate::progress::Watch;
use crate::report::{Row, Summary};
use ledge_core::image::Image;

/// Why no image could be tried.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// There is no mirror.
    #[error("{mirror}: {failure}{}", .failure.hint().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Mirror {
        /// Its URL.
        mirror: String,
        /// What happened.
        failure: Failure,
    },
    /// There can be no TLS.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
}

/// Pulls images through a mirror. Each manifest is read, each blob pulled once; one that several
/// repositories show is asked for by HEAD through the others, so that the mirror knows it.
///
/// # Errors
/// There is no mirror to ask. What fails for one image is in its row.
pub async fn warm(
    images: &[Image],
    options: &Options,
    watch: &impl Watch,
) -> Result<Summary, WarmError> {
    let client = Client::new(options.mirror.clone())?;
    client.ping().await.map_err(|failure| WarmError::Mirror {
        mirror: options.mirror.to_string(),
        failure,
    })?;
    let run = Run {
        client,
        options,
        watch,
        turns: Semaphore::new(options.jobs.get()),
        blobs: Mutex::default(),
        started: Instant::now(),
    };
    let rows = join_all(images.iter().map(|image| run.image(image))).await;
    Ok(Summary {
        rows,
        elapsed: run.started.elapsed(),
    })
}

/// The repositories through which a blob was asked for with success. Whoever holds it asks now.
type Shown = Arc<Held<HashSet<String>>>;

struct Run<'a, W> {
    client: Client,
    options: &'a Options,
    watch: &'a W,
    turns: Semaphore,
    blobs: Mutex<HashMap<Digest, Shown>>,
    started: Instant,
}

/// How a blob came to be in the mirror.
#[derive(Clone, Copy)]
enum Way {
    /// It was there.
    Present,
    /// The mirror fetched it now.
    Fetched,
    /// Another image of this run brought it.
    Shared,
}

impl<W: Watch> Run<'_, W> {
    async fn image(&self, image: &Image) -> Row {
        let mut row = Row {
            image: image.clone(),
            digest: None,
            platforms: Vec::new(),
            objects: 0,
            bytes: 0,
            present: 0,
            shared: 0,
            after: Duration::ZERO,
            dry: self.options.dry_run,
            failure: None,
        };
        let platforms = &self.options.platforms;
        let get = async |reference: &Reference| self.manifest(image, reference).await;
        match contents(image.reference(), platforms, get).await {
            Ok(contents) => self.pull(contents, &mut row).await,
            Err(failure) => row.failure = Some(failure),
        }
        row.after = self.started.elapsed();
        self.watch.done(&row);
        row
    }

    async fn pull(&self, contents: Contents, row: &mut Row) {
        row.digest = Some(contents.digest);
        row.platforms = contents.platforms;
        row.failure = contents.lacks;
        row.objects = contents.manifests.len() + contents.blobs.len();
        for manifest in contents.manifests {
            row.count(
                manifest.bytes,
                if manifest.hit {
                    Way::Present
                } else {
                    Way::Fetched
                },
            );
        }
        if self.options.dry_run {
            let sizes = contents.blobs.iter().filter_map(|blob| blob.size);
            row.bytes = sizes.fold(row.bytes, u64::saturating_add);
            return;
        }
        let pulls = contents
            .blobs
            .iter()
            .map(|blob| self.blob(&row.image, blob));
        for pulled in join_all(pulls).await {
            match pulled {
                Ok((way, bytes)) => row.count(bytes, way),
                // What failed first is in most cases why the others did.
                Err(failure) => row.failure = row.failure.take().or(Some(failure)),
            }
        }
    }

    async fn manifest(&self, image: &Image, reference: &Reference) -> Result<Got, Failure> {
        let got = self
            .persist(async || self.client.manifest(image, reference).await)
            .await?;
        let bytes = got.bytes.len() as u64;
        self.watch.expects(bytes);
        self.watch.came(bytes);
        Ok(got)
    }

    /// Pulls a blob, or waits for whoever pulls it already.
    async fn blob(&self, image: &Image, blob: &Blob) -> Result<(Way, u64), Failure> {
        let place = format!("{}/{}", image.registry(), image.repository());
        let size = blob.size.unwrap_or_default();
        let shown = self.shown(blob);
        let mut shown = shown.lock().await;
        if shown.contains(&place) {
            return Ok((Way::Shared, size));
        }
        let pulled = if shown.is_empty() {
            let get = async || self.client.blob(image, blob, self.watch).await;
            let (hit, bytes) = self.persist(get).await?;
            (if hit { Way::Present } else { Way::Fetched }, bytes)
        } else {
            self.persist(async || self.client.show(image, blob).await)
                .await?;
            (Way::Shared, size)
        };
        shown.insert(place);
        Ok(pulled)
    }

    fn shown(&self, blob: &Blob) -> Shown {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shown) = blobs.get(&blob.digest) {
            return shown.clone();
        }
        self.watch.expects(blob.size.unwrap_or_default());
        blobs.entry(blob.digest.clone()).or_default().clone()
    }

    /// Asks, in turn, and again while that makes sense. No turn is kept while it waits.
    async fn persist<T>(&self, ask: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
        let retries = self.options.retries;
        let mut waits = retries.waits();
        loop {
            let answer = {
                let _turn = self.turns.acquire().await;
                ask().await
            };
            let failure = match answer {
                Err(failure) if failure.may_pass() => failure,
                other => return other,
            };
            let Some(wait) = waits.next() else {
                return Err(failure);
            };
            tokio::time::sleep(
                failure
                    .wait()
                    .map_or(wait, |asked| asked.min(retries.longest)),
            )
            .await;
        }
    }
}

impl Row {
    fn count(&mut self, bytes: u64, way: Way) {
        self.bytes = self.bytes.saturating_add(bytes);
        match way {
            Way::Present => self.present = self.present.saturating_add(bytes),
            Way::Shared => self.shared = self.shared.saturating_add(bytes),
            Way::Fetched => {}
        }
    }
}
