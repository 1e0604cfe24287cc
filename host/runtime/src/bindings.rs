//! What `wit/` says, as Rust. Types of `wasi:http` are wasmtime's own.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated code: its documentation is in wit/"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "ledge:edge/registry",
    imports: { default: trappable },
    with: {
        "wasi:clocks": wasmtime_wasi::p3::bindings::clocks,
        "wasi:http": wasmtime_wasi_http::p3::bindings::http,
        "spin:key-value/key-value.store": crate::key_value::OpenStore,
        "ledge:edge/blobs.upload": crate::blobs::Upload,
        "ledge:edge/flights.lead": crate::flights::Lead,
    },
});
