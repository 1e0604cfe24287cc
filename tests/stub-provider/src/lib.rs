//! The smallest data plane outside the host: `ledge:edge/blobs` and
//! `ledge:edge/flights` over `wasi:http/client`, with everything in the memory
//! of one instance.
//!
//! It shows that the border can be implemented elsewhere. It verifies what it
//! stores, joins nobody, evicts nothing, and says `unsupported` to what it does
//! not do.

mod bindings;
mod fetch;
mod flights;
mod memory;
mod respond;
mod upload;

use bindings::exports::ledge::edge::blobs::{
    Descriptor, Error, Field, Guest, Ingested, Keeping, Outcome, Prefetched, Range, Served, Source,
};
use bindings::wasi::http::types::Response;
use fetch::Fetched;
use memory::Object;
use upload::NoUpload;

/// What the component exports.
struct Provider;

impl Guest for Provider {
    type Upload = NoUpload;

    async fn stat(digest: String) -> Result<Option<Descriptor>, Error> {
        let digest = memory::parse(&digest)?;
        Ok(memory::find(&digest).map(|object| object.descriptor(&digest)))
    }

    async fn get(
        digest: String,
        ranges: Vec<Range>,
        fields: Vec<Field>,
    ) -> Result<Option<Response>, Error> {
        let Some(object) = memory::find(&memory::parse(&digest)?) else {
            return Ok(None);
        };
        respond::with(&object, &ranges, fields).map(Some)
    }

    async fn read(digest: String, max: u32) -> Result<Option<Vec<u8>>, Error> {
        let Some(object) = memory::find(&memory::parse(&digest)?) else {
            return Ok(None);
        };
        if object.bytes.len() as u64 > u64::from(max) {
            return Err(Error::TooLarge);
        }
        Ok(Some(object.bytes.to_vec()))
    }

    async fn fill(
        want: Descriptor,
        source: Source,
        ranges: Vec<Range>,
        fields: Vec<Field>,
        _keep: Keeping,
    ) -> Result<Served, Error> {
        let digest = memory::parse(&want.digest)?;
        if let Some(object) = memory::find(&digest) {
            return Ok(Served {
                response: respond::with(&object, &ranges, fields)?,
                what: object.descriptor(&digest),
                outcome: Outcome::Hit,
                shown: false,
                origin: None,
                origin_fields: Vec::new(),
            });
        }
        let fetched = fetch::first(source.origins, memory::LARGEST).await?;
        let origin_fields = fetched.fields.clone();
        let object = verified(fetched, Some(&want))?;
        memory::put(&digest, &object);
        let response = respond::with(&object, &ranges, fields)?;
        Ok(Served {
            response,
            what: object.descriptor(&digest),
            outcome: Outcome::Started,
            shown: true,
            origin: Some(0),
            origin_fields,
        })
    }

    async fn prefetch(
        _want: Descriptor,
        _source: Source,
        _keep: Keeping,
    ) -> Result<Prefetched, Error> {
        Err(Error::Unsupported)
    }

    async fn ingest(
        want: Option<Descriptor>,
        source: Source,
        max: u32,
        _keep: Keeping,
    ) -> Result<Ingested, Error> {
        if let Some(want) = &want
            && let Some(what) = Self::stat(want.digest.clone()).await?
        {
            return Ok(Ingested {
                what,
                origin: None,
                origin_fields: Vec::new(),
            });
        }
        let fetched = fetch::first(source.origins, u64::from(max)).await?;
        let origin_fields = fetched.fields.clone();
        let object = verified(fetched, want.as_ref())?;
        let digest = match &want {
            Some(want) => memory::parse(&want.digest)?,
            None => memory::sha256(&object.bytes),
        };
        memory::put(&digest, &object);
        Ok(Ingested {
            what: object.descriptor(&digest),
            origin: Some(0),
            origin_fields,
        })
    }

    async fn refer(_parent: String, _children: Vec<String>) -> Result<(), Error> {
        Err(Error::Unsupported)
    }

    async fn delete(_digest: String) -> Result<bool, Error> {
        Err(Error::Unsupported)
    }
}

/// The object, if it is what was wanted.
fn verified(fetched: Fetched, want: Option<&Descriptor>) -> Result<Object, Error> {
    if let Some(want) = want {
        let digest = memory::parse(&want.digest)?;
        let length_differs = want
            .size
            .is_some_and(|size| size != fetched.body.len() as u64);
        if length_differs || memory::digest_of(&digest, &fetched.body) != digest {
            return Err(Error::Mismatch);
        }
    }
    Ok(Object::new(fetched.body, fetched.media_type))
}
