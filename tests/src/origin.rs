//! An origin that does what a test's script says, and remembers every request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;

use crate::body::{self, Body};
use crate::ending::Ending;
use crate::images::{Image, OCI_INDEX, Object};
use crate::listen::{Listener, Service};
use crate::script::{Act, Rule};

mod answer;
mod auth;
mod range;
use answer::{Good, JSON, apply, blob, missing};
pub use auth::{Auth, Grant, TokenService};

/// A running origin.
#[derive(Debug)]
pub struct Origin {
    listener: Listener,
    state: Shared,
}

#[derive(Debug, Clone, Default)]
struct Shared {
    state: Arc<Mutex<State>>,
    /// Answers that are not yet sent, or given up.
    under_way: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    auth: Auth,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    has_referrers: bool,
    ignores_ranges: bool,
    page: Option<usize>,
    tokens: u64,
    /// Tokens up to this number pass no more.
    revoked: u64,
}

#[derive(Debug, Clone, Default)]
struct Repository {
    blobs: BTreeMap<String, Object>,
    manifests: BTreeMap<String, Object>,
    /// In the order of their making, as Debian's registry lists them: unsorted.
    tags: Vec<String>,
}

/// A request as the origin saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its method.
    pub method: Method,
    /// Its path and query, but for `ns`: mirrors are told that, and a plain registry passes over it.
    pub path: String,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Seen {
    /// One header field; empty if it is missing or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Origin {
    /// Starts an empty origin that everybody may read.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start() -> Result<Self> {
        let state = Shared::default();
        Ok(Self {
            listener: Listener::start(state.clone()).await?,
            state,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// The absolute URL of a path here.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Puts an image under a tag.
    pub fn put(&self, repository: &str, tag: &str, image: &Image) {
        for blob in &image.blobs {
            self.put_blob(repository, blob);
        }
        for manifest in &image.manifests {
            self.put_manifest(repository, &manifest.digest, manifest);
        }
        self.put_manifest(repository, tag, image.root());
    }

    /// Puts a manifest under a tag or a digest.
    pub fn put_manifest(&self, repository: &str, reference: &str, manifest: &Object) {
        let mut state = self.state.lock();
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository
            .manifests
            .insert(reference.to_owned(), manifest.clone());
        if !reference.contains(':') && !repository.tags.iter().any(|tag| tag == reference) {
            repository.tags.push(reference.to_owned());
        }
    }

    /// Puts one blob.
    pub fn put_blob(&self, repository: &str, blob: &Object) {
        let mut state = self.state.lock();
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(blob.digest.clone(), blob.clone());
    }

    /// From now on asks for this.
    pub fn authenticate(&self, auth: Auth) {
        self.state.lock().auth = auth;
    }

    /// From now on no token passes that was given so far.
    pub fn revoke(&self) {
        let mut state = self.state.lock();
        state.revoked = state.tokens;
    }

    /// From now on has the referrers API.
    pub fn offer_referrers(&self) {
        self.state.lock().has_referrers = true;
    }

    /// From now on gives blobs only whole, and without an ETag.
    pub fn ignore_ranges(&self) {
        self.state.lock().ignores_ranges = true;
    }

    /// From now on lists so many tags a page, with `Link`.
    pub fn page(&self, length: usize) {
        self.state.lock().page = Some(length);
    }

    /// Adds a rule; earlier ones go first.
    pub fn rule(&self, rule: Rule) {
        self.state.lock().rules.push(rule);
    }

    /// Takes every rule back.
    pub fn behave(&self) {
        self.state.lock().rules.clear();
    }

    /// Cuts every answer under way, and refuses connections until it is `up` again.
    ///
    /// # Errors
    /// If somebody else took the port in between.
    pub async fn down(&self) -> Result<()> {
        self.listener.down().await
    }

    /// Takes connections again, on the same port.
    ///
    /// # Errors
    /// If the system refuses.
    pub async fn up(&self) -> Result<()> {
        self.listener.up(self.state.clone()).await
    }

    /// Waits until every answer was sent or given up.
    pub async fn idle(&self) {
        let mut under_way = self.state.under_way.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = under_way.wait_for(|answers| *answers == 0).await;
    }

    /// Every request since the start or the last `forget`.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().seen.clone()
    }

    /// How many requests had this method and a path that contains `part`.
    #[must_use]
    pub fn count(&self, method: &Method, part: &str) -> usize {
        self.state
            .lock()
            .seen
            .iter()
            .filter(|seen| seen.method == method && seen.path.contains(part))
            .count()
    }

    /// Forgets the requests.
    pub fn forget(&self) {
        self.state.lock().seen.clear();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let under_way = UnderWay::new(&self.under_way);
        let ending = request.extensions().get::<Ending>();
        let ending = ending.expect("every connection has one").clone();
        let (head, body) = request.into_parts();
        // Of one that is cut there is nothing to see.
        let body = body.collect().await.map(|body| body.to_bytes());
        let request = Request::from_parts(head, body.unwrap_or_default());
        let act = self.lock().record(&request);
        let good = self.lock().answer(&request);
        let answer = apply(act, good, request.headers(), ending).await;
        answer.map(|body| body::holding(body, under_way))
    }
}

/// Counts an answer from its request to its end.
struct UnderWay(watch::Sender<usize>);

impl UnderWay {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|answers| *answers += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|answers| *answers -= 1);
    }
}

