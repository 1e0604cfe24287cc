//! The endpoints that have an object: in which order, and how each is asked.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::header::{IF_RANGE, RANGE};
use http::{HeaderValue, Request, StatusCode};
use ledge_core::range::ByteRange;
use ledge_origin::Client;
use ledge_store::Object;

use crate::error::FillError;
use crate::nearby::NearbyObject;
use crate::opened::{Fault, Opened, beyond, part, refusal, whole};
use crate::options::Retries;
use crate::pace::{OriginPace, Paces};
use crate::renew::Renew;
use crate::reply::{coding, strong_etag};
use crate::source::Source;

/// Stands for what is asked before all endpoints, in the place of one of them.
pub(crate) const NEARBY: usize = usize::MAX;

/// What [`NEARBY`] is called where endpoints are named by their authorities.
const NEARBY_NAME: &str = "other nodes";

/// The endpoints of one object, best first.
pub(crate) struct Supply {
    client: Client,
    /// Asked before all endpoints.
    nearby: Option<Arc<dyn NearbyObject>>,
    /// Unless it brought wrong bytes.
    asks_nearby: bool,
    endpoints: Vec<Endpoint>,
    renew: Option<Arc<dyn Renew>>,
    retries: Retries,
    /// The first answer's entity tag, and which endpoint said it.
    validator: OnceLock<(usize, HeaderValue)>,
    /// The object's size, as the first answer that said one said it.
    size: OnceLock<u64>,
    /// Who answered last: asked first by those that follow.
    best: AtomicUsize,
    /// Which endpoints answered with bytes.
    used: Mutex<BTreeSet<usize>>,
}

struct Endpoint {
    /// Its index in the source.
    origin: usize,
    authority: String,
    request: Mutex<Request<()>>,
    pace: OriginPace,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    Whole,
    Range(ByteRange),
}

impl Portion {
    /// From a byte up to, not including, another; `u64::MAX` is the object's end.
    pub(crate) fn span(at: u64, end: u64) -> Self {
        match (at, end) {
            (0, u64::MAX) => Self::Whole,
            (at, u64::MAX) => Self::Range(ByteRange::From(at)),
            (at, end) => Self::Range(ByteRange::Between(at, end.saturating_sub(1).max(at))),
        }
    }
}

impl Supply {
    /// Of a source. Endpoints of `suspects` (authorities) are asked last, and what is nearby not at all if
    /// it is one.
    pub(crate) fn new(
        client: Client,
        nearby: Option<Arc<dyn NearbyObject>>,
        source: Source,
        suspects: &[String],
        paces: &Paces,
        retries: Retries,
    ) -> Self {
        let endpoint = |(origin, request): (usize, Request<()>)| {
            let authority = request.uri().authority().map(ToString::to_string);
            let authority = authority.unwrap_or_default();
            Endpoint {
                origin,
                pace: paces.of(&authority),
                authority,
                request: Mutex::new(request),
            }
        };
        let mut endpoints: Vec<_> = source
            .origins
            .into_iter()
            .enumerate()
            .map(endpoint)
            .collect();
        endpoints.sort_by_key(|endpoint| suspects.contains(&endpoint.authority));
        Self {
            client,
            nearby,
            asks_nearby: !suspects.iter().any(|name| name == NEARBY_NAME),
            endpoints,
            renew: source.renew,
            retries,
            validator: OnceLock::new(),
            size: OnceLock::new(),
            best: AtomicUsize::new(0),
            used: Mutex::default(),
        }
    }

    /// How an endpoint that broke off is asked again.
    pub(crate) fn retries(&self) -> Retries {
        self.retries
    }

    /// How many endpoints there are.
    pub(crate) fn len(&self) -> usize {
        self.endpoints.len()
    }

    /// The place of the endpoint to ask next.
    pub(crate) fn best(&self) -> usize {
        self.best.load(Ordering::Relaxed)
    }

    /// Which of the source's requests goes to the endpoint at a place in the order of asking.
    pub(crate) fn origin(&self, place: usize) -> Option<usize> {
        self.endpoints.get(place).map(|endpoint| endpoint.origin)
    }

