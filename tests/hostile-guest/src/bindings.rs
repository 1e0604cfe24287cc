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

wit_bindgen::generate!({
    path: "../../wit",
    world: "ledge:edge/registry",
    generate_all,
});

#[cfg(target_family = "wasm")]
use crate::Guest;
#[cfg(target_family = "wasm")]
export!(Guest);
