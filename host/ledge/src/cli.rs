//! The command line: `ledge serve`, `ledge warm`, `ledge config`, and the commands over the store.

mod configuration;
mod log_buffer;
mod logging;
mod spin;
mod store;
mod warm;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use ledge_config::{Config, Flags, Problems, Surroundings};

/// Anything that keeps a command from doing its work.
const FAILED: u8 = 1;

/// A wrong command line or a wrong configuration; clap's own code for the former. A service
/// manager can tell from it that starting again does not help.
const REFUSED: u8 = 2;

/// An OCI registry mirror for the edge
///
/// Ledge serves container images from storage beside its clients, and fetches from the origin
/// registry what is missing. Every setting and its default: docs/configuration.md.
#[derive(Debug, Parser)]
#[command(name = "ledge", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve clients until SIGTERM or SIGINT
    ///
    /// On either signal no new connection is taken, and running downloads have `server.drain`
    /// (30s) to finish. Exit codes: 0 after a drain, 1 if it cannot start, 2 if the configuration
    /// or the command line is wrong.
    Serve(Flags),
    /// Make a running mirror fetch images before anybody asks for them
    ///
    /// Pulls each image through the mirror and throws the bytes away, so this works from any machine
    /// that reaches it. Prints a table of what came of it. Exit codes: 0 if all images are warm, 1 if
    /// some are not, 2 if the command line or what it names is wrong. More: docs/warm.md.
    Warm(warm::Args),
    /// List the images of the store
    ///
    /// This and the other commands over the store work beside a mirror that serves, and without one. Of each image: how many of
    /// its objects are stored and how many bytes those have, when its origin last said what its tag means, when
    /// it was last used. More: docs/store.md.
    Ls(store::LsArgs),
    /// Say what the store holds, in numbers
    Stats(store::StatsArgs),
    /// Verify every object of the store against its digest
    ///
    /// What is wrong is put into quarantine, and fetched again by the next pull. The index is made right too. Exit codes: 0 if
    /// nothing was wrong, 1 if something was, 2 if it could not be verified.
    Fsck(store::FsckArgs),
    /// Remove images from the store
    ///
    /// All that is given must be true of an image. Objects that other images need stay. Shows what would go and asks, unless
    /// `--yes` is given. Exit codes: 0 if it was done, 1 if not, 2 if the command line is wrong.
    Purge(store::PurgeArgs),
    /// Remove from the store what is of no use
    ///
    /// What is left of broken transfers, expired records, objects that no image needs; then as much as makes the room that
    /// the store keeps free.
    Gc(store::GcArgs),
    /// Write images of the store to an OCI image layout
    ///
    /// To a directory, a tar (`NAME.tar`) or standard output (`-`), for a mirror without a network: `ledge import` there. Platforms that
    /// are all there are taken, others left out. Exit codes: 0 if it was written, 1 if not, 2 if what was asked for
    /// cannot be had.
    Export(store::ExportArgs),
    /// Read images of an OCI image layout into the store
    ///
    /// Every byte is verified. The images are served under the names that the layout gives them, as if they had been
    /// pulled now. Exit codes: 0 if all was read, 1 if not, 2 if the layout is not taken.
    Import(store::ImportArgs),
    /// Look at the configuration without starting anything
    Config(ConfigArgs),
}

#[derive(Debug, Args)]
struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is right, and if not, all that is wrong
    ///
    /// Reads the file, the environment and the flags as `serve` does. Exit codes: 0 if all is
    /// right, 2 if not.
    Check(Flags),
    /// Print every value in force and where it came from
    ///
    /// What is printed is TOML and can be used as a file. Passwords are printed as "***".
    Show(Flags),
    /// Print the configuration as the variables of Ledge's application for Spin
    ///
    /// `spin up --variable @FILE.json` takes what is printed. More: docs/spin.md.
    Spin(SpinArgs),
}

#[derive(Debug, Args)]
struct SpinArgs {
    #[command(flatten)]
    flags: Flags,
    /// Print passwords, tokens and keys too
    #[arg(long)]
    with_secrets: bool,
}

