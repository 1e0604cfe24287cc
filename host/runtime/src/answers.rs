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

/// Larger bodies are the store's affair: their time is in the bytes, not in the request.
const MAX_BODY: u64 = 1 << 20;

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
pub(crate) struct Answers(Cache<Key, Arc<Answer>>);

impl Answers {
    /// Keeps up to `bytes` of them, the least used go first; 0 keeps none.
    pub(crate) fn new(bytes: u64) -> Self {
        let weigh = |key: &Key, answer: &Arc<Answer>| {
            let body = answer.body.as_ref().map_or(0, Bytes::len);
            u32::try_from(ENTRY_BYTES + key.target.len() + body).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
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

    fn holds(&self, key: &Key, now: Instant) -> Option<Arc<Answer>> {
        self.0.get(key).filter(|answer| now < answer.until)
    }

    /// The component's response on its way to the client: kept if it may be, once its body was seen whole.
    pub(crate) fn pass(
        &self,
        key: Option<Key>,
        mut response: Response<WasiBody>,
        now: Instant,
    ) -> Response<WasiBody> {
        let until = reusable_for(&mut response).map(|time| now + time);
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
}

impl Keep {
    fn insert(self, body: Option<Bytes>) {
        let answer = Answer {
            headers: self.headers,
            body,
            until: self.until,
        };
        self.answers.0.insert(self.key, Arc::new(answer));
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
mod tests {
    use super::*;
    use futures::stream;
    use http_body_util::StreamBody;

    const NOW: fn() -> Instant = Instant::now;

    fn key(method: &str, fields: &[(&'static str, &str)]) -> Option<Key> {
        let mut request = Request::builder().method(method).uri("/v2/a?ns=b");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Answers::key(&request.body(()).expect("a request"))
    }

    fn response(control: &str, blocks: &[&'static str], length: usize) -> Response<WasiBody> {
        let frames: Vec<_> = blocks
            .iter()
            .map(|block| Ok(Frame::data(Bytes::from_static(block.as_bytes()))))
            .collect();
        Response::builder()
            .header("content-length", length)
            .header("surrogate-control", control)
            .header("etag", "\"x\"")
            .body(StreamBody::new(stream::iter(frames)).boxed_unsync())
            .expect("a response")
    }

    async fn text(response: Response<WasiBody>) -> String {
        let bytes = response.into_body().collect().await.expect("a whole body");
        String::from_utf8(bytes.to_bytes().to_vec()).expect("text")
    }

    /// Passes a response, reads it, and asks again a little later.
    async fn again(response: Response<WasiBody>, later: u64) -> Option<Response<WasiBody>> {
        let (answers, now) = (Answers::new(1 << 20), NOW());
        let get = key("GET", &[]).expect("a plain request");
        let passed = answers.pass(Some(get.clone()), response, now);
        assert!(!passed.headers().contains_key("surrogate-control"));
        // A body that fails is the client's to see; here it only must not be kept.
        drop(passed.into_body().collect().await);
        answers.find(&get, now + Duration::from_secs(later))
    }

    #[tokio::test]
    async fn an_answer_is_repeated_for_as_long_as_the_component_says() {
        for blocks in [&["hello"][..], &["he", "l", "lo"][..]] {
            let repeated = again(response("max-age=5", blocks, 5), 4)
                .await
                .expect("kept");
            assert_eq!(repeated.headers()["etag"], "\"x\"");
            assert_eq!(text(repeated).await, "hello");
            assert!(again(response("max-age=5", blocks, 5), 5).await.is_none());
        }
    }

    #[tokio::test]
    async fn what_is_not_whole_or_not_allowed_is_not_kept() {
        for control in [
            "",
            "max-age=0",
            "max-age=-1",
            "max-age=+5",
            "no-store",
            "max-age=5, x",
        ] {
            let kept = again(response(control, &["hello"], 5), 0).await;
            assert!(kept.is_none(), "{control}");
        }
        assert!(
            again(response("max-age=5", &["hell"], 5), 0)
                .await
                .is_none()
        );
        assert!(
            again(response("max-age=5", &["hello!"], 5), 0)
                .await
                .is_none()
        );
        let mut other = response("max-age=5", &["hello"], 5);
        *other.status_mut() = StatusCode::PARTIAL_CONTENT;
        assert!(again(other, 0).await.is_none());
    }

    #[tokio::test]
    async fn a_head_is_answered_from_a_get_and_not_the_other_way() {
        let (answers, now) = (Answers::new(1 << 20), NOW());
        let (get, head) = (key("GET", &[]), key("HEAD", &[]));
        drop(answers.pass(head.clone(), response("max-age=5", &[], 5), now));
        assert!(answers.find(&head.clone().expect("plain"), now).is_some());
        assert!(answers.find(&get.clone().expect("plain"), now).is_none());
        let passed = answers.pass(get, response("max-age=5", &["hello"], 5), now);
        assert_eq!(text(passed).await, "hello");
        let repeated = answers.find(&head.expect("plain"), now).expect("kept");
        assert_eq!(repeated.headers()["content-length"], "5");
        assert_eq!(text(repeated).await, "");
    }

    #[test]
    fn who_asks_for_something_of_their_own_gets_past_it() {
        for field in [
            "range",
            "if-range",
            "authorization",
            "cache-control",
            "pragma",
        ] {
            assert_eq!(key("GET", &[(field, "x")]), None, "{field}");
        }
        assert_eq!(key("POST", &[]), None);
        assert_ne!(key("GET", &[("accept", "x")]), None);
    }
}
