//! How many transfers run, and who goes first.
