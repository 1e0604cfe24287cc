//! What clients send: nothing, here.

use crate::bindings::exports::ledge::edge::blobs::{
    Descriptor, Error, GuestUpload, Keeping, Upload,
};
use crate::bindings::wasi::http::types::Request;

/// An upload. None can be opened: this is a mirror.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the bindings show it")]
pub enum NoUpload {}

impl GuestUpload for NoUpload {
    async fn open() -> Result<Upload, Error> {
        Err(Error::Unsupported)
    }

    async fn resume(_id: String) -> Result<Upload, Error> {
        Err(Error::Unsupported)
    }

    fn id(&self) -> String {
        match *self {}
    }

    async fn offset(&self) -> Result<u64, Error> {
        match *self {}
    }

    async fn append(&self, _at: u64, _body: Request) -> Result<u64, Error> {
        match *self {}
    }

    async fn commit(&self, _want: Descriptor, _keep: Keeping) -> Result<Descriptor, Error> {
        match *self {}
    }

    async fn cancel(&self) -> Result<(), Error> {
        match *self {}
    }
}
