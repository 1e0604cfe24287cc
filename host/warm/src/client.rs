//! Requests to the mirror.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CACHE_STATUS, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client as Pooled, Error as PooledError};
use hyper_util::rt::TokioExecutor;
use ledge_core::digest::{Algorithm, Digest};
use ledge_core::hash;
use ledge_core::manifest::MAX_MANIFEST;
use ledge_core::media_type::ACCEPT_MANIFESTS;
use ledge_core::reference::Reference;
use rustls::{ClientConfig, RootCertStore};

use crate::contents::Blob;
use crate::failure::{Failure, Refusal};
use crate::mirror::Mirror;
use crate::progress::Watch;
use ledge_core::image::Image;

/// Until a connection stands: three lost packets are survived.
const CONNECT: Duration = Duration::from_secs(10);

/// Until the header of an answer is in. A mirror takes up to 25 s (`limits.request_timeout`); this
/// leaves as much for what may stand before it.
const HEADER: Duration = Duration::from_secs(60);

/// How long a body may stand still. A mirror whose origin broke off tries again for some 20 s, each
/// time for up to 30 s (`limits.upstream_idle_timeout`).
const IDLE: Duration = Duration::from_secs(120);

/// Most bytes of a refusal that are read; the specification's errors have some hundred.
const MAX_REFUSAL: u64 = 64 << 10;

/// A manifest as it came.
pub(crate) struct Got {
    pub(crate) digest: Digest,
    pub(crate) bytes: Bytes,
    /// Whether the mirror had it.
    pub(crate) hit: bool,
}

pub(crate) struct Client {
    http: Pooled<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    mirror: Mirror,
}

impl Client {
    pub(crate) fn new(mirror: Mirror) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&mirror)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let http = Pooled::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, mirror })
    }

    /// Asks whether there is a registry (OCI distribution specification 1.1, "Determining
    /// Support"). One that answers 401 is one.
    pub(crate) async fn ping(&self) -> Result<(), Failure> {
        match self.send(Method::GET, "/v2/", "the mirror").await {
            Err(Failure::Refused { answer, .. }) if answer.status == 401 => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Gets a manifest and verifies it.
    pub(crate) async fn manifest(
        &self,
        image: &Image,
        reference: &Reference,
    ) -> Result<Got, Failure> {
        let asked = format!("manifest {reference}");
        let path = path(image, "manifests", reference.as_str());
        let response = self.send(Method::GET, &path, &asked).await?;
        let hit = is_hit(response.headers());
        let expected = match reference {
            Reference::Digest(digest) => Some(digest.clone()),
            Reference::Tag(_) => said_digest(response.headers()),
        };
        let bytes = small(response.into_body(), &asked).await?;
        let algorithm = expected
            .as_ref()
            .map_or(Algorithm::Sha256, Digest::algorithm);
        let found = hash::digest(algorithm, &bytes);
        if expected.is_some_and(|expected| expected != found) {
            return Err(Failure::WrongDigest { asked, found });
        }
        Ok(Got {
            digest: found,
            bytes,
            hit,
        })
    }

    /// Gets a blob and throws its bytes away. Says whether the mirror had it, and its length.
    pub(crate) async fn blob(
        &self,
        image: &Image,
        blob: &Blob,
        watch: &impl Watch,
    ) -> Result<(bool, u64), Failure> {
        let asked = format!("blob {}", blob.digest);
        let path = path(image, "blobs", blob.digest.as_str());
        let response = self.send(Method::GET, &path, &asked).await?;
        let hit = is_hit(response.headers());
        let mut reading = Reading::new(response.into_body(), &asked);
        let outcome = reading.past(blob.size, watch).await;
        if outcome.is_err() {
            watch.lost(reading.came);
        }
        outcome.map(|()| (hit, reading.came))
    }

    /// Asks for a blob that is there through another repository: the mirror learns that this one
    /// shows it too. No byte is sent.
    pub(crate) async fn show(&self, image: &Image, blob: &Blob) -> Result<(), Failure> {
        let asked = format!("blob {}", blob.digest);
        let path = path(image, "blobs", blob.digest.as_str());
        self.send(Method::HEAD, &path, &asked).await.map(|_| ())
    }

    /// Sends a request. Whatever is no success is a failure.
    async fn send(
        &self,
        method: Method,
        path: &str,
        asked: &str,
    ) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.mirror))
            .header(ACCEPT, ACCEPT_MANIFESTS)
            .header(
                USER_AGENT,
                concat!("ledge-warm/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::new())
            .map_err(|error| Failure::Unreachable(error.to_string()))?;
        let sent = tokio::time::timeout(HEADER, self.http.request(request)).await;
        let response = match sent {
            Ok(answered) => answered.map_err(|error| unreachable(&error))?,
            Err(_) => return Err(silent(asked, HEADER)),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::Refused {
            asked: asked.to_owned(),
            answer: refusal(response).await,
        })
    }
}

