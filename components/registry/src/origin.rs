//! A repository at its origin: requests to it, with what it takes to be let in.

use crate::ask::field;
use crate::bindings::ledge::edge::blobs::{self, Refusal, Source};
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{
    Fields as Headers, Method, Request, Response, Scheme as WitScheme,
};
use crate::bindings::wit_future;
use crate::failure::{Failure, is_outage, of_blobs, origin_failed, refused, unreachable, value_of};
use crate::respond::Fields;
use crate::{behind, credentials, endpoints, token};
use ledge_core::client::Client;
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::health::Outcome;
use ledge_core::media_type::ACCEPT_MANIFESTS;
use ledge_core::name::RepositoryName;
use ledge_core::ticket::{Object, Ticket};
use ledge_core::token::Authorization;
use ledge_core::upstream::Upstream;
use ledge_core::uri::{Endpoint, Scheme};
use wit_bindgen::StreamResult;

/// How many bytes of a small body are read at once.
const READ: usize = 16 * 1024;

/// A repository at its origin.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) upstream: &'a Upstream,
    pub(crate) repository: &'a RepositoryName,
    /// Who passed on what is asked.
    pub(crate) via: Option<&'a str>,
    /// Whose credentials are shown, in pass-through; else this mirror's.
    pub(crate) client: Option<&'a Client>,
}

/// A question without a body.
pub(crate) struct Question<'a> {
    pub(crate) head: bool,
    pub(crate) path: &'a str,
    pub(crate) accept: Option<&'a str>,
}

/// An origin's answer, body unread.
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) endpoint: &'a Endpoint,
    response: Response,
}

/// An endpoint, its index, and what opens it.
struct Door<'a> {
    index: usize,
    endpoint: &'a Endpoint,
    access: Option<Authorization>,
}

/// What an origin may have answered.
pub(crate) trait Answered {
    /// Which of the source's requests was answered, and with what fields; none if none was sent.
    fn origin(&self) -> Option<(u32, &[blobs::Field])>;
}

impl Answered for blobs::Served {
    fn origin(&self) -> Option<(u32, &[blobs::Field])> {
        Some((self.origin?, &self.origin_fields))
    }
}

impl Answered for blobs::Ingested {
    fn origin(&self) -> Option<(u32, &[blobs::Field])> {
        Some((self.origin?, &self.origin_fields))
    }
}

/// An index of the source's requests.
fn place(origin: u32) -> usize {
    usize::try_from(origin).unwrap_or(usize::MAX)
}