    /// Who is asked when the one at a place broke off. What is nearby says itself when it is of no use any more.
    pub(crate) fn after(&self, place: usize) -> usize {
        match place {
            NEARBY => NEARBY,
            place => (place + 1) % self.len().max(1),
        }
    }

    /// Who is asked first: host and port.
    pub(crate) fn first(&self) -> &str {
        let first = self.endpoints.first();
        first.map_or("", |endpoint| endpoint.authority.as_str())
    }

    /// The endpoints that answered with bytes: hosts and ports.
    pub(crate) fn used(&self) -> Vec<String> {
        let used = self.lock_used();
        let authority = |place: &usize| match *place {
            NEARBY => Some(NEARBY_NAME.to_owned()),
            place => self.endpoints.get(place).map(|e| e.authority.clone()),
        };
        used.iter().filter_map(authority).collect()
    }

    /// Whom to ask last after wrong bytes: who brought some. If all did, only who was asked
    /// first, so that another one begins the next time. An origin is believed before other nodes.
    pub(crate) fn suspects(&self) -> Vec<String> {
        if self.has_used(NEARBY) {
            return vec![NEARBY_NAME.to_owned()];
        }
        let mut used = self.used();
        if used.len() == self.endpoints.len() {
            used.truncate(1);
        }
        used
    }

    /// Waits until `length` more bytes of an endpoint may pass.
    pub(crate) async fn pace(&self, endpoint: usize, length: usize) {
        if let Some(endpoint) = self.endpoints.get(endpoint) {
            endpoint.pace.take(length).await;
        }
    }

    /// The first endpoint's answer with bytes, or why there is none. What another
    /// endpoint may do better (a 5xx, no connection) is asked of the next one; what is
    /// an answer (a 404, say) is final. Who cannot answer a range is asked for the whole,
    /// unless `takes_whole` says that an object of this size is not wanted whole.
    pub(crate) async fn open(
        &self,
        portion: Portion,
        takes_whole: impl Fn(u64) -> bool,
    ) -> Result<Opened, FillError> {
        if let Some(opened) = self.open_nearby(portion).await {
            self.best.store(NEARBY, Ordering::Relaxed);
            let _ = opened.size.map(|size| self.size.set(size));
            return Ok(opened);
        }
        let mut last = FillError::Request("the source names no origin".to_owned());
        for place in 0..self.endpoints.len() {
            let mut answer = self.ask(place, portion).await;
            answer = match answer {
                Err(Fault::Range(FillError::Unsatisfiable(size))) if !takes_whole(size) => {
                    return Err(FillError::Unsatisfiable(size));
                }
                Err(Fault::Range(_)) => self.ask(place, Portion::Whole).await,
                answer => answer,
            };
            last = match answer.map_err(FillError::from) {
                Ok(opened) => {
                    self.best.store(place, Ordering::Relaxed);
                    if let Some(size) = opened.size {
                        let _ = self.size.set(size);
                    }
                    if let Some(tag) = strong_etag(&opened.headers) {
                        let _ = self.validator.set((place, tag));
                    }
                    return Ok(opened);
                }
                Err(FillError::Refused(refusal)) if is_final(refusal.status) => {
                    return Err(FillError::Refused(refusal));
                }
                Err(error) => error,
            };
        }
        Err(last)
    }

    /// Asks one endpoint for what is still wanted of an object that was opened. When
    /// what let us in has expired, the request is made anew, once. When what is nearby has no more, the first
    /// endpoint is asked.
    pub(crate) async fn ask_again(
        &self,
        place: usize,
        portion: Portion,
    ) -> Result<Opened, FillError> {
        let place = match place {
            NEARBY => match self.open_nearby(portion).await {
                Some(opened) => return self.of_this_size(opened),
                None => 0,
            },
            place => place,
        };
        let answer = self.ask_for_more(place, portion).await;
        match (answer, &self.renew) {
            (Err(FillError::Refused(why)), Some(renew)) if is_expired(why.status) => {
                let origin = why.origin;
                let fresh = renew.renew(*why.clone()).await;
                let Ok(request) = fresh.inspect_err(|error| {
                    tracing::warn!(%error, origin, "the registry makes no fresh request");
                }) else {
                    return Err(FillError::Refused(why));
                };
                *self.endpoints[place].lock() = request;
                self.ask_for_more(place, portion).await
            }
            (answer, _) => answer,
        }
    }

