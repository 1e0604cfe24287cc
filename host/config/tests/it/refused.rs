use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use crate::Given;

/// Each row: a file, and what is said of it.
#[test]
fn words_of_refusal() {
    for (file, said) in TABLE {
        assert_eq!(Given::file(file).refused(), *said, "of:\n{file}");
    }
}

const TABLE: &[(&str, &str)] = &[
    (
        "[server]\nlsten = \"127.0.0.1:5000\"",
        "FILE:2:1: server.lsten: there is no such setting\n  hint: did you mean listen?",
    ),
    (
        "[sever]\n",
        "FILE:1:2: sever: there is no such setting\n  hint: did you mean server?",
    ),
    (
        "listen = \"127.0.0.1:5000\"",
        "FILE:1:1: listen: there is no such setting\n  hint: listen belongs in [server]",
    ),
    (
        "[store]\ndefault_upstream = \"docker.io\"",
        "FILE:2:1: store.default_upstream: there is no such setting\n  \
         hint: default_upstream stands above the first section",
    ),
    (
        "\"a\\nb\" = 1",
        "FILE:1:1: \"a\\nb\": there is no such setting",
    ),
    (
        "server = 5",
        "FILE:1:1: server: expected a section, found integer",
    ),
    (
        "[[server]]",
        "FILE:1:3: server: expected a section, found array",
    ),
    (
        "[server]\nlisten = 5000",
        "FILE:2:10: server.listen: expected a string, found integer",
    ),
    (
        "[server]\nlisten = \"localhost:5000\"",
        "FILE:2:10: server.listen: \"localhost:5000\" is not an address and a port\n  \
         hint: write a numeric address and a port, as in \"127.0.0.1:5000\", \"0.0.0.0:5000\" or \"[::]:5000\"",
    ),
    (
        "[server]\ndrain = \"30\"",
        "FILE:2:9: server.drain: \"30\" is not a duration\n  \
         hint: write a number and a unit, as in \"500ms\", \"30s\", \"5m\" or \"1h 30m\"",
    ),
    (
        "[server]\ndrain = \"2days\"",
        "FILE:2:9: server.drain: \"2days\" is not between \"0s\" and \"1day\"",
    ),
    (
        "[server]\nmax_connections = -1",
        "FILE:2:19: server.max_connections: \"-1\" is not a whole number",
    ),
    (
        "[server]\nmax_connections = 0x0",
        "FILE:2:19: server.max_connections: 0 is not between 1 and 1000000",
    ),
    (
        "[server]\nwrite_timeout = \"500ms\"",
        "FILE:2:17: server.write_timeout: \"500ms\" is not between \"1s\" and \"1day\"",
    ),
    (
        "[server]\nmax_connections = \"1\"",
        "FILE:2:19: server.max_connections: expected an integer, found string",
    ),
    (
        "[store]\nmemory = \"64 parsec\"",
        "FILE:2:10: store.memory: \"64 parsec\" is not a size\n  \
         hint: write a number and a unit, as in \"512KiB\", \"64MiB\" or \"2GiB\"",
    ),
    (
        "[store]\nmemory = 0.5",
        "FILE:2:10: store.memory: expected a string or an integer, found float",
    ),
    ("[store]\npath = \"\"", "FILE:2:8: store.path: it is empty"),
    (
        "[limits]\ninstance_memory = \"8GiB\"",
        "FILE:2:19: limits.instance_memory: \"8GiB\" is not between \"1MiB\" and \"4GiB\"",
    ),
    (
        "[limits]\ntransfers_per_origin = 0",
        "FILE:2:24: limits.transfers_per_origin: 0 is not between 1 and 65536",
    ),
    (
        "[limits]\nbandwidth = 10",
        "FILE:2:13: limits.bandwidth: \"10\" a second is less than \"64KiB\"\n  \
         hint: write a size with its unit, as in \"10MiB\", or \"0\" for no limit",
    ),
    (
        "[limits]\nbandwidth_per_origin = \"10 Mbit/s\"",
        "FILE:2:24: limits.bandwidth_per_origin: \"10 Mbit/s\" is not a size\n  \
         hint: write a number and a unit, as in \"512KiB\", \"64MiB\" or \"2GiB\"",
    ),
    (
        "[transfer]\nabandoned = \"100%\"",
        "FILE:2:13: transfer.abandoned: \"100%\" is neither \"keep\" nor \"stop\" nor a percentage\n  \
         hint: a percentage is written from \"1%\" to \"99%\"",
    ),
    (
        "[transfer]\nabandoned = 50",
        "FILE:2:13: transfer.abandoned: expected a string, found integer",
    ),
    (
        "[transfer]\nranges = \"part\"",
        "FILE:2:10: transfer.ranges: \"part\" is neither \"whole\" nor a size\n  \
         hint: write a size with its unit, as in \"64MiB\", or \"whole\"",
    ),
    (
        "[transfer]\nleftovers = \"1year\"",
        "FILE:2:13: transfer.leftovers: \"1year\" is not between \"0s\" and \"30days\"",
    ),
    (
        "[log]\nformat = \"xml\"",
        "FILE:2:10: log.format: \"xml\" is not a log format\n  hint: write \"text\" or \"json\"",
    ),
    (
        "[log]\nfilter = \"debgu\"",
        "FILE:2:10: log.filter: \"debgu\" is not a log filter\n  \
         hint: write error, warn, info, debug, trace or off, or pairs as in \"warn,access=info\"",
    ),
    (
        "default_upstream = \"dokcer.io\"",
        "FILE:1:20: default_upstream: no upstream \"dokcer.io\" is configured\n  \
         hint: did you mean \"docker.io\"?",
    ),
    (
        "default_upstream = \"index.docker.io\"",
        "FILE:1:20: default_upstream: no upstream \"index.docker.io\" is configured\n  \
         hint: did you mean \"docker.io\"?",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://ghcr.io/v2\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL holds a path, a query or a fragment\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://me:hunter2@ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL holds a user name or a password\n  \
         hint: put them under username and password",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: it is not a URL: relative URL without a base\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"ftp://ghcr.io\"",
        "FILE:2:7: upstreams.\"ghcr.io\".url: the URL's scheme is \"ftp\", neither https nor http\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nurl = \"https://a\"\nendpoints = [\"https://b\"]",
        "FILE:3:13: upstreams.\"ghcr.io\".endpoints: url and endpoints cannot both be given",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = []",
        "FILE:2:13: upstreams.\"ghcr.io\".endpoints: it is empty",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = [\"https://a\",\n  \"b\"]",
        "FILE:3:3: upstreams.\"ghcr.io\".endpoints: it is not a URL: relative URL without a base\n  \
         hint: write scheme, host and port alone, as in \"https://registry.example:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nendpoints = [\"https://a\", 5]",
        "FILE:2:13: upstreams.\"ghcr.io\".endpoints: expected a list of strings, found integer",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = \"a\"",
        "FILE:2:11: upstreams.\"ghcr.io\".aliases: expected a list of strings, found string",
    ),
    (
        "[upstreams.\"registry.example\"]\n",
        "FILE:1:12: upstreams.\"registry.example\": it has neither url nor endpoints, and it is not built in\n  \
         hint: add url = \"https://registry.example\"",
    ),
    (
        "[upstreams.\"index.docker.io\"]\n",
        "FILE:1:12: upstreams.\"index.docker.io\": it has neither url nor endpoints, and it is not built in\n  \
         hint: did you mean \"docker.io\"? If not, add url = \"https://index.docker.io\"",
    ),
    (
        "[upstreams.docker.io]\n",
        "FILE:1:12: upstreams.docker: a name with dots in it must stand in quotation marks\n  \
         hint: write [upstreams.\"docker.io\"]",
    ),
    (
        "[upstreams.registry.k8s.io]\nfresh = \"1m\"",
        "FILE:1:12: upstreams.registry: a name with dots in it must stand in quotation marks\n  \
         hint: write [upstreams.\"registry.k8s.io\"]",
    ),
    (
        "[upstreams.\"GHCR.io\"]\n",
        "FILE:1:12: upstreams.\"GHCR.io\": \"GHCR.io\" is not a registry's name\n  \
         hint: write a host in lowercase, with a port if it has one, as in \"registry.example:5000\"",
    ),
    (
        "[upstreams]\n\"ghcr.io\" = \"https://ghcr.io\"",
        "FILE:2:1: upstreams.\"ghcr.io\": expected a section, found string",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"",
        "FILE:1:12: upstreams.\"ghcr.io\": username is given without password\n  \
         hint: give both, or neither for anonymous pulls",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me:hunter2\"\npassword = \"x\"",
        "FILE:2:12: upstreams.\"ghcr.io\".username: HTTP's Basic scheme cannot carry it\n  \
         hint: neither may be empty or hold control characters, and a user name holds no colon",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword = [\"hunter2\"]",
        "FILE:3:12: upstreams.\"ghcr.io\".password: expected a string, found array",
    ),
    (
        "[upstreams.\"ghcr.io\"]\npasword = \"hunter2\"",
        "FILE:2:1: upstreams.\"ghcr.io\".pasword: there is no such setting\n  \
         hint: did you mean password?",
    ),
    (
        "[upstreams.\"ghcr.io\"]\ntrusted_hosts = [\"https://auth.example\"]",
        "FILE:2:18: upstreams.\"ghcr.io\".trusted_hosts: \"https://auth.example\" is not a host, or a host and a port\n  \
         hint: write it without a scheme, as in \"auth.example\" or \"10.0.0.5:5000\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfresh = \"1500ms\"",
        "FILE:2:9: upstreams.\"ghcr.io\".fresh: \"1500ms\" is not a whole number of seconds\n  \
         hint: write \"1s\" or more, or \"0s\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\nfresh = \"2years\"",
        "FILE:2:9: upstreams.\"ghcr.io\".fresh: \"2years\" is not between \"0s\" and \"1year\"",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = [\"mirror\"]\n[upstreams.\"quay.io\"]\naliases = [\"mirror\"]",
        "FILE:4:11: upstreams.\"quay.io\".aliases: \"mirror\" is already an alias of ghcr.io",
    ),
    (
        "[upstreams.\"ghcr.io\"]\naliases = [\"quay.io\"]\n[upstreams.\"quay.io\"]",
        "FILE:2:11: upstreams.\"ghcr.io\".aliases: \"quay.io\" is already the name of an upstream",
    ),
    (
        "[server]\nlisten = \"127.0.0.1:5000\"\nlisten = \"127.0.0.1:5001\"",
        "FILE:3:1: it is not valid TOML: duplicate key",
    ),
    (
        "[upstreams.\"ghcr.io\"]\npassword = \"hunter2",
        "FILE:2:20: it is not valid TOML: invalid basic string, expected `\"`",
    ),
    (
        "default_upstream = \n",
        "FILE:1:20: it is not valid TOML: string values must be quoted, expected literal string",
    ),
    (
        "# grüße\n[log]\nfilter = \"ä\", format",
        "FILE:3:13: it is not valid TOML: unexpected key or value, expected newline, `#`",
    ),
];

#[test]
fn all_problems_are_told_at_once_from_top_to_bottom() {
    let given = Given::file(
        "[log]\nfilter = \"loud\"\n[server]\nlisten = \"x\"\nnonsense = 1\n[limits]\nrequests = 0\n",
    )
    .variable("LEDGE_STORE_MEMORY", "much");
    let refused = given.refused();
    let places: Vec<&str> = refused
        .lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(": ").next())
        .collect();
    let expected = [
        "FILE:2:10",
        "FILE:4:10",
        "FILE:5:1",
        "FILE:7:12",
        "environment LEDGE_STORE_MEMORY",
    ];
    assert_eq!(places, expected);
}

#[test]
fn files_that_are_none() {
    assert_eq!(
        Given::file([0xff, 0xfe]).refused(),
        "FILE: it is not UTF-8 text"
    );
    let long = "#".repeat(1024 * 1024 + 1);
    assert_eq!(
        Given::file(long).refused(),
        "FILE: the file is longer than 1048576 bytes"
    );
    let mut given = Given::nothing();
    given.flags.config = Some(given.directory.path().to_path_buf());
    let said = given.refused();
    assert!(
        said.ends_with(": the file cannot be read: Is a directory (os error 21)"),
        "{said}"
    );
}

#[test]
fn what_is_quoted_is_cut_and_on_one_line() {
    let file = format!("[server]\nlisten = \"{}\"", "\\u001b[31m".repeat(1000));
    let refused = Given::file(file).refused();
    assert!(refused.len() < 600, "{refused}");
    assert!(!refused.contains('\u{1b}'), "{refused}");
}

#[test]
fn nesting_is_bounded() {
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Given::file(deep).load().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_never_panics(text in any::<String>()) {
        let _ = Given::file(text).load();
    }

    /// Garbage where values and keys stand, so that it reaches the parsers behind TOML's own.
    #[test]
    fn garbage_in_its_place_never_panics(
        section in "server|store|limits|transfer|log|upstreams|upstreams.\"a\"|x",
        key in "[a-z_]{1,8}|listen|drain|path|memory|bandwidth|abandoned|ranges|leftovers|filter|url|endpoints|aliases|password|fresh",
        value in any::<String>(),
        list in any::<bool>(),
    ) {
        let value = toml_string(&value);
        let value = if list { format!("[{value}]") } else { value };
        let _ = Given::file(format!("[{section}]\n{key} = {value}\n")).load();
    }

    #[test]
    fn a_password_is_never_repeated(before in "[ -~]{0,20}", broken in any::<bool>()) {
        let end = if broken { "" } else { "\"" };
        let text = format!(
            "{before}\n[upstreams.\"a\"]\nusername = \"u\"\npassword = \"hunter2{end}\nurl = 5\n"
        );
        if let Err(problems) = Given::file(text).load() {
            let (printed, debugged) = (problems.to_string(), format!("{problems:?}"));
            prop_assert!(!printed.contains("hunter2"), "{}", printed);
            prop_assert!(!debugged.contains("hunter2"), "{}", debugged);
        }
    }
}

/// A basic string of TOML (1.0.0, "String").
fn toml_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| format!("\\U{:08X}", u32::from(c)))
        .collect();
    format!("\"{escaped}\"")
}
