//! End to end: Ledge's binary, real clients, real and scripted origins.

mod answers;
mod bad_input;
mod clients;
mod coalescing;
mod composition;
mod crash;
mod credentials;
mod drain;
mod failures;
mod hostile;
mod imports;
mod kit;
mod listing;
mod private;
mod ranges;
mod redirects;
mod referrers;
mod rooms;
mod shapes;
mod site;
mod startup;
