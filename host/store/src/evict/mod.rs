//! The store's bounds: what may come in, and what goes for it.
//!
//! | file | its part |
//! |---|---|
//! | `policy` *(pure)* | which of a sample goes first |
//! | `books` *(pure)* | what is taken and promised, and what is too much |
//! | `entry`, `index` | what is known of an object, on the disk |
//! | `bounds`, `measure` | the operator's bounds in bytes; what the file system says |
//! | `account` | what one unfinished object takes |
//! | `enter`, `room` | objects come, are used, and go |
//! | `listing`, `reserve` | what an operator's commands ask |
//! | `walk` | makes the index agree with the directories |
//! | `keeper` | the thread that does what nobody waits for |
//!
//! Room is promised before it is written to, so the store never takes more than its bound. Uses are
//! noted in memory and written together. Nothing lists all objects in memory, or on the way of a request.

mod account;
mod books;
mod bounds;
mod enter;
mod entry;
mod index;
mod keeper;
mod listing;
mod measure;
mod policy;
mod reserve;
mod room;
mod space;
mod walk;

pub(crate) use account::Account;
pub(crate) use books::Left;
pub use books::Limits;
pub use bounds::{Amount, Bounds};
pub use entry::{Class, Keeping};
pub(crate) use keeper::Keeper;
pub use listing::{About, Page};
pub(crate) use measure::{disk_of, taken};
pub use reserve::Room;
pub(crate) use space::Space;
pub use space::Usage;
pub use walk::{Mended, Stranger};
