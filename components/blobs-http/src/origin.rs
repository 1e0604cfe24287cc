//! Asking a source's origins, one after the other (`wit/blobs.wit`).

use crate::answer::{Found, found};
use crate::bindings::exports::ledge::edge::blobs::{Error, Refusal, Source};
use crate::call::Call;
use crate::client;
use crate::fault;
use crate::wire::{self, Reply};
use ledge_core::range::ByteRange;

/// Longer refusals are cut (`blobs.refusal`).
const REFUSAL: usize = 64 << 10;

/// The requests of a source, which can be sent again.
pub(crate) struct Origins {
    calls: Vec<Call>,
}

/// An origin that has the object, body unread.
pub(crate) struct Shown {
    /// Which of the requests it answered.
    pub(crate) index: u32,
    /// Who that is: scheme, host and port.
    pub(crate) origin: String,
    pub(crate) found: Found,
    pub(crate) reply: Reply,
}

impl Origins {
    /// # Errors
    /// A request cannot be understood.
    pub(crate) fn new(source: &Source) -> Result<Self, Error> {
        let calls = source.origins.iter().map(wire::understood);
        let calls: Option<Vec<_>> = calls.collect();
        match calls {
            Some(calls) if !calls.is_empty() => Ok(Self { calls }),
            _ => Err(Error::Other(
                "a source without a request to an origin".to_owned(),
            )),
        }
    }

    /// The first origin from which `take` gets what is wanted, those among `suspects` asked last. `take` says
    /// whether a failure of its own is final.
    ///
    /// # Errors
    /// What the last origin said, or what ended the search.
    pub(crate) async fn first<T>(
        &self,
        range: Option<ByteRange>,
        suspects: &[String],
        mut take: impl AsyncFnMut(Shown) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut last = Error::Unreachable("no origin was asked".to_owned());
        let mut calls: Vec<_> = (0..).zip(&self.calls).collect();
        calls.sort_by_key(|(_, call)| suspects.contains(&name(call)));
        for (index, call) in calls {
            let result = match ask(index, call, range).await {
                Ok(shown) => take(shown).await,
                Err(error) => Err(error),
            };
            match result {
                Err(error) if !is_final(&error) => last = error,
                result => return result,
            }
        }
        Err(last)
    }
}

/// Whether no other origin is to be asked (`blobs.error.refused`).
const fn is_final(error: &Error) -> bool {
    match error {
        Error::Refused(refusal) => matches!(refusal.status, 401 | 403 | 404 | 410 | 429),
        Error::Unreachable(_) | Error::Timeout | Error::Mismatch => false,
        _ => true,
    }
}

/// Who is asked.
fn name(call: &Call) -> String {
    call.url.origin().ascii_serialization()
}

async fn ask(index: u32, call: &Call, range: Option<ByteRange>) -> Result<Shown, Error> {
    let origin = name(call);
    let call = match range {
        Some(range) => call.clone().with("range", format!("bytes={range}")),
        None => call.clone(),
    };
    let asked = async {
        let reply = wire::send(&call).await?;
        client::follow(call, reply).await
    };
    let reply = asked.await.map_err(|error| fault::origin(&error))?;
    match found(reply.status, &reply.fields, range) {
        found @ (Found::Whole(_) | Found::Part(..)) => Ok(Shown {
            index,
            origin,
            found,
            reply,
        }),
        Found::Unsatisfiable(Some(size)) => Err(Error::Unsatisfiable(size)),
        Found::Malformed => Err(Error::Unreachable(
            "the origin answered with another part than was asked for".to_owned(),
        )),
        _ => Err(refused(index, reply).await),
    }
}

async fn refused(index: u32, reply: Reply) -> Error {
    let (status, fields) = (reply.status, reply.fields.clone());
    let mut body = Vec::new();
    let mut pieces = reply.body();
    while body.len() < REFUSAL
        && let Ok(Some(piece)) = pieces.piece().await
    {
        body.extend_from_slice(&piece);
    }
    body.truncate(REFUSAL);
    Error::Refused(Refusal {
        status,
        fields,
        body,
        origin: index,
    })
}
