//! `ledge config check` and `ledge config show`.

use std::io::{self, Write};

use ledge_config::Config;

/// Says what was checked. Whatever is wrong has been refused before.
pub(super) fn check(config: &Config, out: &mut impl Write) -> io::Result<()> {
    let upstreams = match config.upstreams.len() {
        1 => "1 upstream".to_owned(),
        several => format!("{several} upstreams"),
    };
    match &config.file {
        Some(file) => writeln!(
            out,
            "the configuration is right: {}, {upstreams}",
            file.display()
        ),
        None => writeln!(out, "the configuration is right: no file, {upstreams}"),
    }
}

/// Prints every value with where it came from.
pub(super) fn show(config: &Config, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{}", config.show())
}

#[cfg(test)]
mod tests {
    use ledge_config::{Config, Flags, Surroundings};

    use super::{check, show};

    fn config() -> Config {
        let surroundings = Surroundings {
            data_directory: Some("/data/ledge".into()),
            ..Surroundings::default()
        };
        Config::load(&Flags::default(), &surroundings).expect("the defaults")
    }

    fn printed(print: impl Fn(&Config, &mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&config(), &mut out).expect("memory takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn check_says_what_was_read() {
        assert_eq!(
            printed(check),
            "the configuration is right: no file, 7 upstreams\n"
        );
    }

    #[test]
    fn show_prints_the_defaults() {
        let shown = printed(show);
        assert!(
            shown.contains("listen = \"127.0.0.1:5000\" # default\n"),
            "{shown}"
        );
        assert!(
            shown.contains("path = \"/data/ledge\" # default\n"),
            "{shown}"
        );
    }
}