impl Cli {
    /// Runs the command; `serve` is what `ledge serve` does once the log is on.
    /// `check` is what it does before.
    pub(crate) fn run(
        self,
        check: impl FnOnce(&Config) -> anyhow::Result<()>,
        serve: impl FnOnce(&Config) -> anyhow::Result<()>,
    ) -> ExitCode {
        let outcome = match self.command {
            Command::Serve(flags) => load(&flags).and_then(|config| {
                let _log = logging::start(&config.log)?;
                serve(&config)
            }),
            Command::Warm(args) => warm::run(&args),
            Command::Ls(args) => store::ls(&args),
            Command::Stats(args) => store::stats(&args),
            Command::Fsck(args) => store::fsck(&args),
            Command::Purge(args) => store::purge(&args),
            Command::Gc(args) => store::gc(&args),
            Command::Export(args) => store::export(&args),
            Command::Import(args) => store::import(&args),
            Command::Config(args) => match args.command {
                ConfigCommand::Check(flags) => load(&flags).and_then(|config| {
                    check(&config)?;
                    print(|out| configuration::check(&config, out))
                }),
                ConfigCommand::Show(flags) => {
                    load(&flags).and_then(|config| print(|out| configuration::show(&config, out)))
                }
                ConfigCommand::Spin(args) => load(&args.flags).and_then(|config| {
                    let variables = spin::variables(&config, args.with_secrets)?;
                    print(|out| spin::print(&variables, out))
                }),
            },
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Where standard error is closed, the code has to say it.
                let _ = writeln!(std::io::stderr(), "error: {error:#}");
                ExitCode::from(code(&error))
            }
        }
    }
}

fn load(flags: &Flags) -> anyhow::Result<Config> {
    Ok(Config::load(flags, &Surroundings::of_process())?)
}

fn code(error: &anyhow::Error) -> u8 {
    match store::exit_code(error) {
        Some(code) => code,
        None if error.is::<Problems>() || warm::is_wrong_use(error) => REFUSED,
        None => FAILED,
    }
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no failure.
fn print(
    write: impl FnOnce(&mut std::io::StdoutLock<'static>) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot print"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Cli, code};

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_lines() {
        let table = [
            ("serve", true),
            (
                "serve --listen 127.0.0.1:0 --store s --config f --component c",
                true,
            ),
            ("serve --log debug --log-format json", true),
            ("config check --config f", true),
            ("config show --listen 127.0.0.1:0", true),
            ("config spin --config f --with-secrets", true),
            ("warm alpine:3.20 ghcr.io/a/b:v1", true),
            ("warm --file - --kubernetes k.yaml --file l", true),
            (
                "warm a --mirror http://m:5000 --platform all --jobs 8",
                true,
            ),
            ("warm a --platform linux/amd64,linux/arm64 --json", true),
            ("warm a --dry-run --config f", true),
            ("ls", true),
            ("ls alpine --unused 30d --json --store s", true),
            ("ls --unused soon", false),
            ("stats --config f", true),
            ("fsck --rate 10MiB --delete", true),
            ("fsck --rate fast", false),
            (
                "purge --repository team/** --upstream ghcr.io --dry-run",
                true,
            ),
            ("purge a --yes --pinned", true),
            ("purge a --yes --dry-run", false),
            ("gc --json", true),
            ("gc a", false),
            ("export a --to x.tar", true),
            ("export --all --to -", true),
            ("export --to x", false),
            ("export a", false),
            ("export a --all --to x", false),
            ("import x.tar --public --json", true),
            ("import", false),
            ("warm", false),
            ("warm --json", false),
            ("warm a --platform linux", false),
            ("warm a --jobs 0", false),
            ("warm a --mirror m:5000", false),
            ("", false),
            ("config", false),
            ("serve extra", false),
            ("serve --lsten 127.0.0.1:0", false),
        ];
        for (line, right) in table {
            let words = ["ledge"].into_iter().chain(line.split_whitespace());
            assert_eq!(Cli::try_parse_from(words).is_ok(), right, "{line}");
        }
    }

    /// Every flag of `serve` names its environment twin.
    #[test]
    fn every_flag_has_help_and_a_twin() {
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").expect("serve");
        for argument in serve.get_arguments().filter(|a| a.get_id() != "help") {
            let help = argument.get_long_help().expect("help").to_string();
            assert!(
                help.contains("[env: LEDGE_"),
                "{}: {help}",
                argument.get_id()
            );
        }
    }

    #[test]
    fn a_wrong_configuration_has_its_own_code() {
        let refused = ledge_config::Problems(Vec::new());
        assert_eq!(code(&anyhow::Error::new(refused)), 2);
        let named = ledge_warm::Wanted::default().finish();
        let nothing = named.expect_err("nothing was named");
        assert_eq!(code(&anyhow::Error::new(nothing)), 2);
        assert_eq!(code(&anyhow::anyhow!("the disk is full")), 1);
    }
}
