//! What nodes share: a bucket of objects, and transfers that one does for all.
//!
//! | file | its part |
//! |---|---|
//! | `fleet` | the nodes, as one of them sees them |
//! | `object` | one object: which node fetches it, and who has it already |
//! | `holding` | the leases that this node holds |
//! | `pass` | what a lease says: where its holder is, and what opens its door |
//! | `peer` | asks the holder for the bytes |
//! | `share` | answers a node that asks this one |
//!
//! Nothing of it is needed for a pull: whatever fails, an origin is asked.

mod fleet;
mod holding;
mod object;
mod pass;
mod peer;
mod share;

pub use fleet::{Fleet, Options};
pub use share::SharedBody;