/// `ns` is how containerd names the registry to a mirror.
fn path(image: &Image, kind: &str, reference: &str) -> String {
    let (repository, registry) = (image.repository(), image.registry());
    format!("/v2/{repository}/{kind}/{reference}?ns={registry}")
}

/// A body on its way.
struct Reading<'a> {
    body: Incoming,
    asked: &'a str,
    came: u64,
}

impl<'a> Reading<'a> {
    fn new(body: Incoming, asked: &'a str) -> Self {
        Self {
            body,
            asked,
            came: 0,
        }
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let frame = match tokio::time::timeout(IDLE, self.body.frame()).await {
                Err(_) => return Err(silent(self.asked, IDLE)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => {
                    return Err(Failure::Cut {
                        asked: self.asked.to_owned(),
                        bytes: self.came,
                    });
                }
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(bytes) = frame.into_data() {
                self.came += bytes.len() as u64;
                return Ok(Some(bytes));
            }
        }
    }

    /// Reads to the end, which must be where the manifest says.
    async fn past(&mut self, size: Option<u64>, watch: &impl Watch) -> Result<(), Failure> {
        while let Some(bytes) = self.chunk().await? {
            watch.came(bytes.len() as u64);
            if size.is_some_and(|size| self.came > size) {
                break;
            }
        }
        match size {
            Some(said) if said != self.came => Err(Failure::WrongLength {
                asked: self.asked.to_owned(),
                said,
                came: self.came,
            }),
            _ => Ok(()),
        }
    }
}

/// The bytes of a manifest.
async fn small(body: Incoming, asked: &str) -> Result<Bytes, Failure> {
    let mut reading = Reading::new(body, asked);
    let mut bytes = BytesMut::new();
    while let Some(chunk) = reading.chunk().await? {
        if reading.came > u64::from(MAX_MANIFEST) {
            return Err(Failure::TooLarge {
                asked: asked.to_owned(),
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// What the mirror says. If its words do not arrive, the status is enough.
async fn refusal(response: Response<Incoming>) -> Refusal {
    let status = response.status();
    let after = header(response.headers(), RETRY_AFTER.as_str()).map(str::to_owned);
    let mut reading = Reading::new(response.into_body(), "");
    let mut bytes = BytesMut::new();
    while let Ok(Some(chunk)) = reading.chunk().await {
        bytes.extend_from_slice(&chunk);
        if reading.came > MAX_REFUSAL {
            break;
        }
    }
    Refusal::read(status, after.as_deref(), &bytes)
}

/// RFC 9211, section 2: the last member is of the cache that is nearest to us.
fn is_hit(headers: &HeaderMap) -> bool {
    let last = headers.get_all(CACHE_STATUS).iter().next_back();
    let text = last
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let nearest = text.rsplit(',').next().unwrap_or_default();
    nearest
        .split(';')
        .skip(1)
        .any(|member| member.trim() == "hit")
}

/// What the mirror says that a tag means. It need not say it.
fn said_digest(headers: &HeaderMap) -> Option<Digest> {
    Digest::parse(header(headers, "docker-content-digest")?).ok()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn silent(asked: &str, bound: Duration) -> Failure {
    Failure::Silent {
        asked: asked.to_owned(),
        seconds: bound.as_secs(),
    }
}

/// With the whole chain of causes: "Connection refused" is at its end.
fn unreachable(error: &PooledError) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.ends_with(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    Failure::Unreachable(text)
}

/// A mirror behind TLS is believed as the system's own programs would.
fn tls(mirror: &Mirror) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    if mirror.is_https() {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_cache_says_whether_it_was_a_hit() {
        let rows: [(&[&str], bool); 9] = [
            (&[], false),
            (&["ledge; hit"], true),
            (&["ledge;hit;ttl=30"], true),
            (&["ledge; hit; detail=stale"], true),
            (&["ledge; fwd=miss; stored"], false),
            (&["far; hit, ledge; fwd=miss"], false),
            (&["far; fwd=miss, ledge; hit"], true),
            (&["far; hit", "ledge; fwd=stale"], false),
            (&["hit"], false),
        ];
        for (values, hit) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CACHE_STATUS, value.parse().expect("a value"));
            }
            assert_eq!(is_hit(&headers), hit, "{values:?}");
        }
    }

    #[test]
    fn the_registry_is_named_as_containerd_does() {
        let image = Image::parse("[::1]:5000/a/b:v1").expect("an image");
        let path = path(&image, "manifests", "v1");
        assert_eq!(path, "/v2/a/b/manifests/v1?ns=[::1]:5000");
        let uri = format!("http://127.0.0.1:5000{path}").parse::<http::Uri>();
        assert_eq!(uri.expect("a URI").query(), Some("ns=[::1]:5000"));
    }
}
