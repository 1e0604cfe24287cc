//! The same, of the bounds of the store.

pub(super) const TABLE: &[(&str, &str)] = &[
    (
        "[store]\nmax_size = 100",
        "FILE:2:12: store.max_size: \"100\" is less than 64.0 MiB\n  \
         hint: write a size with its unit, as in \"100GiB\", a part of the file system, as in \"80%\", or \"none\"",
    ),
    (
        "[store]\nmax_size = \"all\"\nmin_free = \"some\"\nmax_age = \"10m\"",
        "FILE:2:12: store.max_size: \"all\" is neither a size nor a percentage nor \"none\"\n  \
         hint: write a size with its unit, as in \"100GiB\", a part of the file system, as in \"80%\", or \"none\"\n\
         FILE:3:12: store.min_free: \"some\" is neither a size nor a percentage nor \"auto\"\n  \
         hint: write a size with its unit, as in \"20GiB\", a part of the file system, as in \"5%\", or \"auto\"\n\
         FILE:4:11: store.max_age: \"10m\" is not between 1h and 100years",
    ),
    (
        "[store]\nmax_age = \"never\"",
        "FILE:2:11: store.max_age: \"never\" is neither a duration nor \"none\"\n  \
         hint: write a number and a unit, as in \"30d\" or \"12h\", or \"none\"",
    ),
];