fn asked_for(uri: &Uri) -> String {
    let query = uri.query().unwrap_or_default().split('&');
    let query: Vec<_> = query.filter(|part| !part.starts_with("ns=")).collect();
    match query.join("&").as_str() {
        "" => uri.path().to_owned(),
        query => format!("{}?{query}", uri.path()),
    }
}

impl State {
    fn record(&mut self, request: &Request<Bytes>) -> Option<Act> {
        self.seen.push(Seen {
            method: request.method().clone(),
            path: asked_for(request.uri()),
            headers: request.headers().clone(),
            body: request.body().clone(),
        });
        self.rules
            .iter_mut()
            .find_map(|rule| rule.take(request.method(), request.uri().path()))
    }

    fn answer(&mut self, request: &Request<Bytes>) -> Good {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        if self.auth.is_token_path(path) {
            return self.issue(request);
        }
        let Some(rest) = path.strip_prefix("/v2/") else {
            return missing("NOT_FOUND");
        };
        let (name, kind, reference) = split(rest);
        if let Some(challenge) = self.auth.challenge(request.headers(), name, self.revoked) {
            return Good::new(401, JSON, r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#)
                .field("www-authenticate", &challenge);
        }
        if self.auth.denies(request.headers()) {
            return Good::new(403, JSON, r#"{"errors":[{"code":"DENIED"}]}"#);
        }
        if rest.is_empty() {
            return Good::new(200, JSON, "{}");
        }
        let Some(repository) = self.repositories.get(name) else {
            return missing("NAME_UNKNOWN");
        };
        match kind {
            "blobs" => repository.blobs.get(reference).map_or_else(
                || missing("BLOB_UNKNOWN"),
                |object| blob(object, !self.ignores_ranges),
            ),
            "manifests" => repository
                .manifests
                .get(reference)
                .map_or_else(|| missing("MANIFEST_UNKNOWN"), Good::object),
            "tags" => repository.tags(name, self.page, query),
            "referrers" if self.has_referrers => repository.referrers(reference),
            _ => missing("NOT_FOUND"),
        }
    }

    fn issue(&mut self, request: &Request<Bytes>) -> Good {
        self.tokens += 1;
        let number = self.tokens;
        match self.auth.issue(request, number) {
            Some(token) => Good::new(200, JSON, token),
            None => Good::new(
                401,
                JSON,
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#,
            ),
        }
    }
}

impl Repository {
    fn tags(&self, name: &str, page: Option<usize>, query: &str) -> Good {
        let last = url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == "last")
            .map(|(_, last)| last);
        let Some(length) = page else {
            return Good::new(
                200,
                JSON,
                json!({ "name": name, "tags": self.tags }).to_string(),
            );
        };
        let mut sorted = self.tags.clone();
        sorted.sort();
        sorted.retain(|tag| {
            last.as_ref()
                .is_none_or(|last| tag.as_str() > last.as_ref())
        });
        let more = sorted.len() > length;
        sorted.truncate(length);
        let answer = Good::new(
            200,
            JSON,
            json!({ "name": name, "tags": sorted }).to_string(),
        );
        match sorted.last().filter(|_| more) {
            Some(last) => answer.field(
                "link",
                &format!("</v2/{name}/tags/list?n={length}&last={last}>; rel=\"next\""),
            ),
            None => answer,
        }
    }

    fn referrers(&self, subject: &str) -> Good {
        let mut entries = BTreeMap::new();
        for manifest in self.manifests.values() {
            let parsed: serde_json::Value =
                serde_json::from_slice(&manifest.bytes).unwrap_or_default();
            if parsed["subject"]["digest"] == subject {
                let entry = json!({
                    "mediaType": manifest.media_type, "digest": manifest.digest,
                    "size": manifest.bytes.len(), "artifactType": parsed["artifactType"],
                });
                entries.insert(&manifest.digest, entry);
            }
        }
        let entries: Vec<_> = entries.into_values().collect();
        Good::new(
            200,
            OCI_INDEX,
            json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries }).to_string(),
        )
    }
}

/// `a/b/blobs/x` → (`a/b`, `blobs`, `x`).
fn split(rest: &str) -> (&str, &str, &str) {
    let mut parts = rest.rsplitn(3, '/');
    let (reference, kind) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    (parts.next().unwrap_or_default(), kind, reference)
}

#[cfg(test)]
mod tests;
