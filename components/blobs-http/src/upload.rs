//! An object on its way into the store: in one request, or in parts. Until it is committed nobody
//! sees it, and what is not committed leaves nothing behind.

use crate::call::{Call, Verb, value};
use crate::context::moment;
use crate::fault::StoreError;
use crate::place;
use crate::s3::{Bucket, begun, is_completed};
use crate::server::Server;
use crate::settings::{Settings, Store};
use crate::store::{again, settled};
use crate::wire::{self, Awaited, Outgoing};
use ledge_core::digest::Digest;
use std::rc::Rc;

/// A bucket's answers about uploads have some hundred bytes.
const ANSWER: u64 = 64 << 10;

/// What an object is uploaded as when nobody says what it is.
const UNKNOWN: &str = "application/octet-stream";

/// An upload that has begun.
pub(crate) struct Upload {
    settings: Rc<Settings>,
    /// The object's own name.
    name: String,
    /// The name under which it is put first.
    partial: Option<String>,
    media_type: String,
    /// The parts, if it goes up in parts.
    parts: Option<Parts>,
    /// Bytes of one request.
    part: u64,
    /// Bytes that no request has begun to send.
    rest: u64,
    open: Option<Open>,
}

struct Parts {
    id: String,
    /// Of those that the bucket has.
    etags: Vec<String>,
}

/// A request that is being sent.
struct Open {
    body: Outgoing,
    answer: Awaited,
    /// Bytes that it still takes.
    left: u64,
}

impl Upload {
    /// Begins to upload an object of `size` bytes. `name` is like no other.
    ///
    /// # Errors
    /// The store did not take it.
    pub(crate) async fn begin(
        settings: &Rc<Settings>,
        digest: &Digest,
        size: u64,
        media_type: Option<&str>,
        name: &str,
    ) -> Result<Self, StoreError> {
        let mut upload = Self {
            settings: settings.clone(),
            name: place::object(digest),
            partial: None,
            media_type: media_type.unwrap_or(UNKNOWN).to_owned(),
            parts: None,
            part: size,
            rest: size,
            open: None,
        };
        match &settings.store {
            Store::S3(bucket) => {
                upload.part = bucket.part(size).ok_or(StoreError::TooLarge(size))?;
                if upload.part < size {
                    upload.parts = Some(upload.create(bucket).await?);
                }
            }
            Store::Http(server) => {
                let partial = || place::partial(digest, name);
                upload.partial = server.moves().then(partial);
            }
        }
        Ok(upload)
    }

    /// What the bucket calls this upload, if it goes up in parts.
    pub(crate) fn id(&self) -> Option<&str> {
        self.parts.as_ref().map(|parts| parts.id.as_str())
    }

