//! The command line. Flags that Spin has too are called as there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// A host for tests that is like Spin.
#[derive(Debug, Parser)]
#[command(name = "ledge-spin-host")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compile a component for this host, so that it starts at once.
    Compile {
        /// The component.
        component: PathBuf,
        /// The compiled file.
        out: PathBuf,
    },
    /// Serve an application until it is killed.
    Up(Up),
}

/// What `up` takes.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// The application's manifest.
    #[arg(long, default_value = "spin.toml")]
    pub(crate) from: PathBuf,
    /// Where the stores beside `default` are configured.
    #[arg(long)]
    pub(crate) runtime_config_file: Option<PathBuf>,
    /// What `compile` made of the component that the manifest names.
    #[arg(long)]
    pub(crate) compiled: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:3000")]
    pub(crate) listen: SocketAddr,
    /// `name=value`, `name=@file` or `@file.json`, as often as wanted. The environment's `SPIN_VARIABLE_NAME` counts too.
    #[arg(long = "variable")]
    pub(crate) variables: Vec<String>,
    /// Where the key-value stores outlive this process. Without it they are in memory.
    #[arg(long)]
    pub(crate) state_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reuse: Reuse,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

/// How instances are reused. The defaults are Spin's (`crates/trigger-http/src/lib.rs`).
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Reuse {
    /// How many requests one instance serves in its life.
    #[arg(long, default_value_t = 128)]
    pub(crate) max_instance_reuse_count: usize,
    /// How many requests one instance serves at a time.
    #[arg(long, default_value_t = 16)]
    pub(crate) max_instance_concurrent_reuse_count: usize,
    /// How long an instance waits for work.
    #[arg(long, default_value = "1s", value_parser = humantime::parse_duration)]
    pub(crate) idle_instance_timeout: Duration,
}

/// What a platform takes. Spin itself, on one's own machine, bounds neither bodies nor time.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Limits {
    /// The most linear memory of one instance, in bytes: all of its components' together.
    #[arg(long, default_value_t = usize::MAX)]
    pub(crate) max_memory: usize,
    /// The longest body of a response, in bytes. A longer one is cut off.
    #[arg(long, default_value_t = u64::MAX)]
    pub(crate) max_response: u64,
    /// How long a request may take, its body too. Then it is cut off.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub(crate) request_timeout: Option<Duration>,
    /// The longest key, in bytes. Spin's guide to key-value stores says 256.
    #[arg(long, default_value_t = 256)]
    pub(crate) max_key: usize,
    /// The largest value, in bytes. Spin's guide to key-value stores says 1 MB.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) max_value: usize,
}
