//! The miss path: one transfer a digest, however many callers.
//!
//! A [`Transfers`] answers [`Transfers::fill`] from the store, from a transfer
//! that is running, or by starting one. A transfer belongs to the host: it
//! goes on when the client that started it hangs up. Bytes reach followers as
//! they arrive, from the partial file; the object becomes visible only when
//! its digest is right.
//!
//! | file | its part |
//! |---|---|
//! | `transfers` | the table: who starts one, who joins |
//! | `prefetch` | starts what nobody waits for yet |
//! | `turns` | who may run now |
//! | `run`, `start`, `ground`, `crew`, `ending` | the life of one, from its turn to its end |
//! | `plan` *(pure)* | who fetches which bytes |
//! | `courier`, `stream`, `supply`, `opened` | bring bytes: a claim's, whatever breaks, from the endpoints |
//! | `nearby` *(a port)* | what is asked before them: what nodes share |
//! | `writer` | the disk's side: write, hash, verify, commit |
//! | `transfer` | what all of these and its followers share |
//! | `follow`, `direct` | a follower's body: from the file, or past a full disk |
//!
//! This room does not know what the bytes mean, and grants nothing.

mod answer;
mod counts;
mod courier;
mod crew;
mod direct;
mod ending;
mod error;
mod follow;
mod ground;
mod ingest;
mod multipart;
mod nearby;
mod opened;
mod options;
mod pace;
mod plan;
mod prefetch;
mod renew;
mod reply;
mod run;
mod source;
mod start;
mod stream;
mod supply;
mod transfer;
mod transfers;
mod turns;
mod writer;

pub use answer::{Answer, AnswerBody, Outcome};
pub use counts::Counts;
pub use error::{FillError, Refusal};
pub use follow::FollowBody;
pub use multipart::Multipart;
pub use nearby::{Nearby, NearbyBytes, NearbyObject};
pub use options::{Abandoned, Ranges, Retries, TransferOptions};
pub use prefetch::Prefetched;
pub use renew::{Renew, Renewed};
pub use source::Source;
pub use transfers::{Ingested, RETRY_AFTER, SEATS, Transfers, Want};
