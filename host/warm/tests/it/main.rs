//! Warming a server that stands in for a mirror: what it saw is what counts.

mod failing;
mod images;
mod mirror;
mod platforms;
mod pulling;
mod tls;
