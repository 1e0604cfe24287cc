//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Sets up, builds, runs, tests and measures Ledge.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put the toolchain for WebAssembly components into place.
    Setup,
    /// Build the component, precompile it, and build the `ledge` binary around it.
    Build {
        /// Build what is deployed to Spin instead: `target/spin/ledge.wasm`, which `spin.toml` names.
        #[arg(long)]
        spin: bool,
        /// Build the same with a component that plays Spin, for any host of WASI 0.3: `target/spin/ledge-wasi.wasm`.
        #[arg(long, conflicts_with = "spin")]
        wasi: bool,
    },
    /// Build, then run `ledge serve` with these arguments.
    Run {
        /// Passed to `ledge serve`, such as `--listen 127.0.0.1:5001`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install the clients that the tests drive, build, and run every test.
    Test(Selection),
    /// Build, then show cold and warm pulls of real images through a slow link.
    Demo {
        /// Passed to the demo.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build, then measure: `bench [CASE…] [--json]`.
    Bench {
        /// Passed to the benchmark: cases, `--json` for one object a line, and what `--help` tells of.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check formatting, clippy, licences, bans and duplicate versions.
    Lint,
}

/// Which tests to run.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Run what is for another host than Ledge's own.
    #[arg(long, value_enum)]
    pub(crate) host: Option<Host>,
    /// Run only the tests whose name contains this.
    pub(crate) filter: Option<String>,
    /// Passed to every test binary, such as `--nocapture`.
    #[arg(last = true)]
    pub(crate) arguments: Vec<String>,
}

/// A host beside Ledge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    /// A small one that provides what Spin does, with the deployable component: the end-to-end suite on it and on
    /// Ledge's own, compared.
    Spin,
    /// `wasmtime serve`, with the deployable component: the tests that are about it. They run in every run where
    /// wasmtime is installed; this installs it.
    Wasmtime,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_after_bench_belong_to_the_benchmark() {
        let cli = Cli::try_parse_from(["xtask", "bench", "warm", "--json"]).expect("parses");
        let Command::Bench { arguments } = cli.command else {
            panic!("not bench")
        };
        assert_eq!(arguments, ["warm", "--json"]);
    }

    #[test]
    fn flags_of_serve_need_no_separator_and_may_have_one() {
        for line in [
            &["xtask", "run", "--listen", "[::1]:0"][..],
            &["xtask", "run", "--", "--listen", "[::1]:0"],
        ] {
            let cli = Cli::try_parse_from(line).expect("parses");
            let Command::Run { arguments } = cli.command else {
                panic!("not run")
            };
            assert_eq!(arguments, ["--listen", "[::1]:0"]);
        }
    }

    #[test]
    fn a_filter_and_arguments_of_the_test_binaries_are_told_apart() {
        let cli =
            Cli::try_parse_from(["xtask", "test", "podman", "--", "--nocapture"]).expect("parses");
        let Command::Test(selection) = cli.command else {
            panic!("not test")
        };
        assert_eq!(selection.filter.as_deref(), Some("podman"));
        assert_eq!(selection.arguments, ["--nocapture"]);
    }
}
