//! On a real store, with records as the registry component writes them.

mod fsck;
mod gc;
mod hostile;
mod kit;
mod layouts;
mod list;
mod purge;
