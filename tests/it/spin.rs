//! What is deployed to Spin: the file, what it needs, the manifest around it, and that it serves. That it serves as the
//! `ledge` binary does is shown by `cargo xtask test --host spin`, which runs the tests beside this one there.

mod deployable;
mod imports;
mod manifest;
mod serves;
