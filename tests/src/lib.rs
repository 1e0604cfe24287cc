//! The test kit: images, origins, links, clients and Ledge itself, each started
//! by hand on a free port in a temporary folder, and ended by its process id.
//!
//! The kit speaks to Ledge the way the world does, through its binary and its
//! sockets: it imports none of Ledge's rooms.

pub mod access;
pub mod bench;
pub mod body;
pub mod clients;
pub mod config;
pub mod demo;
pub mod digest;
pub mod disk;
pub mod ending;
pub mod files;
pub mod gate;
pub mod http;
pub mod images;
pub mod interrupt;
pub mod layers;
pub mod ledge;
pub mod link;
pub mod listen;
pub mod nodes;
pub mod origin;
pub mod process;
pub mod push;
pub mod raw;
pub mod registry;
pub mod relay;
pub mod s3;
pub mod script;
pub mod secure;
pub mod serve;
pub mod spin;
pub mod valkey;
pub mod webdav;
