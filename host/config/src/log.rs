//! What is logged, and how.

use tracing_subscriber::EnvFilter;

use crate::error::{Fault, Quoted};

/// How log lines look. Both go to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub enum LogFormat {
    /// One line an event, for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl LogFormat {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(Fault::LogFormat(Quoted::of(text))),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// What is logged: a filter in the syntax of `tracing`'s `EnvFilter`, with one rule more. A bare
/// word must be a level; `EnvFilter` takes every other word for a target, so `debgu` would
/// silently turn all of Ledge's own log off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct LogFilter(String);

impl LogFilter {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let refused = || Fault::LogFilter(Quoted::of(text));
        // The filter's own parser panics at some text that is not ASCII (tracing-subscriber 0.3.23).
        if !text.is_ascii() || text.split(',').any(is_no_directive) {
            return Err(refused());
        }
        EnvFilter::try_new(text).map_err(|_| refused())?;
        Ok(Self(text.to_owned()))
    }

    /// The filter's text, which `EnvFilter::try_new` takes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn info() -> Self {
        Self("info".to_owned())
    }
}

/// True of a bare word that is no level.
fn is_no_directive(directive: &str) -> bool {
    let bare = directive
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'));
    let level = ["off", "error", "warn", "info", "debug", "trace"]
        .iter()
        .any(|level| directive.eq_ignore_ascii_case(level));
    bare && !level
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, proptest};

    use super::LogFilter;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn no_filter_panics(text in "[ -~]{0,30}", alike in r#"[a=\[\]{}",:.1 -]{0,20}"#) {
            let _ = LogFilter::parse(&text);
            let _ = LogFilter::parse(&alike);
        }
    }

    #[test]
    fn takes_levels_and_pairs() {
        for good in [
            "info",
            "INFO",
            "off",
            "warn,access=info",
            "info,ledge_store=debug",
            "info,[request]=trace",
        ] {
            assert!(LogFilter::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            " ",
            ",",
            "debgu",
            "info,",
            "access=loud",
            "7",
            "info,hyper",
            "info, access=info",
            "\u{a0}a=",
            "größe=info",
        ] {
            assert!(LogFilter::parse(bad).is_err(), "{bad}");
        }
    }
}
