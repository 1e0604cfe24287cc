//! What is Spin's own, as Rust. Types of `wasi:http` are wasmtime's.
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "generated code: its documentation is in wit/deps"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package ledge:spin-host;

        world platform {
            import spin:key-value/key-value@3.0.0;
            import spin:variables/variables@3.0.0;
        }
    ",
    world: "ledge:spin-host/platform",
    imports: { default: trappable },
    with: {
        "spin:key-value/key-value.store": crate::key_value::OpenStore,
    },
});
