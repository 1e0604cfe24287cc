//! The miss path: one transfer a digest, however many callers.
//!
//! A [`Transfers`] answers [`Transfers::fill`] from the store, from a transfer
//! that is running, or by starting one. A transfer belongs to the host: it
//! goes on when the client that started it hangs up. Bytes reach followers as
//! they arrive, from the partial file; the object becomes visible only when
//! its digest is right.
//!
//! This room does not know what the bytes mean, and grants nothing.

mod error;
mod follow;
mod ingest;
mod multipart;
mod renew;
mod source;
mod transfer;
mod transfers;
mod writer;

pub use error::{FillError, Refusal};
pub use follow::FollowBody;
pub use multipart::Multipart;
pub use renew::{Renew, Renewed};
pub use source::Source;
pub use transfers::{Answer, AnswerBody, Ingested, Outcome, TransferOptions, Transfers, Want};