impl<'a> Origin<'a> {
    /// Asks the endpoints, those that are well first, until one answers with anything but a
    /// failure of its own.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Reply<'a>, ApiError> {
        // Without its credentials nobody is asked, and no endpoint has failed.
        credentials::now(self.upstream).await?;
        let mut last = origin_failed(self.upstream.name(), "has no endpoint");
        for (_, endpoint) in self.tries().await {
            endpoints::tried(self.upstream, endpoint).await;
            let answer = self.ask_at(endpoint, question).await;
            self.learn(endpoint, &answer).await;
            match answer {
                Ok(reply) if reply.status < 500 => return Ok(reply),
                Ok(reply) => {
                    last = refused(self.upstream.name(), reply.status, ErrorKind::NameUnknown);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The endpoints and their indices, in the order in which to ask them.
    async fn tries(&self) -> Vec<(usize, &'a Endpoint)> {
        let order = endpoints::in_order(self.upstream).await;
        if let Some(index) = order.probe {
            behind::probe(self.upstream, index);
        }
        let endpoints = self.upstream.endpoints();
        let at = |index| endpoints.get(index).map(|endpoint| (index, endpoint));
        order.tries.into_iter().filter_map(at).collect()
    }

    /// Notes what an answer says of the endpoint and of the quota.
    async fn learn(&self, endpoint: &Endpoint, answer: &Result<Reply<'_>, ApiError>) {
        let outcome = match answer {
            Ok(reply) => {
                let field = |name: &str| reply.value(name);
                endpoints::told(self.upstream, reply.status, field).await;
                Outcome::of_status(reply.status)
            }
            Err(error) if is_outage(error) => Outcome::Failed,
            Err(_) => Outcome::Answered,
        };
        endpoints::ended(self.upstream, endpoint, outcome).await;
    }

    async fn ask_at(
        &self,
        endpoint: &'a Endpoint,
        question: &Question<'_>,
    ) -> Result<Reply<'a>, ApiError> {
        let mut known = token::known(self, endpoint).await?;
        let mut reply = self.exchange(endpoint, question, known.as_ref()).await?;
        if reply.status == 403
            && let Some(other) = token::instead(self, endpoint, known.as_ref()).await?
        {
            known = other;
            reply = self.exchange(endpoint, question, known.as_ref()).await?;
        }
        if reply.status != 401 {
            return Ok(reply);
        }
        let challenges = reply.values("www-authenticate");
        let access = token::renew(self, endpoint, &challenges, known.as_ref()).await?;
        self.exchange(endpoint, question, Some(&access)).await
    }

    async fn exchange(
        &self,
        endpoint: &'a Endpoint,
        question: &Question<'_>,
        access: Option<&Authorization>,
    ) -> Result<Reply<'a>, ApiError> {
        let fields = self.fields(question.accept, access);
        let path = self.upstream.path_at(endpoint, question.path);
        let request = request(question.head, endpoint, &path, &fields)?;
        let sent = client::send(request).await;
        let response = sent.map_err(|error| unreachable(self.upstream.name(), &error))?;
        Ok(Reply::new(endpoint, response))
    }

    /// Runs a transfer of an object. When an origin wants a token, it is got, and
    /// the transfer is run once more.
    pub(crate) async fn transfer<T: Answered>(
        &self,
        object: &Object,
        run: impl AsyncFn(Source) -> Result<T, blobs::Error>,
    ) -> Result<T, Failure> {
        let mut doors = Vec::new();
        for (index, endpoint) in self.tries().await {
            endpoints::tried(self.upstream, endpoint).await;
            doors.push(Door {
                index,
                endpoint,
                access: token::known(self, endpoint).await?,
            });
        }
        let mut result = run(self.source(object, &doors)?).await;
        if let Err(blobs::Error::Refused(refusal)) = &result
            && refusal.status == 403
            && self.try_others(refusal, &mut doors).await?
        {
            result = run(self.source(object, &doors)?).await;
        }
        if let Err(blobs::Error::Refused(refusal)) = &result
            && refusal.status == 401
        {
            self.admit(refusal, &mut doors).await?;
            result = run(self.source(object, &doors)?).await;
        }
        self.learn_from(&doors, &result).await;
        result.map_err(|error| of_blobs(self.upstream.name(), error, missing(object)))
    }

    /// The door that was found closed.
    fn closed<'d>(
        &self,
        refusal: &Refusal,
        doors: &'d mut [Door<'a>],
    ) -> Result<&'d mut Door<'a>, ApiError> {
        doors.get_mut(place(refusal.origin)).ok_or_else(|| {
            origin_failed(self.upstream.name(), "refused a request that nobody sent")
        })
    }

    /// Whether there are other credentials for the endpoint that denied access; the door has them
    /// then.
    async fn try_others(
        &self,
        refusal: &Refusal,
        doors: &mut [Door<'a>],
    ) -> Result<bool, ApiError> {
        let door = self.closed(refusal, doors)?;
        let other = token::instead(self, door.endpoint, door.access.as_ref()).await?;
        let is_other = other.is_some();
        if let Some(access) = other {
            door.access = access;
        }
        Ok(is_other)
    }

    /// Gets what the endpoint that refused asks for.
    async fn admit(&self, refusal: &Refusal, doors: &mut [Door<'a>]) -> Result<(), ApiError> {
        let door = self.closed(refusal, doors)?;
        let challenges = values_of(&refusal.fields, "www-authenticate");
        let access = token::renew(self, door.endpoint, &challenges, door.access.as_ref());
        door.access = Some(access.await?);
        Ok(())
    }

    /// Notes what a transfer's start says of the endpoints and of the quota: who answered is
    /// well, and whoever was asked before it failed.
    async fn learn_from<T: Answered>(&self, doors: &[Door<'_>], result: &Result<T, blobs::Error>) {
        let (answered, status, fields) = match result {
            Ok(found) => match found.origin() {
                Some((origin, fields)) => (place(origin), 200, fields),
                // Nobody was asked.
                None => return,
            },
            Err(blobs::Error::Refused(why)) if why.status < 500 => {
                (place(why.origin), why.status, why.fields.as_slice())
            }
            Err(blobs::Error::Refused(why)) => (doors.len(), why.status, why.fields.as_slice()),
            Err(blobs::Error::Unreachable(_) | blobs::Error::Timeout) => (doors.len(), 0, &[][..]),
            Err(_) => return,
        };
        endpoints::told(self.upstream, status, |name| value_of(fields, name)).await;
        for (number, door) in doors.iter().enumerate().take(answered.saturating_add(1)) {
            let outcome = if number == answered {
                Outcome::Answered
            } else {
                Outcome::Failed
            };
            endpoints::ended(self.upstream, door.endpoint, outcome).await;
        }
    }

    fn source(&self, object: &Object, doors: &[Door<'_>]) -> Result<Source, ApiError> {
        let origins = doors
            .iter()
            .map(|door| self.object_request(object, door.endpoint, door.access.as_ref()));
        let ticket = Ticket {
            upstream: self.upstream.name().to_owned(),
            repository: self.repository.clone(),
            object: object.clone(),
            endpoints: doors.iter().map(|door| door.index).collect(),
        };
        Ok(Source {
            origins: origins.collect::<Result<_, _>>()?,
            ticket: ticket.encode(),
        })
    }

    /// The GET for an object at an endpoint.
    pub(crate) fn object_request(
        &self,
        object: &Object,
        endpoint: &Endpoint,
        access: Option<&Authorization>,
    ) -> Result<Request, ApiError> {
        let fields = self.fields(accept(object), access);
        let path = object.path(self.repository);
        let path = self.upstream.path_at(endpoint, &path);
        request(false, endpoint, &path, &fields)
    }

    fn fields(&self, accept: Option<&str>, access: Option<&Authorization>) -> Fields {
        let mut fields = request_fields(accept, access);
        fields.extend(self.via.map(|via| field("via", via)));
        fields
    }
}

impl<'a> Reply<'a> {
    /// What came from an endpoint.
    pub(crate) fn new(endpoint: &'a Endpoint, response: Response) -> Self {
        Self {
            status: response.get_status_code(),
            endpoint,
            response,
        }
    }

    /// The first value of a field, if it is text.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let first = self.values(name).into_iter().next()?;
        String::from_utf8(first).ok()
    }

    /// All values of a field.
    pub(crate) fn values(&self, name: &str) -> Vec<Vec<u8>> {
        self.response.get_headers().get(name)
    }

    /// The whole body.
    ///
    /// # Errors
    /// It has more than `max` bytes, or broke off.
    pub(crate) async fn body(self, max: u32, upstream: &str) -> Result<Vec<u8>, ApiError> {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        // Dropping the writer says that the body is welcome.
        let (_, taken) = wit_future::new(|| Ok(()));
        let (mut stream, end) = Response::consume_body(self.response, taken);
        let mut body = Vec::new();
        loop {
            body.reserve(READ);
            let (state, read) = stream.read(body).await;
            body = read;
            if body.len() > max {
                return Err(origin_failed(
                    upstream,
                    "sent a longer answer than this mirror takes",
                ));
            }
            if state == StreamResult::Dropped {
                break;
            }
        }
        drop(stream);
        end.await.map_err(|error| unreachable(upstream, &error))?;
        Ok(body)
    }
}

/// Asks an endpoint for nothing but a sign of life (OCI distribution specification 1.1,
/// "Determining Support"), and notes how it is.
pub(crate) async fn sign_of_life<'a>(
    upstream: &Upstream,
    endpoint: &'a Endpoint,
    access: Option<&Authorization>,
    via: Option<&str>,
) -> Result<Reply<'a>, ApiError> {
    endpoints::tried(upstream, endpoint).await;
    let mut fields = request_fields(None, access);
    fields.extend(via.map(|via| field("via", via)));
    let path = upstream.path_at(endpoint, "/v2/");
    let sent = client::send(request(false, endpoint, &path, &fields)?).await;
    let outcome = sent.as_ref().map_or(Outcome::Failed, |reply| {
        Outcome::of_status(reply.get_status_code())
    });
    endpoints::ended(upstream, endpoint, outcome).await;
    let response = sent.map_err(|error| unreachable(upstream.name(), &error))?;
    Ok(Reply::new(endpoint, response))
}

