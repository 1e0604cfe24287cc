//! The world `ledge:edge/provider`, generated from `wit/`.
#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::uninlined_format_args,
    reason = "generated code; its unsafe parts are the component model's calling convention"
)]

use crate::Provider;

wit_bindgen::generate!({
    path: "../../wit",
    world: "ledge:edge/provider",
    generate_all,
});

export!(Provider);
