//! Spin's key-value stores and variables as a component over WASI, so that the deployable component runs
//! where nothing but WASI 0.3 is: `wasmtime serve`.
//!
//! Variables are the environment's, under the names that Spin reads there (`SPIN_VARIABLE_LEDGE_BLOBS`).
//! Records are files of the folder that is given as [`FOLDER`], because no instance lives for long.

mod bindings;
mod key_value;
mod records;

use bindings::exports::spin::{key_value as stores, variables};
use variables::variables::Error;

/// Where the folder of records is, for the component.
pub const FOLDER: &str = "/key-value";

/// What an operator sets a variable with, and then its name in capitals (Spin's guide, "Application Variables").
const ENVIRONMENT: &str = "SPIN_VARIABLE_";

/// What the component exports.
#[derive(Debug)]
pub struct Platform;

impl stores::key_value::Guest for Platform {
    type Store = key_value::OpenStore;
}

impl variables::variables::Guest for Platform {
    async fn get(name: String) -> Result<String, Error> {
        let variable = format!("{ENVIRONMENT}{}", name.to_ascii_uppercase());
        std::env::var(variable).map_err(|_| Error::Undefined(name))
    }
}
