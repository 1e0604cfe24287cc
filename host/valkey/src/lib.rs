//! Records in Valkey or Redis, shared by several nodes, and what a node does while that is away.

mod address;
mod label;
mod server;
mod shared;

pub use address::{Address, AddressError};
pub use label::Label;
pub use server::{Options, Server, ServerError};
pub use shared::shared;
