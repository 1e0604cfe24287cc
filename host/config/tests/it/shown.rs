use ledge_config::Flags;

use crate::Given;

#[test]
fn every_value_says_where_it_came_from() {
    let given = Given::file(
        "default_upstream = \"docker.io\"\n[server]\ndrain = \"1h 30m\"\n[store]\nmemory = 1048576\n\
         [upstreams.\"docker.io\"]\nusername = \"me\"\npassword = \"hunter2\"\nfresh = \"1m\"\n\
         [upstreams.\"registry.example:5000\"]\nurl = \"http://10.0.0.5:5000/\"\ntrusted_hosts = [\"AUTH.example\"]\n\
         stale_while_revalidate = \"30s\"\nclient_no_cache = true\n\
         [[upstreams.\"registry.example:5000\".freshness]]\ntag = \"latest\"\nfresh = \"1m\"\n\
         [[rules]]\nname = \"no arm\"\naction = \"deny\"\nupstream = \"docker.io\"\nplatform = \"linux/arm\"\n",
    )
    .variable("LEDGE_LIMITS_REQUESTS", "7")
    .variable("LEDGE_LIMITS_BANDWIDTH", "10MiB")
    .variable("LEDGE_TRANSFER_ABANDONED", "50%")
    .flags(Flags {
        listen: Some("0.0.0.0:80".to_owned()),
        component: Some("/c.wasm".into()),
        ..Flags::default()
    });
    let expected = r#"# file: FILE
# component: /c.wasm (flag --component)
default_upstream = "docker.io" # FILE:1

[server]
listen = "0.0.0.0:80" # flag --listen
drain = "1h 30m" # FILE:3
max_connections = 4096 # default
header_timeout = "30s" # default
write_timeout = "1m" # default
answers = "16MiB" # default

[store]
path = "/data/ledge" # default
memory = "1MiB" # FILE:5
max_size = "none" # default
min_free = "auto" # default
max_age = "none" # default

[limits]
requests = 7 # environment LEDGE_LIMITS_REQUESTS
transfers = 64 # default
transfers_per_origin = 32 # default
bandwidth = "10MiB" # environment LEDGE_LIMITS_BANDWIDTH
bandwidth_per_origin = "0" # default
instance_memory = "64MiB" # default
instances = 64 # default
request_timeout = "25s" # default
upstream_connect_timeout = "5s" # default
upstream_header_timeout = "15s" # default
upstream_idle_timeout = "30s" # default

[transfer]
abandoned = "50%" # environment LEDGE_TRANSFER_ABANDONED
ranges = "whole" # default
leftovers = "1day" # default
prefetch = "off" # default

[log]
format = "text" # default
filter = "info" # default

[upstreams."docker.io"]
endpoints = ["https://registry-1.docker.io"] # built in
aliases = ["index.docker.io", "registry-1.docker.io"] # built in
username = "me" # FILE:7
password = "***" # FILE:8
access = "shared" # default
trusted_hosts = ["auth.docker.io"] # built in
prefetch = "off" # default
fresh = "1m" # FILE:9
stale_while_revalidate = "0s" # default
stale_if_error = "30days" # default
negative = "30s" # default
client_no_cache = false # default

[upstreams."registry.example:5000"]
endpoints = ["http://10.0.0.5:5000"] # FILE:11
aliases = [] # default
access = "public" # default
trusted_hosts = ["auth.example"] # FILE:12
prefetch = "off" # default
fresh = "10m" # default
stale_while_revalidate = "30s" # FILE:13
stale_if_error = "30days" # default
negative = "30s" # default
client_no_cache = true # FILE:14

[[upstreams."registry.example:5000".freshness]]
tag = "latest" # FILE:16
fresh = "1m" # FILE:17

[[rules]]
name = "no arm" # FILE:19
action = "deny" # FILE:20
upstream = "docker.io" # FILE:21
platform = "linux/arm" # FILE:22
"#;
    assert_eq!(given.shown(), expected);
}

