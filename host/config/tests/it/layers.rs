use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use bytesize::ByteSize;
use ledge_config::{Abandoned, Flags, LogFormat, Prefetch, Provenance, Ranges};

use crate::Given;

fn listen_flag(address: &str) -> Flags {
    Flags {
        listen: Some(address.to_owned()),
        ..Flags::default()
    }
}

#[test]
fn with_nothing_at_all_there_are_defaults() {
    let config = Given::nothing().loaded();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:5000");
    assert_eq!(config.server.listen.provenance, Provenance::Default);
    assert_eq!(config.store.path.to_str(), Some("/data/ledge"));
    assert_eq!(config.limits.request_timeout.value, Duration::from_secs(25));
    assert_eq!(config.file, None);
    assert!(config.component.is_none());
    let names: Vec<&str> = config.upstreams.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "docker.io",
            "gcr.io",
            "ghcr.io",
            "mcr.microsoft.com",
            "public.ecr.aws",
            "quay.io",
            "registry.k8s.io"
        ]
    );
    assert_eq!(
        config.default_upstream.as_deref().map(String::as_str),
        Some("docker.io")
    );
}

#[test]
fn a_flag_outweighs_the_environment_and_that_the_file() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"";
    let listens = |given: &Given| {
        let listen = given.loaded().server.listen;
        (listen.port(), listen.provenance.to_string())
    };
    let given = Given::file(file);
    let place = format!("{}:2", given.path().display());
    assert_eq!(listens(&given), (1, place));
    let given = given.variable("LEDGE_LISTEN", "127.0.0.1:2");
    assert_eq!(listens(&given), (2, "environment LEDGE_LISTEN".to_owned()));
    let given = given.flags(listen_flag("127.0.0.1:3"));
    assert_eq!(listens(&given), (3, "flag --listen".to_owned()));
}

#[test]
fn what_is_outweighed_must_be_right_all_the_same() {
    let given = Given::file("[server]\nlisten = \"here\"").flags(listen_flag("127.0.0.1:3"));
    assert!(
        given.refused().starts_with("FILE:2:10: server.listen: "),
        "{}",
        given.refused()
    );
}

#[test]
fn every_scalar_has_an_environment_twin() {
    let config = Given::nothing()
        .variable("LEDGE_DEFAULT_UPSTREAM", "quay.io")
        .variable("LEDGE_LISTEN", "[::1]:0")
        .variable("LEDGE_SERVER_DRAIN", "1s")
        .variable("LEDGE_SERVER_MAX_CONNECTIONS", "2")
        .variable("LEDGE_SERVER_HEADER_TIMEOUT", "3s")
        .variable("LEDGE_SERVER_WRITE_TIMEOUT", "19s")
        .variable("LEDGE_STORE", "/s")
        .variable("LEDGE_STORE_MEMORY", "4KiB")
        .variable("LEDGE_LIMITS_REQUESTS", "5")
        .variable("LEDGE_LIMITS_TRANSFERS", "6")
        .variable("LEDGE_LIMITS_TRANSFERS_PER_ORIGIN", "13")
        .variable("LEDGE_LIMITS_BANDWIDTH", "14MiB")
        .variable("LEDGE_LIMITS_BANDWIDTH_PER_ORIGIN", "15MiB")
        .variable("LEDGE_TRANSFER_ABANDONED", "16%")
        .variable("LEDGE_TRANSFER_RANGES", "17MiB")
        .variable("LEDGE_TRANSFER_LEFTOVERS", "18h")
        .variable("LEDGE_TRANSFER_PREFETCH", "small")
        .variable("LEDGE_LIMITS_INSTANCE_MEMORY", "7MiB")
        .variable("LEDGE_LIMITS_INSTANCES", "8")
        .variable("LEDGE_LIMITS_REQUEST_TIMEOUT", "9s")
        .variable("LEDGE_LIMITS_UPSTREAM_CONNECT_TIMEOUT", "10s")
        .variable("LEDGE_LIMITS_UPSTREAM_HEADER_TIMEOUT", "11s")
        .variable("LEDGE_LIMITS_UPSTREAM_IDLE_TIMEOUT", "12s")
        .variable("LEDGE_LOG", "debug")
        .variable("LEDGE_LOG_FORMAT", "json")
        .variable("LEDGE_COMPONENT", "/c.wasm")
        .loaded();
    assert_eq!(config.default_upstream.expect("a default").value, "quay.io");
    assert_eq!(config.server.listen.to_string(), "[::1]:0");
    assert_eq!(config.server.drain.as_secs(), 1);
    assert_eq!(config.server.max_connections.value, 2);
    assert_eq!(config.server.header_timeout.as_secs(), 3);
    assert_eq!(config.server.write_timeout.as_secs(), 19);
    assert_eq!(config.store.path.to_str(), Some("/s"));
    assert_eq!(config.store.memory.as_u64(), 4096);
    assert_eq!(config.limits.requests.value, 5);
    assert_eq!(config.limits.transfers.value, 6);
    assert_eq!(config.limits.transfers_per_origin.value, 13);
    let limits = &config.limits;
    assert_eq!(limits.bandwidth.bytes_per_second(), 14 << 20);
    assert_eq!(limits.bandwidth_per_origin.bytes_per_second(), 15 << 20);
    let Abandoned::KeepOver(percent) = config.transfer.abandoned.value else {
        panic!("{:?}", config.transfer.abandoned);
    };
    assert_eq!(percent.get(), 16);
    let up_to = Ranges::WholeUpTo(ByteSize::mib(17));
    assert_eq!(config.transfer.ranges.value, up_to);
    assert_eq!(config.transfer.leftovers.as_secs(), 18 * 60 * 60);
    assert_eq!(config.transfer.prefetch.value, Prefetch::Small);
    assert_eq!(config.limits.instance_memory.as_u64(), 7 << 20);
    assert_eq!(config.limits.instances.value, 8);
    assert_eq!(config.limits.request_timeout.as_secs(), 9);
    assert_eq!(config.limits.upstream_connect_timeout.as_secs(), 10);
    assert_eq!(config.limits.upstream_header_timeout.as_secs(), 11);
    assert_eq!(config.limits.upstream_idle_timeout.as_secs(), 12);
    assert_eq!(config.log.filter.as_str(), "debug");
    assert_eq!(config.log.format.value, LogFormat::Json);
    let component = config.component.expect("a component");
    assert_eq!(component.to_str(), Some("/c.wasm"));
    assert_eq!(
        component.provenance.to_string(),
        "environment LEDGE_COMPONENT"
    );
}

