//! `ledge:edge/blobs`: content-addressed bytes, which never enter a component.

use std::io;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_store::{Class as KeptAs, Keeping as Kept};
use ledge_transfer::{
    Answer, FillError, Outcome as Outcome_, RETRY_AFTER, Refusal as Refusal_, Source as Origins,
    Transfers, Want,
};
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, HasData, Resource};
use wasmtime_wasi_http::p3;
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView};

use crate::bindings::ledge::edge::blobs::{
    Class, Descriptor, Error, Host, HostUpload, HostUploadWithStore, HostWithStore, Ingested,
    Keeping, Outcome, Prefetched, Range, Refusal, Served, Source,
};
use crate::instance::InstanceState;
use crate::renew::Renewer;
use response::{parsed, response};

mod response;

/// An upload. None can be opened yet: the calls that make one answer `unsupported`.
#[allow(unreachable_pub, reason = "the bindings re-export it")]
pub enum Upload {}

/// A borrow of what the interface needs.
pub(crate) struct BlobsView<'a> {
    pub(crate) transfers: &'a Transfers,
    pub(crate) renewer: &'a Renewer,
    pub(crate) http: WasiHttpCtxView<'a>,
}

pub(crate) struct HasBlobs;

impl HasData for HasBlobs {
    type Data<'a> = BlobsView<'a>;
}

/// The longest ticket: the bound of the interface.
const TICKET_BYTES: usize = 4 * 1024;

type Fields = Vec<(String, Vec<u8>)>;
type Call<V> = wasmtime::Result<Result<V, Error>>;
type State = Accessor<InstanceState, HasBlobs>;

impl Host for BlobsView<'_> {}
impl HostUpload for BlobsView<'_> {
    fn id(&mut self, upload: Resource<Upload>) -> wasmtime::Result<String> {
        match *self.http.table.get(&upload)? {}
    }

    fn drop(&mut self, upload: Resource<Upload>) -> wasmtime::Result<()> {
        match self.http.table.delete(upload)? {}
    }
}

impl HostWithStore<InstanceState> for HasBlobs {
    async fn stat(state: &State, digest: String) -> Call<Option<Descriptor>> {
        let Ok(digest) = Digest::parse(&digest) else {
            return Ok(Err(Error::InvalidDigest));
        };
        let found = transfers(state).store().stat(&digest).await;
        Ok(found
            .map(|size| size.map(|size| described(&digest, Some(size), None)))
            .map_err(|error| failed(error.into())))
    }