/// What `show` prints, without the comments about where values came from.
fn values(given: &Given) -> String {
    let shown = given.shown();
    let lines = shown.lines().filter(|line| !line.starts_with("# file"));
    lines
        .map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn what_is_shown_reads_back() {
    let files = [
        "",
        "[upstreams.\"quay.io\"]\n[upstreams.\"ghcr.io\"]\naliases = [\"gh\"]\nurl = \"http://[::1]:1\"",
        "[upstreams.\"docker.io\"]\nusername = \"u # \\\" '\"\npassword = \"p\"",
        "[upstreams.\"docker.io\"]\nurl = \"http://127.0.0.1:5001\"\ntrusted_hosts = [\"a\", \"b:1\"]",
        "[store]\npath = \"/a\\\\b\\\"c # d\"\nmemory = \"1.5GB\"\n[server]\ndrain = \"1h 2m 3s 4ms\"",
        "[limits]\nbandwidth = 65536\nbandwidth_per_origin = \"1.5MB\"",
        "[transfer]\nabandoned = \"07%\"\nranges = \"1.5GB\"\nleftovers = \"30days\"",
        "[upstreams.\"ghcr.io\"]\nclient_no_cache = true\nnegative = \"0s\"\nstale_if_error = \"90days\"\n\
         [[upstreams.\"ghcr.io\".freshness]]\nrepository = \"team/**\"\ntag = \"v*\"\nfresh = \"1day\"\n\
         [[upstreams.\"ghcr.io\".freshness]]\nfresh = \"0s\"\n[upstreams.\"quay.io\"]",
        "rules = [{name = \"a\", action = \"allow\", repository = \"a/*\"}, {name = \"b\", action = \"deny\", tag = \"*\"}]",
        "[transfer]\nabandoned = \"stop\"\nranges = 0\nleftovers = \"0s\"",
        "[transfer]\nprefetch = \"all\"\n[upstreams.\"ghcr.io\"]\n[upstreams.\"quay.io\"]\nprefetch = \"small\"",
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword_file = \"a \\\"b\"\nca_file = [\"c\", \"d\"]",
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword_env = \"A_1\"\nca_file = \"c\"",
        "[upstreams.\"ghcr.io\"]\ntoken = \"t\"\nproxy = \"http://proxy.lan:3128\"",
        "[upstreams.\"ghcr.io\"]\ntoken_file = \"t\"\nproxy = \"u:p@proxy.lan\"\nno_proxy = \".lan, 10.0.0.0/8\"",
        "[upstreams.\"ghcr.io\"]\ntoken_env = \"T\"\nclient_certificate = \"c\"\nclient_key = \"k\"",
        "[upstreams.\"ghcr.io\"]\ndocker_config = true\nproxy = \"\"",
        "[upstreams.\"ghcr.io\"]\ndocker_config = \"/a/config.json\"",
        "[upstreams.\"ghcr.io\"]\ndocker_config = false",
        "[upstreams.\"ghcr.io\"]\ncredential_helper = \"ecr-login\"\npublic = [\"a/*\", \"b\"]",
        "[upstreams.\"ghcr.io\"]\naccess = \"pass-through\"\nallowed_for = \"1h\"",
    ];
    for file in files {
        let given = Given::file(file);
        // Of a password only the stars come back.
        let again = Given::file(given.shown());
        assert_eq!(values(&given), values(&again), "of:\n{file}");
        assert_eq!(given.loaded().egress(), again.loaded().egress());
        assert_eq!(
            given.loaded().registry().rules,
            again.loaded().registry().rules
        );
    }
}

#[test]
fn secrets_show_nowhere() {
    for line in [
        "username = \"me\"\npassword = \"hunter2\"",
        "token = \"hunter2\"",
        "proxy = \"http://me:hunter2@proxy.lan:3128\"",
        "proxy = \"me:hunter2@proxy.lan\"",
        "proxy = \"http://me:@hunter2@@proxy.lan\"",
    ] {
        let config = Given::file(format!("[upstreams.\"ghcr.io\"]\n{line}\n")).loaded();
        assert!(!format!("{config:?}").contains("hunter2"), "{line}");
        let shown = config.show().to_string();
        assert!(
            !shown.contains("hunter2") && shown.contains("***"),
            "{shown}"
        );
        let registry = serde_json::to_string(&config.registry()).expect("serialises");
        assert!(!registry.contains("hunter2"), "{registry}");
    }
}

#[test]
fn a_line_break_in_a_path_does_not_leave_its_comment() {
    let config = Given::nothing()
        .flags(Flags {
            component: Some("/a\nlisten = \"evil\"".into()),
            ..Flags::default()
        })
        .loaded();
    let shown = config.show().to_string();
    assert!(!shown.contains("\nlisten = \"evil\""), "{shown}");
}