#[test]
fn every_flag_speaks() {
    let config = Given::nothing()
        .variable("LEDGE_STORE", "/elsewhere")
        .variable("LEDGE_COMPONENT", "/elsewhere")
        .flags(Flags {
            config: None,
            listen: Some("0.0.0.0:1".to_owned()),
            store: Some("/s".to_owned()),
            component: Some("/c.wasm".into()),
            log: Some("warn,access=info".to_owned()),
            log_format: Some("json".to_owned()),
        })
        .loaded();
    let from = [
        &config.server.listen.provenance,
        &config.store.path.provenance,
        &config.component.as_ref().expect("a component").provenance,
        &config.log.filter.provenance,
        &config.log.format.provenance,
    ];
    let flags = [
        "--listen",
        "--store",
        "--component",
        "--log",
        "--log-format",
    ];
    for (provenance, flag) in from.into_iter().zip(flags) {
        assert_eq!(*provenance, Provenance::Flag(flag));
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = Given::nothing().variable("LEDGE_LISTEN", "").loaded();
    assert_eq!(config.server.listen.provenance, Provenance::Default);
}

#[test]
fn a_variable_that_is_not_utf8_is_refused() {
    let given = Given::nothing().variable("LEDGE_LISTEN", OsString::from_vec(vec![0xff]));
    assert_eq!(
        given.refused(),
        "environment LEDGE_LISTEN: server.listen: it is not UTF-8 text"
    );
}

#[test]
fn the_file_is_where_the_flag_says_then_the_variable_then_the_usual_places() {
    let port = |given: &Given| given.loaded().server.listen.port();
    let mut given = Given::file("[server]\nlisten = \"127.0.0.1:1\"");
    let write = |given: &Given, name: &str, port: u16| {
        let path = given.directory.path().join(name);
        let text = format!("[server]\nlisten = \"127.0.0.1:{port}\"");
        std::fs::write(&path, text).expect("a written file");
        path
    };
    let second = write(&given, "second.toml", 2);
    let absent = given.directory.path().join("absent.toml");
    let below_a_file = second.join("ledge.toml");
    let usual = given.path();
    given.surroundings.config_files = vec![absent.clone(), below_a_file, usual, second];
    assert_eq!(port(&given), 1);
    let variable = write(&given, "variable.toml", 3);
    let mut given = given.variable("LEDGE_CONFIG", variable);
    assert_eq!(port(&given), 3);
    given.flags.config = Some(write(&given, "flag.toml", 4));
    assert_eq!(port(&given), 4);
    given.flags.config = Some(absent);
    let said = given.refused();
    assert!(
        said.contains("absent.toml: the file cannot be read: No such file"),
        "{said}"
    );
}

#[test]
fn without_a_home_the_store_must_be_named() {
    let mut given = Given::nothing();
    given.surroundings.data_directory = None;
    assert_eq!(
        given.refused(),
        "default: store.path: there is no home directory to put the store in\n  \
         hint: set store.path in the file, LEDGE_STORE or --store"
    );
    assert!(given.variable("LEDGE_STORE", "/s").load().is_ok());
}
