//! Records and leases in Valkey or Redis, shared by several nodes, and what a node does while that is away.

mod address;
mod away;
mod label;
mod lease;
mod server;
mod shared;

pub use address::{Address, AddressError};
pub use away::Away;
pub use label::Label;
pub use lease::{LeaseError, Leases, TERM};
pub use server::{Options, Server, ServerError};
pub use shared::shared;
