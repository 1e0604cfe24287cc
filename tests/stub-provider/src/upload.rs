//! Uploads, which this provider does not take.

use crate::bindings::exports::ledge::edge::blobs::{
    Descriptor, Error, GuestUpload, Keeping, Upload,
};
use crate::bindings::wasi::http::types::Request;

/// Never made: `open` and `resume` refuse.
pub(crate) struct NoUpload;

impl GuestUpload for NoUpload {
    async fn open() -> Result<Upload, Error> {
        Err(Error::Unsupported)
    }

    async fn resume(_id: String) -> Result<Upload, Error> {
        Err(Error::Unsupported)
    }

    fn id(&self) -> String {
        String::new()
    }

    async fn offset(&self) -> Result<u64, Error> {
        Err(Error::Unsupported)
    }

    async fn append(&self, _at: u64, _body: Request) -> Result<u64, Error> {
        Err(Error::Unsupported)
    }

    async fn commit(&self, _want: Descriptor, _keep: Keeping) -> Result<Descriptor, Error> {
        Err(Error::Unsupported)
    }

    async fn cancel(&self) -> Result<(), Error> {
        Err(Error::Unsupported)
    }
}
