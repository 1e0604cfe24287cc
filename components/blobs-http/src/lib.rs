//! The data plane where the host has none: `ledge:edge/blobs` over `wasi:http/client`, in an
//! S3-compatible bucket or behind an HTTP server that takes PUT, GET and HEAD.
//!
//! | part | modules |
//! |---|---|
//! | *pure*: values to decisions | `settings`, `platform`, `s3`, `server`, `place`, `call`, `answer`, `sent`, `lease` |
//! | calls across the border | `wire`, `context`, `store`, `upload`, `client`, `origin`, `leases` |
//! | the interface's functions | `serve` (stat, get, read) with `parts`, `fill`, `turn` and `transfer`, `ingest` with `held`, `flights`, `pushed` |
//!
//! What is stored leaves unread: the store's response goes through. What is missing passes through
//! this component's memory once, in small pieces, to the client and to the store. Nothing here may
//! trap, because a trap ends every request of the instance.

mod answer;
mod bindings;
mod call;
mod client;
mod context;
mod fault;
mod fill;
mod flights;
mod held;
mod ingest;
mod lease;
mod leases;
mod origin;
mod parts;
mod place;
mod platform;
mod pushed;
mod s3;
mod secrets;
mod sent;
mod serve;
mod server;
mod settings;
mod store;
mod transfer;
mod turn;
mod upload;
mod wire;

use answer::Way;
use bindings::exports::ledge::edge::blobs::{
    Descriptor, Error, Field, Guest, Ingested, Keeping, Prefetched, Range, Served, Source,
};
use bindings::wasi::http::types::Response;
use context::settings;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use origin::Origins;

/// What the component exports.
#[derive(Debug)]
pub struct Component;

impl Guest for Component {
    type Upload = pushed::NoUpload;

    async fn stat(digest: String) -> Result<Option<Descriptor>, Error> {
        let digest = parsed(&digest)?;
        serve::stat(&*settings().await?, &digest).await
    }

    async fn get(
        digest: String,
        ranges: Vec<Range>,
        fields: Vec<Field>,
    ) -> Result<Option<Response>, Error> {
        let digest = parsed(&digest)?;
        let settings = settings().await?;
        let ranges = wanted(&ranges);
        let found = serve::get(&settings, &digest, &ranges, fields.clone(), Way::Hit).await?;
        let found = match found {
            None => held::get(&digest, &ranges, fields)?,
            found => found,
        };
        Ok(found.map(|served| served.response))
    }

    async fn read(digest: String, max: u32) -> Result<Option<Vec<u8>>, Error> {
        let digest = parsed(&digest)?;
        // It was verified a moment ago, and has at most as many bytes as its reader takes.
        if let Some(bytes) = held::read(&digest) {
            return Ok(Some(bytes));
        }
        serve::read(&*settings().await?, &digest, max).await
    }

    async fn fill(
        want: Descriptor,
        source: Source,
        ranges: Vec<Range>,
        fields: Vec<Field>,
        _keep: Keeping,
    ) -> Result<Served, Error> {
        let wanted = fill::Wanted {
            digest: parsed(&want.digest)?,
            settings: settings().await?,
            size: want.size,
            ranges: wanted(&ranges),
            fields,
        };
        wanted.fill(&Origins::new(&source)?).await
    }

    /// An instance may be stopped when its last response is sent: nobody would wait for this one.
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
        let want = match want {
            Some(want) => Some(ingest::Wanted {
                digest: parsed(&want.digest)?,
                size: want.size,
            }),
            None => None,
        };
        let origins = Origins::new(&source)?;
        ingest::ingest(&settings().await?, want.as_ref(), &origins, max).await
    }

    /// Nothing is evicted here: the bucket's own rules of life do that.
    async fn refer(_parent: String, _children: Vec<String>) -> Result<(), Error> {
        Err(Error::Unsupported)
    }

    async fn delete(digest: String) -> Result<bool, Error> {
        let digest = parsed(&digest)?;
        held::forget(&digest);
        Ok(store::delete(&*settings().await?, &digest).await?)
    }
}

fn parsed(digest: &str) -> Result<Digest, Error> {
    Digest::parse(digest).map_err(|_| Error::InvalidDigest)
}

fn wanted(ranges: &[Range]) -> Vec<ByteRange> {
    let range = |range: &Range| match *range {
        Range::From(first) => ByteRange::From(first),
        Range::Between((first, last)) => ByteRange::Between(first, last),
        Range::Last(count) => ByteRange::Last(count),
    };
    ranges.iter().map(range).collect()
}