    async fn ask_for_more(&self, place: usize, portion: Portion) -> Result<Opened, FillError> {
        let opened = self.of_this_size(self.ask(place, portion).await?)?;
        self.best.store(place, Ordering::Relaxed);
        Ok(opened)
    }

    async fn open_nearby(&self, portion: Portion) -> Option<Opened> {
        let range = match portion {
            Portion::Whole => None,
            Portion::Range(range) => Some(range),
        };
        let nearby = self.nearby.as_ref().filter(|_| self.asks_nearby)?;
        let found = nearby.open(range).await?;
        self.note_use(NEARBY);
        Some(found.opened(portion))
    }

    /// The object is stored now.
    pub(crate) fn stored(&self, object: &Object) {
        if let Some(nearby) = &self.nearby {
            nearby.stored(object);
        }
    }

    /// Wrong bytes came.
    pub(crate) fn wrong(&self) {
        if let Some(nearby) = &self.nearby
            && self.has_used(NEARBY)
        {
            nearby.wrong();
        }
    }

    fn note_use(&self, place: usize) {
        self.lock_used().insert(place);
    }

    /// Whether the one at a place answered with bytes.
    pub(crate) fn has_used(&self, place: usize) -> bool {
        self.lock_used().contains(&place)
    }

    fn lock_used(&self) -> MutexGuard<'_, BTreeSet<usize>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another size is another object.
    fn of_this_size(&self, opened: Opened) -> Result<Opened, FillError> {
        if let Some(found) = opened.size {
            let size = *self.size.get_or_init(|| found);
            if found != size {
                return Err(FillError::Mismatch(format!(
                    "{found} are announced where {size} were before"
                )));
            }
        }
        Ok(opened)
    }

    async fn ask(&self, place: usize, portion: Portion) -> Result<Opened, Fault> {
        let request = self.request(place, portion)?;
        let fetched = self.client.fetch(request).await;
        let response = fetched.map_err(FillError::from)?.response;
        let opened = match response.status() {
            StatusCode::OK => whole(response, place),
            StatusCode::PARTIAL_CONTENT => part(response, place, portion),
            StatusCode::RANGE_NOT_SATISFIABLE => Err(beyond(&response)),
            _ => {
                let origin = self.endpoints[place].origin;
                let refusal = refusal(response, origin).await;
                return Err(FillError::Refused(Box::new(refusal)).into());
            }
        }?;
        if let Some(coding) = coding(&opened.headers) {
            let why = format!("the origin encoded them as {coding:?}");
            return Err(FillError::Mismatch(why).into());
        }
        self.note_use(place);
        Ok(opened)
    }

    fn request(&self, place: usize, portion: Portion) -> Result<Request<()>, FillError> {
        let endpoint = self.endpoints.get(place);
        let endpoint = endpoint.ok_or_else(|| FillError::Request("there is no endpoint".into()))?;
        let mut request = endpoint.lock().clone();
        let Portion::Range(range) = portion else {
            return Ok(request);
        };
        let range = HeaderValue::try_from(format!("bytes={range}"));
        let range = range.map_err(|error| FillError::Request(error.to_string()))?;
        request.headers_mut().insert(RANGE, range);
        // Another endpoint's tag may be another one for the same bytes.
        if let Some((_, tag)) = self.validator.get().filter(|(whose, _)| *whose == place) {
            request.headers_mut().insert(IF_RANGE, tag.clone());
        }
        Ok(request)
    }
}

impl Endpoint {
    fn lock(&self) -> MutexGuard<'_, Request<()>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an answer is one that no other endpoint is asked after.
pub(crate) fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Object stores answer 403 to a URL whose signature expired, registries 401 to a token.
fn is_expired(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}
