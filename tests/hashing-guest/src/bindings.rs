//! What the component imports and exports.
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
        package ledge:hashing;

        world guest {
            import wasi:http/types@0.3.0;
            export wasi:http/handler@0.3.0;
        }
    ",
    world: "ledge:hashing/guest",
    generate_all,
});

#[cfg(target_family = "wasm")]
use crate::Guest;
#[cfg(target_family = "wasm")]
export!(Guest);
