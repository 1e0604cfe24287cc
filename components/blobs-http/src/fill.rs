//! `fill`: an object from the store, or else from its origin.

use crate::answer::{self, Found, Way};
use crate::bindings::exports::ledge::edge::blobs::{Descriptor, Error, Outcome, Served};
use crate::bindings::wasi::http::types::Response;
use crate::call::Fields;
use crate::leases::{Claim, unique};
use crate::origin::{Origins, Shown};
use crate::serve::{self, described, elsewhere, malformed, media_type, part_of};
use crate::settings::Settings;
use crate::transfer::{Client, Keep, Transfer};
use crate::turn::{self, Turn};
use crate::upload::Upload;
use crate::wire::{self, Outgoing};
use ledge_core::digest::Digest;
use ledge_core::range::{ByteRange, Span};
use std::rc::Rc;

/// When to ask again for what somebody else stores and cannot be sent before, in seconds.
const BUSY: u32 = 5;

/// What is wanted.
pub(crate) struct Wanted {
    pub(crate) settings: Rc<Settings>,
    pub(crate) digest: Digest,
    /// Its size, if the caller knows it.
    pub(crate) size: Option<u64>,
    pub(crate) ranges: Vec<ByteRange>,
    pub(crate) fields: Fields,
}

/// An origin's answer, looked at.
struct Coming {
    shown: Shown,
    size: Option<u64>,
    part: Option<Span>,
    fields: Fields,
}

impl Wanted {
    /// The object.
    ///
    /// # Errors
    /// As `wit/blobs.wit` says.
    pub(crate) async fn fill(self, origins: &Origins) -> Result<Served, Error> {
        if let Some(stored) = self.stored(Way::Hit).await? {
            return Ok(found(stored, Outcome::Hit));
        }
        if let Some(range) = partial(&self.ranges)
            && let Some(served) = self.past(origins, range).await?
        {
            return Ok(served);
        }
        self.whole(origins).await
    }

    /// What is stored by now.
    pub(crate) async fn stored(&self, way: Way) -> Result<Option<serve::Served>, Error> {
        let fields = self.fields.clone();
        serve::get(&self.settings, &self.digest, &self.ranges, fields, way).await
    }

    /// A range of what is not stored goes past the store, at once and unverified: whoever asks so
    /// may never want the rest. `None` if a response cannot have it.
    async fn past(&self, origins: &Origins, range: ByteRange) -> Result<Option<Served>, Error> {
        let take = async |shown: Shown| match shown.found {
            Found::Part(span, size) if self.fits(span.len()) => {
                let header = self.header(Way::Past, Some(span), Some(size));
                let what = described(&self.digest, Some(size), media_type(&shown.reply));
                let response = shown.reply.body().into_response(header.0, &header.1);
                let response = response.ok_or_else(malformed)?;
                Ok(Some(bypassed(response, what)))
            }
            // It knows no ranges, or the client has to go to the bucket.
            _ => Ok(None),
        };
        origins.first(Some(range), take).await
    }

    async fn whole(&self, origins: &Origins) -> Result<Served, Error> {
        let mut claim = match turn::take(self).await? {
            Turn::Mine(claim) => Some(claim),
            Turn::Stored(stored) => return Ok(found(stored, Outcome::Followed)),
            Turn::Theirs => None,
        };
        let begun = origins
            .first(None, async |shown| {
                let coming = self.look(shown)?;
                self.begin(coming, &mut claim).await
            })
            .await;
        if let Some(claim) = claim {
            claim.release().await;
        }
        begun
    }

    /// Whether it can be what is wanted.
    fn look(&self, shown: Shown) -> Result<Coming, Error> {
        let Found::Whole(size) = shown.found else {
            return Err(Error::Unreachable(
                "the origin answered with a part".to_owned(),
            ));
        };
        if let (Some(size), Some(wanted)) = (size, self.size)
            && size != wanted
        {
            return Err(Error::Mismatch);
        }
        let part = match size {
            Some(size) => part_of(&self.ranges, size)?,
            None => None,
        };
        Ok(Coming {
            size,
            part,
            fields: shown.reply.fields.clone(),
            shown,
        })
    }

