//! The client on the wire, against origins in this process.

mod bodies;
mod connections;
mod credentials;
mod egress;
mod failures;
mod origin;
mod redirects;
mod requests;
mod scripted;
mod tls;
