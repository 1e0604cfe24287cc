//! All that a component is given.

use ledge_origin::Client;
use ledge_transfer::Transfers;

use crate::flights::Flights;
use crate::key_value::Stores;
use crate::variables::Variables;

/// Shared by every instance of a component.
#[derive(Clone)]
pub struct Capabilities {
    /// `ledge:edge/blobs`: the store, and the way to fill it.
    pub transfers: Transfers,
    /// `ledge:edge/flights`.
    pub flights: Flights,
    /// `spin:key-value`, by label.
    pub stores: Stores,
    /// `spin:variables`.
    pub variables: Variables,
    /// `wasi:http/client`, limited to the configured origins.
    pub client: Client,
}
