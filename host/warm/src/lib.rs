//! Warming a mirror: every image that is named is pulled through it, and the bytes are thrown away.
//!
//! This room is a client. It knows a mirror by its URL alone, and speaks the OCI distribution
//! specification 1.1 with it as containerd does (`?ns=REGISTRY`), so it works from any machine and
//! needs no store. That the bytes of blobs are right is the mirror's business, which hashes them on
//! their way in; here their length is looked at. Manifests are small, and are verified.
//!
//! [`Wanted`] gathers what to warm, [`warm`] does it, [`Summary`] tells what came of it.

mod client;
mod contents;
mod failure;
mod index;
mod kubernetes;
mod mirror;
mod options;
mod platform;
mod progress;
mod read;
mod report;
mod run;
mod table;
mod wanted;

pub use failure::Failure;
pub use ledge_core::image::{Image, ImageError};
pub use mirror::{Mirror, MirrorError};
pub use options::{Options, Retries};
pub use platform::{Platform, PlatformError, Platforms};
pub use progress::{Progress, Watch};
pub use read::{Inputs, ReadError};
pub use report::{Row, Summary};
pub use run::{WarmError, warm};
pub use wanted::{Problem, Problems, Wanted};
