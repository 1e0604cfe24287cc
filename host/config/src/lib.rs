//! Ledge's configuration: a TOML file, environment variables and flags become one typed [`Config`].
//!
//! A flag outweighs the environment, that outweighs the file, and that the default. Every value
//! remembers where it came from ([`Sourced`]), so that `ledge config show` can say so. Everything
//! is parsed before anything starts: a [`Config`] that exists is right, and what is wrong is
//! reported whole ([`Problems`]), each with its place, its reason and a hint, never with a secret.

mod access;
mod bandwidth;
mod builtin;
mod connection;
mod credentials;
mod entries;
mod environment;
mod error;
mod file;
mod flags;
mod freshness;
mod handover;
mod layers;
mod load;
mod log;
mod name;
mod provenance;
mod room;
mod rules;
mod setting;
mod shared;
mod show;
mod suggest;
mod transfer;
mod types;
mod upstreams;
mod value;

pub use bandwidth::Bandwidth;
pub use connection::{Connection, Identity, Proxy, ProxyUrl};
pub use credentials::{Credentials, Text};
pub use environment::Surroundings;
pub use error::{Fault, Place, Problem, Problems};
pub use flags::Flags;
pub use handover::{Account, UpstreamEgress};
/// What an upstream is shown, as it crosses the border to the component.
pub use ledge_core::config::Secret;
pub use log::{LogFilter, LogFormat};
pub use name::Endpoint;
pub use provenance::{FilePlace, Provenance, Sourced};
pub use room::{Amount, MaxAge, MaxSize, MinFree};
pub use shared::{Shared, SharedObjects, SharedRecords};
pub use transfer::{Abandoned, Percent, Prefetch, Ranges};
pub use types::{
    Config, Freshness, FreshnessRule, Limits, Log, Rights, Rule, Server, Store, Transfer, Upstream,
};
