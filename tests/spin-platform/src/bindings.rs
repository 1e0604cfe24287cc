//! The interfaces of Spin that the deployable component imports, generated from `wit/`.
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
    inline: "
        package ledge:spin-platform;

        world platform {
            export spin:key-value/key-value@3.0.0;
            export spin:variables/variables@3.0.0;
        }
    ",
    world: "ledge:spin-platform/platform",
    generate_all,
});

#[cfg(target_family = "wasm")]
use crate::Platform;
// Elsewhere the crate is built for its unit tests alone, and no linker but that of
// components takes the names of exports.
#[cfg(target_family = "wasm")]
export!(Platform);
