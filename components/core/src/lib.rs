//! What a registry mirror decides, without doing it.
//!
//! Everything here takes values and returns values: no I/O, no clock, no async,
//! no global state. Time is an argument, in seconds since the Unix epoch. What
//! comes from outside is parsed into types that can only be made by parsing;
//! every parser is bounded and answers garbage with a typed error.
//!
//! Rules come from the OCI distribution specification 1.1, the OCI image
//! specification 1.1 and RFC 9110; each module names its sections.

pub mod admission;
pub mod answer;
mod bounded;
pub mod challenge;
pub mod client;
pub mod config;
pub mod credentials;
pub mod digest;
pub mod error;
pub mod fact;
pub mod freshness;
mod glob;
pub mod hash;
pub mod health;
pub mod image;
pub mod key;
pub mod link;
pub mod manifest;
pub mod media_type;
pub mod name;
pub mod paging;
pub mod pattern;
pub mod platform;
pub mod prefetch;
pub mod quota;
pub mod range;
pub mod record;
pub mod reference;
pub mod referrers;
pub mod route;
pub mod rules;
pub mod ticket;
pub mod token;
pub mod upstream;
pub mod uri;
pub mod via;
