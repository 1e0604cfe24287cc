//! Answers that need no instance: what the component lets the host repeat.
//!
//! A response that carries `Surrogate-Control: max-age=SECONDS` (Edge Architecture
//! Specification 1.0, section 2) says that everybody who asks the same may have the
//! same for so long. Measured, a component that answers nothing at all reaches 0.45 to
//! 0.5 of bare hyper's requests a second, for the calls in and out of an instance alone;
//! with this a warm manifest costs what hyper costs. The field goes no further.
//!
//! Only whole answers are kept: status 200, a length, the bytes seen to their end. A request
//! that asks for something of its own (ranges, credentials, no cache) goes past it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, IF_RANGE, PRAGMA, RANGE, VIA};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use moka::sync::Cache;
use wasmtime_wasi_http::{Error, WasiBody};

/// The component's word to the host.
const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// Larger bodies are the store's affair, which has the kernel send them from their files: their time is in the bytes,
/// not in the request, and in memory here they would take more of it.
const MAX_BODY: u64 = 64 << 10;

/// What an answer's fields and the table itself take, about.
const ENTRY_BYTES: usize = 1024;

/// Requests that ask for the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    head: bool,
    /// Path and query.
    target: Box<str>,
}

struct Answer {
    headers: HeaderMap,
    /// `None` if only a HEAD was answered.
    body: Option<Bytes>,
    until: Instant,
}

/// The answers that are kept. Clones share them.
#[derive(Clone)]
pub(crate) struct Answers {
    kept: Cache<Key, Arc<Answer>>,
    /// How often all were forgotten.
    forgotten: Arc<AtomicU64>,
}

/// When a request came: what is forgotten later is not kept on its account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    now: Instant,
    forgotten: u64,
}

impl Answers {
    /// Keeps up to `bytes` of them, the least used go first; 0 keeps none.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, answer: &Arc<Answer>| {
            let body = answer.body.as_ref().map_or(0, Bytes::len);
            u32::try_from(ENTRY_BYTES + key.target.len() + body).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder().max_capacity(bytes).weigher(weigh).build(),
            forgotten: Arc::default(),
        }
    }

    /// What a request asks for, if an answer to others may be one to it.
    pub(crate) fn key<B>(request: &Request<B>) -> Option<Key> {
        let own = [RANGE, IF_RANGE, AUTHORIZATION, CACHE_CONTROL, PRAGMA, VIA];
        let plain = own.iter().all(|name| !request.headers().contains_key(name));
        let head = request.method() == Method::HEAD;
        let target = request.uri().path_and_query()?.as_str().into();
        (plain && (head || request.method() == Method::GET)).then_some(Key { head, target })
    }

    /// The answer, if one is kept and still holds at `now`.
    pub(crate) fn find(&self, key: &Key, now: Instant) -> Option<Response<WasiBody>> {
        if key.head {
            // A GET's answer says all that a HEAD's does.
            let get = Key {
                head: false,
                ..key.clone()
            };
            if let Some(answer) = self.holds(&get, now) {
                return Some(answer.respond(true));
            }
        }
        Some(self.holds(key, now)?.respond(key.head))
    }

    /// The moment `now`.
    pub(crate) fn moment(&self, now: Instant) -> Moment {
        Moment {
            now,
            forgotten: self.forgotten.load(Ordering::Acquire),
        }
    }

    /// Forgets all of them.
    pub(crate) fn forget(&self) {
        // First: who asked before puts nothing in after.
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.kept.invalidate_all();
    }

    fn holds(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        self.kept.get(key).filter(|answer| now < answer.until)
    }

    /// The component's response on its way to the client: kept if it may be, once its body was seen whole.
    pub(crate) fn pass(
        &self,
        key: Option<Key>,
        mut response: Response<WasiBody>,
        asked: Moment,
    ) -> Response<WasiBody> {
        let until = reusable_for(&mut response).map(|time| asked.now + time);
        let (Some(key), Some(until)) = (key, until) else {
            return response;
        };
        let Some(length) = length(&response).filter(|length| *length <= MAX_BODY) else {
            return response;
        };
        let headers = response.headers().clone();
        let keep = Keep {
            answers: self.clone(),
            key,
            headers,
            until,
            asked,
        };
        if keep.key.head {
            keep.insert(None);
            return response;
        }
        response.map(|body| {
            Seen {
                body,
                seen: BytesMut::new(),
                single: None,
                length,
                keep: Some(keep),
            }
            .boxed_unsync()
        })
    }
}

impl Answer {
    fn respond(&self, head: bool) -> Response<WasiBody> {
        let body = match &self.body {
            Some(bytes) if !head => Full::new(bytes.clone())
                .map_err(|never| match never {})
                .boxed_unsync(),
            _ => Empty::new().map_err(|never| match never {}).boxed_unsync(),
        };
        let mut response = Response::new(body);
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

/// Takes the component's word off a response: how long it may be repeated.
fn reusable_for(response: &mut Response<WasiBody>) -> Option<Duration> {
    let value = response.headers_mut().remove(SURROGATE_CONTROL)?;
    let seconds = value.to_str().ok()?.strip_prefix("max-age=")?;
    let digits = seconds.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u32 = digits.then(|| seconds.parse().ok())??;
    (response.status() == StatusCode::OK && seconds > 0)
        .then(|| Duration::from_secs(u64::from(seconds)))
}

fn length(response: &Response<WasiBody>) -> Option<u64> {
    let value = response.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

/// An answer that is kept when its body was seen.
struct Keep {
    answers: Answers,
    key: Key,
    headers: HeaderMap,
    until: Instant,
    asked: Moment,
}

impl Keep {
    fn insert(self, body: Option<Bytes>) {
        let forgotten = self.answers.forgotten.load(Ordering::Acquire);
        if forgotten != self.asked.forgotten {
            return;
        }
        let answer = Answer {
            headers: self.headers,
            body,
            until: self.until,
        };
        self.answers.kept.insert(self.key, Arc::new(answer));
    }
}

/// A body that remembers what went through it.
struct Seen {
    body: WasiBody,
    /// What was seen, if it came in several blocks.
    seen: BytesMut,
    /// The one block that was seen: kept without a copy.
    single: Option<Bytes>,
    length: u64,
    keep: Option<Keep>,
}

impl Seen {
    fn note(&mut self, data: &Bytes) {
        if self.single.is_none() && self.seen.is_empty() {
            self.single = Some(data.clone());
        } else {
            if let Some(first) = self.single.take() {
                self.seen.extend_from_slice(&first);
            }
            self.seen.extend_from_slice(data);
        }
        let whole = self.single.as_ref().map_or(self.seen.len(), Bytes::len) as u64;
        if whole >= self.length
            && let Some(keep) = self.keep.take()
            && whole == self.length
        {
            let seen = std::mem::take(&mut self.seen).freeze();
            keep.insert(Some(self.single.take().unwrap_or(seen)));
        }
    }
}

impl Body for Seen {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) if self.keep.is_some() => {
                if let Some(data) = frame.data_ref() {
                    self.note(data);
                }
            }
            Some(Err(_)) => self.keep = None,
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
