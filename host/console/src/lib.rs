//! What people see of commands that take long or tell much: tables of text, sizes, progress bars.

mod bar;
mod table;

pub use bar::{bar, counter};
pub use indicatif::{BinaryBytes, ProgressBar};
pub use table::{Edge, Table};
