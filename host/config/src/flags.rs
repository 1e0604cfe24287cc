//! The flags that outweigh everything else.

use std::path::PathBuf;

/// The flags of every command that reads the configuration.
///
/// The texts name the environment twins; this crate reads those itself, so that an empty variable
/// counts as not set and a wrong one is reported like everything else.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Configuration file
    ///
    /// TOML. Without this flag and without LEDGE_CONFIG, `ledge/ledge.toml` in the user's
    /// configuration directory ($XDG_CONFIG_HOME or ~/.config) is read, or else
    /// /etc/ledge/ledge.toml, if they exist. No file is needed: the defaults mirror seven public
    /// registries. [env: LEDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Address and port to listen on
    ///
    /// The default is the loopback address, because opening a mirror to a network is a decision;
    /// `0.0.0.0:5000` or `[::]:5000` opens it to everyone who can reach this machine. Port 0 takes
    /// a free port; the log names it. [env: LEDGE_LISTEN] [default: 127.0.0.1:5000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,

    /// Directory of the store
    ///
    /// Blobs, manifests and records. It is made if it is missing, and used by one Ledge at a time.
    /// [env: LEDGE_STORE] [default: `ledge` in the user's data directory ($XDG_DATA_HOME or
    /// ~/.local/share)]
    #[arg(long, value_name = "DIR")]
    pub store: Option<String>,

    /// Registry component to run
    ///
    /// A WebAssembly component of the world `ledge:edge/registry`, in place of the one that is built
    /// in. It is compiled at start, which takes some seconds. [env: LEDGE_COMPONENT]
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,

    /// What to log
    ///
    /// A level (error, warn, info, debug, trace, off), or pairs of target and level, as in
    /// `warn,access=info`. [env: LEDGE_LOG] [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,

    /// How to log: text or json
    ///
    /// `text` is for people, `json` is one object a line for machines. Both go to standard error.
    /// [env: LEDGE_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}