/// What a 404 of an object is called.
pub(crate) const fn missing(object: &Object) -> ErrorKind {
    match object {
        Object::Blob(_) => ErrorKind::BlobUnknown,
        Object::Manifest(_) => ErrorKind::ManifestUnknown,
    }
}

/// What is accepted in place of an object.
pub(crate) const fn accept(object: &Object) -> Option<&'static str> {
    match object {
        Object::Blob(_) => None,
        Object::Manifest(_) => Some(ACCEPT_MANIFESTS),
    }
}

/// All values of a field.
pub(crate) fn values_of(fields: &[blobs::Field], name: &str) -> Vec<Vec<u8>> {
    let found = fields
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).collect()
}

fn request_fields(accept: Option<&str>, access: Option<&Authorization>) -> Fields {
    // Bytes are wanted as they are: a digest holds for no other encoding.
    let mut fields = vec![field("accept-encoding", "identity")];
    fields.extend(accept.map(|accept| field("accept", accept)));
    fields.extend(access.map(|access| field("authorization", access.expose())));
    fields
}

/// A request without a body.
pub(crate) fn request(
    head: bool,
    endpoint: &Endpoint,
    path: &str,
    fields: &Fields,
) -> Result<Request, ApiError> {
    let broken = || {
        ApiError::new(
            ErrorKind::Internal,
            "the request to the upstream could not be made",
        )
    };
    let headers = Headers::from_list(fields).map_err(|_| broken())?;
    // Dropping the writer ends the trailers: there are none.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(headers, None, trailers, None);
    let method = if head { Method::Head } else { Method::Get };
    let scheme = match endpoint.scheme() {
        Scheme::Http => WitScheme::Http,
        Scheme::Https => WitScheme::Https,
    };
    request.set_method(&method).map_err(|()| broken())?;
    request.set_scheme(Some(&scheme)).map_err(|()| broken())?;
    request
        .set_authority(Some(endpoint.authority().as_str()))
        .map_err(|()| broken())?;
    request
        .set_path_with_query(Some(path))
        .map_err(|()| broken())?;
    Ok(request)
}
