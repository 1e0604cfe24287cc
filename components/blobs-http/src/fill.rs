//! `fill`: an object from the store, or else from its origin.

use crate::answer::{self, Found, Way};
use crate::bindings::exports::ledge::edge::blobs::{Descriptor, Error, Outcome, Served};
use crate::bindings::wasi::http::types::Response;
use crate::call::Fields;
use crate::leases::{Claim, unique};
use crate::origin::{Origins, Shown};
use crate::sent::Sent;
use crate::serve::{self, described, elsewhere, malformed, media_type, wanted};
use crate::settings::Settings;
use crate::transfer::{Client, Ended, Keep, Transfer};
use crate::turn::{self, Turn};
use crate::upload::Upload;
use crate::wire::{self, Outgoing};
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use std::rc::Rc;

/// When to ask again for what somebody else stores and cannot be sent before, in seconds.
const BUSY: u32 = 5;

/// Parts out of order are sent of what is stored first; but a client waits so long for so many bytes and not more:
/// of a longer object it gets the whole.
const SHORT: u64 = 8 << 20;

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
    sent: Sent,
    fields: Fields,
}

impl Coming {
    /// The same, with all of it sent.
    fn whole(self) -> Self {
        Self {
            sent: Sent::Whole,
            ..self
        }
    }
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
            Found::Part(span, size) if self.allows(span.len()) => {
                let header = self.header(Way::Past, &Sent::Part(span), Some(size));
                let what = described(&self.digest, Some(size), media_type(&shown.reply));
                let response = shown.reply.body().into_response(header.0, &header.1);
                let response = response.ok_or_else(malformed)?;
                Ok(Some(bypassed(response, what)))
            }
            // It knows no ranges, or the client has to go to the bucket.
            _ => Ok(None),
        };
        origins.first(Some(range), &[], take).await
    }

    async fn whole(&self, origins: &Origins) -> Result<Served, Error> {
        let mut claim = match turn::take(self).await? {
            Turn::Mine(claim) => Some(claim),
            Turn::Stored(stored) => return Ok(found(stored, Outcome::Followed)),
            Turn::Theirs => None,
        };
        let suspects = claim.as_ref().map_or_else(Vec::new, Claim::suspects);
        let mut begun = self.ask(origins, &suspects, &mut claim).await;
        if matches!(begun, Err(Error::NoSpace)) {
            // The store failed under it, and no byte was sent yet: it goes past the store.
            begun = self.ask(origins, &suspects, &mut None).await;
        }
        if let Some(claim) = claim {
            claim.give_back().await;
        }
        begun
    }

    async fn ask(
        &self,
        origins: &Origins,
        suspects: &[String],
        claim: &mut Option<Claim>,
    ) -> Result<Served, Error> {
        let take = async |shown| {
            let coming = self.look(shown)?;
            self.begin(coming, claim).await
        };
        origins.first(None, suspects, take).await
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
        let sent = match size {
            Some(size) => wanted(&self.ranges, size, &self.fields)?,
            None => Sent::Whole,
        };
        Ok(Coming {
            size,
            sent,
            fields: shown.reply.fields.clone(),
            shown,
        })
    }

    /// Starts the transfer. The claim is taken if that stores the object.
    async fn begin(&self, coming: Coming, claim: &mut Option<Claim>) -> Result<Served, Error> {
        let can_wait = claim.is_some() && coming.size.is_some_and(|size| size <= SHORT);
        let coming = if coming.sent.is_in_order() || can_wait {
            coming
        } else {
            coming.whole()
        };
        if !self.fits(&coming) && claim.is_none() {
            return Err(Error::Busy(BUSY));
        }
        let keep = self.keep(&coming, claim).await;
        match (coming.size, keep) {
            (Some(size), Some(keep)) if !self.fits(&coming) || !coming.sent.is_in_order() => {
                self.store_first(coming, size, keep).await
            }
            (_, Some(keep)) => self.stream(coming, Some(keep)),
            (_, None) => {
                let coming = match coming.sent.is_in_order() {
                    true => coming,
                    false => coming.whole(),
                };
                if !self.fits(&coming) {
                    return Err(Error::Other(
                        "the object is longer than a response, and cannot be stored".to_owned(),
                    ));
                }
                self.stream(coming, None)
            }
        }
    }

    /// What cannot be sent from here as it comes is stored; then the client is sent to it, or gets it from there.
    async fn store_first(&self, coming: Coming, size: u64, keep: Keep) -> Result<Served, Error> {
        let what = described(&self.digest, Some(size), media_type(&coming.shown.reply));
        let transfer = Transfer {
            digest: self.digest.clone(),
            size: Some(size),
            body: coming.shown.reply.body(),
            client: None,
            keep: Some(keep),
        };
        match transfer.run().await {
            Ended::Stored => {}
            Ended::Unkept => return Err(Error::NoSpace),
            Ended::Wrong => return Err(Error::Mismatch),
            Ended::Cut => return Err(Error::Unreachable("the origin broke off".to_owned())),
        }
        let (settings, way) = (&self.settings, Way::Stored);
        let sent = &coming.sent;
        let response = match elsewhere(settings, &self.digest, sent, size, way, &self.fields)? {
            Some(response) => response,
            None => self.stored(way).await?.ok_or_else(malformed)?.response,
        };
        Ok(Served {
            response,
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
        let (status, fields) = self.header(way, &coming.sent, coming.size);
        let (body, incoming) = Outgoing::new();
        let response = wire::respond(status, &fields, Some(incoming)).ok_or_else(malformed)?;
        let what = described(&self.digest, coming.size, media_type(&coming.shown.reply));
        let index = coming.shown.index;
        let is_kept = keep.is_some();
        let transfer = Transfer {
            digest: self.digest.clone(),
            size: coming.size,
            body: coming.shown.reply.body(),
            client: Some(Client::new(body, coming.sent)),
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
                Some(Keep {
                    upload,
                    claim,
                    origin: coming.shown.origin.clone(),
                })
            }
            Err(error) => {
                eprintln!("an object is not kept: {error}");
                claim.give_back().await;
                None
            }
        }
    }

    /// Whether a response can have what is sent.
    fn fits(&self, coming: &Coming) -> bool {
        let length = coming.sent.length(coming.size);
        length.is_none_or(|length| self.allows(length))
    }

    fn allows(&self, length: u64) -> bool {
        let most = self.settings.limits.response;
        most.is_none_or(|most| length <= most)
    }

    fn header(&self, way: Way, sent: &Sent, size: Option<u64>) -> (u16, Fields) {
        answer::header(self.fields.clone(), way, sent, size)
    }
}

/// One range of an object, and not all of it: containerd asks for the whole with `bytes=0-`.
const fn partial(ranges: &[ByteRange]) -> Option<ByteRange> {
    match ranges {
        [ByteRange::From(0)] => None,
        [range] => Some(*range),
        _ => None,
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
