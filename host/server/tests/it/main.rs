//! The server on the wire: raw sockets against a handler made for it.

mod access;
mod drain;
mod frames;
mod handler;
mod http1;
mod http2;
mod kit;
mod limits;
mod stall;
mod streams;
