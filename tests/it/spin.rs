//! What is deployed to Spin: the file, what it needs, and the manifest around it. That it serves is shown by
//! `cargo xtask test --host spin`, which runs the tests beside this one there.

mod deployable;
mod imports;
mod manifest;
