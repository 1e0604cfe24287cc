//! The world `ledge:edge/provider`, generated from `wit/`, and the client that the registry
//! component gets in place of a host's (`client`).
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
    inline: "
        package ledge:blobs-http;

        world adapter {
            include ledge:edge/provider@0.1.0;
            import wasi:clocks/monotonic-clock@0.3.0;
            export wasi:http/client@0.3.0;
        }
    ",
    world: "ledge:blobs-http/adapter",
    generate_all,
});

// Elsewhere the crate is built for its unit tests alone, and no linker but that of
// components takes the names of exports.
#[cfg(target_family = "wasm")]
export!(Component);