    /// Starts the transfer. The claim is taken if that stores the object.
    async fn begin(&self, coming: Coming, claim: &mut Option<Claim>) -> Result<Served, Error> {
        let length = coming.part.map(Span::len).or(coming.size);
        let fits = length.is_none_or(|length| self.fits(length));
        if !fits && claim.is_none() {
            return Err(Error::Busy(BUSY));
        }
        let keep = self.keep(&coming, claim).await;
        match (coming.size, keep) {
            (Some(size), Some(keep)) if !fits => self.store_first(coming, size, keep).await,
            (_, None) if !fits => Err(Error::Other(
                "the object is longer than a response, and cannot be stored".to_owned(),
            )),
            (_, keep) => self.stream(coming, keep),
        }
    }

    /// What cannot be sent from here is stored, and then the client sent there.
    async fn store_first(&self, coming: Coming, size: u64, keep: Keep) -> Result<Served, Error> {
        let what = described(&self.digest, Some(size), media_type(&coming.shown.reply));
        let transfer = Transfer {
            digest: self.digest.clone(),
            size: Some(size),
            body: coming.shown.reply.body(),
            client: None,
            keep: Some(keep),
        };
        if !transfer.run().await {
            return Err(Error::Mismatch);
        }
        let (digest, part) = (&self.digest, coming.part);
        let response = elsewhere(
            &self.settings,
            digest,
            part,
            size,
            Way::Stored,
            &self.fields,
        )?;
        Ok(Served {
            response: response.ok_or_else(malformed)?,
            what,
            outcome: Outcome::Started,
            shown: true,
            origin: Some(coming.shown.index),
            origin_fields: coming.fields,
        })
    }

    fn stream(&self, coming: Coming, keep: Option<Keep>) -> Result<Served, Error> {
        let way = if keep.is_some() {
            Way::Stored
        } else {
            Way::Past
        };
        let (status, fields) = self.header(way, coming.part, coming.size);
        let (body, incoming) = Outgoing::new();
        let response = wire::respond(status, &fields, Some(incoming)).ok_or_else(malformed)?;
        let what = described(&self.digest, coming.size, media_type(&coming.shown.reply));
        let index = coming.shown.index;
        let is_kept = keep.is_some();
        let transfer = Transfer {
            digest: self.digest.clone(),
            size: coming.size,
            body: coming.shown.reply.body(),
            client: Some(Client::new(body, coming.part)),
            keep,
        };
        wit_bindgen::spawn_local(async move {
            transfer.run().await;
        });
        if !is_kept {
            return Ok(bypassed(response, what));
        }
        Ok(Served {
            response,
            what,
            outcome: Outcome::Started,
            shown: true,
            origin: Some(index),
            origin_fields: coming.fields,
        })
    }

    /// Begins to store what comes. Not where its length is unknown: a bucket wants to be told
    /// how long a part is before the origin may have said so.
    async fn keep(&self, coming: &Coming, claim: &mut Option<Claim>) -> Option<Keep> {
        let size = coming.size?;
        let mut claim = claim.take()?;
        let media_type = media_type(&coming.shown.reply);
        let (media_type, name) = (media_type.as_deref(), unique());
        let begun = Upload::begin(&self.settings, &self.digest, size, media_type, &name);
        match begun.await {
            Ok(upload) => {
                if let Some(id) = upload.id() {
                    claim.note(id).await;
                }
                Some(Keep { upload, claim })
            }
            Err(error) => {
                eprintln!("an object is not kept: {error}");
                claim.release().await;
                None
            }
        }
    }

    fn fits(&self, length: u64) -> bool {
        self.settings
            .limits
            .response
            .is_none_or(|most| length <= most)
    }

    fn header(&self, way: Way, part: Option<Span>, size: Option<u64>) -> (u16, Fields) {
        answer::header(self.fields.clone(), way, part, size)
    }
}

/// One range of an object, and not all of it: containerd asks for the whole with `bytes=0-`.
const fn partial(ranges: &[ByteRange]) -> Option<ByteRange> {
    match answer::asked(ranges) {
        Some(ByteRange::From(0)) => None,
        range => range,
    }
}

/// An answer with what is stored.
fn found(stored: serve::Served, outcome: Outcome) -> Served {
    Served {
        response: stored.response,
        what: stored.what,
        outcome,
        shown: false,
        origin: None,
        origin_fields: Vec::new(),
    }
}

/// An answer with bytes that are not kept.
const fn bypassed(response: Response, what: Descriptor) -> Served {
    Served {
        response,
        what,
        outcome: Outcome::Bypass,
        shown: true,
        origin: None,
        origin_fields: Vec::new(),
    }
}
