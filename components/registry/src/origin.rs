//! A repository at its origin: requests to it, with what it takes to be let in.

use crate::ask::field;
use crate::bindings::ledge::edge::blobs::{self, Refusal, Source};
use crate::bindings::wasi::http::client;
use crate::bindings::wasi::http::types::{
    Fields as Headers, Method, Request, Response, Scheme as WitScheme,
};
use crate::bindings::wit_future;
use crate::failure::{Failure, of_blobs, origin_failed, refused, unreachable};
use crate::respond::Fields;
use crate::token;
use ledge_core::error::{ApiError, ErrorKind};
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

impl<'a> Origin<'a> {
    /// Asks the endpoints in order, until one answers with anything but a failure
    /// of its own.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Reply<'a>, ApiError> {
        let mut last = origin_failed(self.upstream.name(), "has no endpoint");
        for endpoint in self.upstream.endpoints() {
            match self.ask_at(endpoint, question).await {
                Ok(reply) if reply.status < 500 => return Ok(reply),
                Ok(reply) => {
                    last = refused(self.upstream.name(), reply.status, ErrorKind::NameUnknown);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask_at(
        &self,
        endpoint: &'a Endpoint,
        question: &Question<'_>,
    ) -> Result<Reply<'a>, ApiError> {
        let known = token::known(self, endpoint).await;
        let reply = self.exchange(endpoint, question, known.as_ref()).await?;
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
        let fields = request_fields(question.accept, access);
        let request = request(question.head, endpoint, question.path, &fields)?;
        let sent = client::send(request).await;
        let response = sent.map_err(|error| unreachable(self.upstream.name(), &error))?;
        Ok(Reply::new(endpoint, response))
    }

    /// Runs a transfer of an object. When an origin wants a token, it is got, and
    /// the transfer is run once more.
    pub(crate) async fn transfer<T>(
        &self,
        object: &Object,
        run: impl AsyncFn(Source) -> Result<T, blobs::Error>,
    ) -> Result<T, Failure> {
        let mut accesses = Vec::new();
        for endpoint in self.upstream.endpoints() {
            accesses.push(token::known(self, endpoint).await);
        }
        let result = match run(self.source(object, &accesses)?).await {
            Err(blobs::Error::Refused(refusal)) if refusal.status == 401 => {
                self.admit(&refusal, &mut accesses).await?;
                run(self.source(object, &accesses)?).await
            }
            other => other,
        };
        result.map_err(|error| of_blobs(self.upstream.name(), error, missing(object)))
    }

    /// Gets what the endpoint that refused asks for.
    async fn admit(
        &self,
        refusal: &Refusal,
        accesses: &mut [Option<Authorization>],
    ) -> Result<(), ApiError> {
        let index = usize::try_from(refusal.origin).unwrap_or(usize::MAX);
        let place = self
            .upstream
            .endpoints()
            .get(index)
            .zip(accesses.get_mut(index));
        let (endpoint, access) = place.ok_or_else(|| {
            origin_failed(self.upstream.name(), "refused a request that nobody sent")
        })?;
        let challenges = values_of(&refusal.fields, "www-authenticate");
        *access = Some(token::renew(self, endpoint, &challenges, access.as_ref()).await?);
        Ok(())
    }

    fn source(
        &self,
        object: &Object,
        accesses: &[Option<Authorization>],
    ) -> Result<Source, ApiError> {
        let endpoints = self.upstream.endpoints().iter().zip(accesses);
        let origins = endpoints
            .map(|(endpoint, access)| self.object_request(object, endpoint, access.as_ref()));
        Ok(Source {
            origins: origins.collect::<Result<_, _>>()?,
            ticket: self.ticket(object).encode(),
        })
    }

    fn ticket(&self, object: &Object) -> Ticket {
        Ticket {
            upstream: self.upstream.name().to_owned(),
            repository: self.repository.clone(),
            object: object.clone(),
        }
    }

    /// The GET for an object at an endpoint.
    pub(crate) fn object_request(
        &self,
        object: &Object,
        endpoint: &Endpoint,
        access: Option<&Authorization>,
    ) -> Result<Request, ApiError> {
        let fields = request_fields(accept(object), access);
        request(false, endpoint, &object.path(self.repository), &fields)
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

fn values_of(fields: &[blobs::Field], name: &str) -> Vec<Vec<u8>> {
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