    /// Sends bytes. The last ones of an object that goes up in one request make it appear, so
    /// they must not be sent before they are known to be right.
    ///
    /// # Errors
    /// The store does not take them; nothing is left behind once [`Upload::abort`] was called.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        loop {
            let open = match &mut self.open {
                Some(open) => open,
                None => {
                    let open = self.next()?;
                    self.open.insert(open)
                }
            };
            let length = usize::try_from(open.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let (now, later) = bytes.split_at(length);
            let is_taken = now.is_empty() || open.body.write(now.to_vec()).await;
            if is_taken {
                open.left -= length as u64;
            }
            if !is_taken || open.left == 0 {
                self.end().await?;
            }
            bytes = later;
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Makes what was sent an object.
    ///
    /// # Errors
    /// The store did not; nothing is left behind once [`Upload::abort`] was called.
    pub(crate) async fn commit(&mut self) -> Result<(), StoreError> {
        match (&self.settings.store, &self.parts, &self.partial) {
            (Store::S3(bucket), Some(parts), _) => self.complete(bucket, parts).await?,
            (Store::Http(server), _, Some(partial)) => {
                let call = server.rename(partial, &self.name);
                success(settled(wire::send(&call).await?).await)?;
            }
            _ => {}
        }
        self.parts = None;
        self.partial = None;
        Ok(())
    }

    /// Forgets what was sent.
    pub(crate) async fn abort(mut self) {
        if let Some(Open { body, answer, .. }) = self.open.take() {
            // Its body breaks off. The bucket is done with the part when that is answered.
            drop(body);
            drop(wire::answered(answer).await);
        }
        let call = match (&self.settings.store, &self.parts, &self.partial) {
            (Store::S3(bucket), Some(parts), _) => bucket.abort(&self.name, &parts.id, moment()),
            (Store::Http(server), _, Some(partial)) => server.call(Verb::Delete, partial),
            _ => return,
        };
        undo(&call).await;
    }

    async fn create(&self, bucket: &Bucket) -> Result<Parts, StoreError> {
        let call = bucket.begin(&self.name, moment());
        let call = call.with("content-type", self.media_type.as_str());
        let reply = wire::send_with(&call, String::new()).await?;
        success(reply.status)?;
        let body = reply.body().whole(ANSWER).await?;
        let id = body.as_deref().and_then(begun);
        Ok(Parts {
            id: id.ok_or(StoreError::Malformed("it names no upload"))?,
            etags: Vec::new(),
        })
    }

    /// The next request.
    fn next(&mut self) -> Result<Open, StoreError> {
        let length = self.rest.min(self.part);
        let (body, answer) = wire::put(&self.call()?, length)?;
        self.rest -= length;
        Ok(Open {
            body,
            answer,
            left: length,
        })
    }

    fn call(&self) -> Result<Call, StoreError> {
        let too_many = || StoreError::Malformed("it has more parts than a bucket takes");
        Ok(match (&self.settings.store, &self.parts) {
            (Store::S3(bucket), Some(parts)) => {
                let number = u16::try_from(parts.etags.len() + 1).map_err(|_| too_many())?;
                bucket.send(&self.name, &parts.id, number, moment())
            }
            (Store::S3(bucket), None) => self.typed(bucket.put(&self.name, moment())),
            (Store::Http(server), _) => self.typed(self.first_name(server)),
        })
    }

    fn first_name(&self, server: &Server) -> Call {
        server.call(Verb::Put, self.partial.as_deref().unwrap_or(&self.name))
    }

    fn typed(&self, call: Call) -> Call {
        call.with("content-type", self.media_type.as_str())
    }

    /// Takes the answer to a request that was sent.
    async fn end(&mut self) -> Result<(), StoreError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let is_whole = open.left == 0;
        if is_whole {
            open.body.finish();
        }
        let reply = wire::answered(open.answer).await?;
        let etag = value(&reply.fields, "etag").map(str::to_owned);
        success(settled(reply).await)?;
        if !is_whole {
            return Err(StoreError::Malformed("it answered before it had all"));
        }
        if let Some(parts) = &mut self.parts {
            parts
                .etags
                .push(etag.ok_or(StoreError::Malformed("a part has no ETag"))?);
        }
        Ok(())
    }

    async fn complete(&self, bucket: &Bucket, parts: &Parts) -> Result<(), StoreError> {
        let (call, body) = bucket.complete(&self.name, &parts.id, &parts.etags, moment());
        let reply = wire::send_with(&call, body).await?;
        success(reply.status)?;
        let body = reply.body().whole(ANSWER).await?;
        if body.as_deref().is_some_and(is_completed) {
            Ok(())
        } else {
            Err(StoreError::Malformed("it did not put the parts together"))
        }
    }
}

/// Forgets an upload that somebody else left behind.
pub(crate) async fn forget(settings: &Settings, digest: &Digest, id: &str) {
    if let Store::S3(bucket) = &settings.store {
        undo(&bucket.abort(&place::object(digest), id, moment())).await;
    }
}

/// What cannot be undone now, the bucket's own rule of life does.
async fn undo(call: &Call) {
    match again(call).await {
        Ok(reply) => match settled(reply).await {
            200..=299 | 404 | 410 => {}
            status => eprintln!("an upload may have left parts behind: status {status}"),
        },
        Err(error) => eprintln!(
            "an upload may have left parts behind: {}",
            StoreError::from(error)
        ),
    }
}

const fn success(status: u16) -> Result<(), StoreError> {
    match status {
        200..=299 => Ok(()),
        status => Err(StoreError::Status(status)),
    }
}
