//! Credentials from real files and real helpers, with a clock that the tests move.

mod docker;
mod files;
mod fixed;
mod helpers;
mod secrecy;
mod stage;
mod stuck;