    async fn get(
        state: &State,
        digest: String,
        ranges: Vec<Range>,
        fields: Fields,
    ) -> Call<Option<Resource<p3::Response>>> {
        let Ok(digest) = Digest::parse(&digest) else {
            return Ok(Err(Error::InvalidDigest));
        };
        let object = match transfers(state).store().find(&digest).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(failed(error.into()))),
        };
        match Answer::stored(&object, &wanted(&ranges)) {
            Ok(answer) => Ok(respond(state, answer, fields)?.map(Some)),
            Err(error) => Ok(Err(failed(error))),
        }
    }

    async fn read(state: &State, digest: String, max: u32) -> Call<Option<Vec<u8>>> {
        let Ok(digest) = Digest::parse(&digest) else {
            return Ok(Err(Error::InvalidDigest));
        };
        let bytes = match transfers(state).store().find(&digest).await {
            Ok(Some(object)) if object.size() > u64::from(max) => return Ok(Err(Error::TooLarge)),
            Ok(Some(object)) => object.bytes(u64::from(max)).await.map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(bytes
            .map(|bytes| bytes.map(Vec::from))
            .map_err(|error| failed(error.into())))
    }

    async fn fill(
        state: &State,
        want: Descriptor,
        source: Source,
        ranges: Vec<Range>,
        fields: Fields,
        keep: Keeping,
    ) -> Call<Served> {
        let Ok(want) = parse_want(&want) else {
            return Ok(Err(Error::InvalidDigest));
        };
        let origins = match origins(state, source, keep)? {
            Ok(origins) => origins,
            Err(error) => return Ok(Err(error)),
        };
        let (transfers, digest) = (transfers(state), want.digest.clone());
        match transfers.fill(want, origins, &wanted(&ranges)).await {
            Ok(answer) => serve(state, &digest, answer, fields),
            Err(error) => Ok(Err(failed(error))),
        }
    }

    async fn prefetch(
        state: &State,
        want: Descriptor,
        source: Source,
        keep: Keeping,
    ) -> Call<Prefetched> {
        let Ok(want) = parse_want(&want) else {
            return Ok(Err(Error::InvalidDigest));
        };
        let origins = match origins(state, source, keep)? {
            Ok(origins) => origins,
            Err(error) => return Ok(Err(error)),
        };
        let digest = want.digest.clone();
        Ok(match transfers(state).prefetch(want, origins).await {
            Ok(begun) => Ok(Prefetched {
                what: described(&digest, begun.size, media_type(&begun.headers)),
                outcome: outcome(begun.outcome),
                origin: begun.origin.map(index),
                origin_fields: listed(&begun.headers),
            }),
            Err(error) => Err(failed(error)),
        })
    }

    async fn ingest(
        state: &State,
        want: Option<Descriptor>,
        source: Source,
        max: u32,
        keep: Keeping,
    ) -> Call<Ingested> {
        let Ok(want) = want.as_ref().map(parse_want).transpose() else {
            return Ok(Err(Error::InvalidDigest));
        };
        let origins = match origins(state, source, keep)? {
            Ok(origins) => origins,
            Err(error) => return Ok(Err(error)),
        };
        Ok(match transfers(state).ingest(want, origins, max).await {
            Ok(stored) => Ok(Ingested {
                what: described(
                    &stored.digest,
                    Some(stored.size),
                    media_type(&stored.headers),
                ),
                origin: stored.origin.map(index),
                origin_fields: listed(&stored.headers),
            }),
            Err(error) => Err(failed(error)),
        })
    }

    async fn refer(_: &State, _: String, _: Vec<String>) -> Call<()> {
        Ok(Err(Error::Unsupported))
    }

    async fn delete(_: &State, _: String) -> Call<bool> {
        Ok(Err(Error::Unsupported))
    }
}

impl HostUploadWithStore<InstanceState> for HasBlobs {
    async fn open(_: &State) -> Call<Resource<Upload>> {
        Ok(Err(Error::Unsupported))
    }

    async fn resume(_: &State, _: String) -> Call<Resource<Upload>> {
        Ok(Err(Error::Unsupported))
    }

    async fn offset(_: &State, _: Resource<Upload>) -> Call<u64> {
        Ok(Err(Error::Unsupported))
    }

    async fn append(_: &State, _: Resource<Upload>, _: u64, _: Resource<p3::Request>) -> Call<u64> {
        Ok(Err(Error::Unsupported))
    }

    async fn commit(_: &State, _: Resource<Upload>, _: Descriptor, _: Keeping) -> Call<Descriptor> {
        Ok(Err(Error::Unsupported))
    }

    async fn cancel(_: &State, _: Resource<Upload>) -> Call<()> {
        Ok(Err(Error::Unsupported))
    }
}

fn transfers(state: &State) -> Transfers {
    state.with(|mut access| access.get().transfers.clone())
}

fn parse_want(want: &Descriptor) -> Result<Want, Error> {
    let digest = Digest::parse(&want.digest).map_err(|_| Error::InvalidDigest)?;
    Ok(Want {
        digest,
        size: want.size,
    })
}

fn wanted(ranges: &[Range]) -> Vec<ByteRange> {
    ranges
        .iter()
        .map(|range| match *range {
            Range::From(start) => ByteRange::From(start),
            Range::Between((start, last)) => ByteRange::Between(start, last),
            Range::Last(length) => ByteRange::Last(length),
        })
        .collect()
}

/// The guest's requests as the host sends them, and its way to make them again.
fn origins(state: &State, source: Source, keep: Keeping) -> Call<Origins> {
    if source.ticket.len() > TICKET_BYTES {
        return Ok(Err(Error::Other("the ticket is too long".to_owned())));
    }
    state.with(|mut access| {
        let requests = source.origins.into_iter();
        let requests = requests.map(|request| bodiless(access.as_context_mut(), request));
        let origins = requests.collect::<Result<_, _>>()?;
        let renew = access.get().renewer.bind(source.ticket);
        Ok(Ok(Origins {
            origins,
            renew: Some(renew),
            keep: kept(keep),
        }))
    })
}

