//! The world `ledge:edge/registry`, generated from `wit/`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::uninlined_format_args,
    reason = "generated code; its unsafe parts are the component model's calling convention"
)]

#[cfg(target_family = "wasm")]
use crate::Component;

wit_bindgen::generate!({
    path: "../../wit",
    world: "ledge:edge/registry",
    generate_all,
});

// Elsewhere the crate is built for its unit tests alone, and no linker but that of
// components takes the names of exports.
#[cfg(target_family = "wasm")]
export!(Component);