fn kept(keep: Keeping) -> Kept {
    Kept {
        class: match keep.class {
            Class::Cached => KeptAs::Cached,
            Class::Hosted => KeptAs::Hosted,
            Class::Pinned => KeptAs::Pinned,
        },
        priority: keep.priority,
    }
}

/// A guest's request as the host sends it. Its body is dropped: a source's are bodiless.
pub(crate) fn bodiless(
    mut store: impl AsContextMut<Data = InstanceState>,
    request: Resource<p3::Request>,
) -> wasmtime::Result<Request<()>> {
    let mut store = store.as_context_mut();
    let request = store.data_mut().http().table.delete(request)?;
    let (request, _) = request
        .into_http(store, async { Ok(()) })
        .map_err(|error| wasmtime::format_err!("not a request: {error:?}"))?;
    let (head, _) = request.into_parts();
    Ok(Request::from_parts(head, ()))
}

/// An answer, and what the caller may want to note about it.
fn serve(state: &State, digest: &Digest, answer: Answer, fields: Fields) -> Call<Served> {
    let what = described(digest, answer.size, media_type(&answer.headers));
    let (outcome, shown) = (outcome(answer.outcome), answer.is_shown);
    let (origin, origin_fields) = match answer.origin {
        Some(origin) if outcome == Outcome::Started => {
            (Some(index(origin)), listed(&answer.headers))
        }
        _ => (None, Vec::new()),
    };
    Ok(respond(state, answer, fields)?.map(|response| Served {
        response,
        what,
        outcome,
        shown,
        origin,
        origin_fields,
    }))
}

fn outcome(outcome: Outcome_) -> Outcome {
    match outcome {
        Outcome_::Hit => Outcome::Hit,
        Outcome_::Followed => Outcome::Followed,
        Outcome_::Bypass => Outcome::Bypass,
        Outcome_::Started => Outcome::Started,
    }
}

/// An answer as a resource that the guest hands back unread.
fn respond(state: &State, answer: Answer, fields: Fields) -> Call<Resource<p3::Response>> {
    let Ok(response) = parsed(fields).and_then(|fields| response(answer, fields)) else {
        return Ok(Err(Error::Other(
            "a field of the response is malformed".into(),
        )));
    };
    let response = response.map(|body| body.map_err(|error| cut(&error)));
    state.with(|mut access| {
        let http = access.get().http;
        let (response, _) = p3::Response::from_http(http.hooks, response);
        Ok(Ok(http.table.push(response)?))
    })
}

/// A body that fails is a connection that is cut, short of its announced end.
fn cut(error: &io::Error) -> wasmtime_wasi_http::Error {
    tracing::warn!(%error, "a response was cut");
    wasmtime_wasi_http::Error::HttpResponseIncomplete
}

fn described(digest: &Digest, size: Option<u64>, media_type: Option<String>) -> Descriptor {
    Descriptor {
        digest: digest.to_string(),
        size,
        media_type,
    }
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?;
    value.to_str().ok().map(str::to_owned)
}

fn listed(headers: &HeaderMap) -> Fields {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

/// An origin's refusal, for the guest.
pub(crate) fn refused(refusal: &Refusal_) -> Refusal {
    Refusal {
        status: refusal.status.as_u16(),
        fields: listed(&refusal.headers),
        body: refusal.body.to_vec(),
        origin: index(refusal.origin),
    }
}

/// Of a source's requests there are few.
fn index(origin: usize) -> u32 {
    u32::try_from(origin).unwrap_or(u32::MAX)
}

fn failed(error: FillError) -> Error {
    match error {
        FillError::Refused(refusal) => Error::Refused(refused(&refusal)),
        FillError::Unreachable(why) => Error::Unreachable(why),
        FillError::Timeout => Error::Timeout,
        FillError::Mismatch(why) => {
            tracing::warn!(%why, "an origin's bytes are not those of the digest");
            Error::Mismatch
        }
        FillError::TooLarge(_) => Error::TooLarge,
        FillError::Busy(seconds) => Error::Busy(seconds),
        FillError::Yielded => Error::Busy(RETRY_AFTER),
        FillError::NoSpace => Error::NoSpace,
        FillError::Unsatisfiable(size) => Error::Unsatisfiable(size),
        FillError::Store(why) | FillError::Request(why) => Error::Other(why),
        FillError::Abandoned => Error::Other(error.to_string()),
    }
}
