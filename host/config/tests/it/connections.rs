//! How upstreams are connected to, and what the environment says of proxies.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use ledge_config::{Config, Provenance};

use crate::Given;

/// The proxy of each upstream: its URL, and whom to reach without it.
fn proxies(config: &Config) -> Vec<(String, Option<(String, String)>)> {
    let upstreams = config.upstreams.iter();
    let proxy = upstreams.map(|upstream| {
        let proxy = upstream.connection.proxy.as_ref().map(|proxy| {
            let exempt = proxy.exempt.as_ref();
            let exempt = exempt.map_or_else(String::new, |list| list.value.clone());
            (proxy.url.expose().to_owned(), exempt)
        });
        (upstream.name.clone(), proxy)
    });
    proxy.collect()
}

const TWO: &str = "[upstreams.\"plain.example\"]\nurl = \"http://plain.example\"\n\
                   [upstreams.\"ghcr.io\"]\n";

fn both(
    http: Option<&str>,
    https: Option<&str>,
    exempt: &str,
) -> Vec<(String, Option<(String, String)>)> {
    let proxy = |url: Option<&str>| url.map(|url| (url.to_owned(), exempt.to_owned()));
    vec![
        ("ghcr.io".to_owned(), proxy(https)),
        ("plain.example".to_owned(), proxy(http)),
    ]
}

#[test]
fn proxies_of_the_environment_count_by_scheme() {
    const NEAR: &str = "localhost,127.0.0.0/8,::1";
    assert_eq!(proxies(&Given::file(TWO).loaded()), both(None, None, NEAR));
    let given = Given::file(TWO).variable("HTTPS_PROXY", "http://u:p@s:1");
    assert_eq!(
        proxies(&given.loaded()),
        both(None, Some("http://u:p@s:1"), NEAR)
    );
    let given = given
        .variable("http_proxy", "p:2")
        .variable("NO_PROXY", ".lan,10.0.0.1");
    assert_eq!(
        proxies(&given.loaded()),
        both(
            Some("p:2"),
            Some("http://u:p@s:1"),
            ".lan,10.0.0.1,localhost,127.0.0.0/8,::1"
        )
    );
    // Those in capitals outweigh the others; an empty one is as if it were not set.
    let given = given
        .variable("HTTP_PROXY", "p:3")
        .variable("HTTPS_PROXY", "")
        .variable("no_proxy", "other");
    assert_eq!(
        proxies(&given.loaded()),
        both(Some("p:3"), None, ".lan,10.0.0.1,localhost,127.0.0.0/8,::1")
    );
}

#[test]
fn one_endpoint_with_tls_is_enough_for_its_proxy() {
    let mixed =
        "[upstreams.\"a.example\"]\nendpoints = [\"http://a.example\", \"https://a.example\"]\n";
    let given = Given::file(mixed)
        .variable("HTTP_PROXY", "plain:1")
        .variable("HTTPS_PROXY", "secure:1");
    let proxies = proxies(&given.loaded());
    let url = proxies[0].1.as_ref().map(|(url, _)| url.as_str());
    assert_eq!(url, Some("secure:1"));
}

#[test]
fn what_an_upstream_says_outweighs_the_environment() {
    let of = |lines: &str| {
        let given = Given::file(format!("[upstreams.\"ghcr.io\"]\n{lines}\n"))
            .variable("HTTPS_PROXY", "env:1")
            .variable("NO_PROXY", "env.example");
        proxies(&given.loaded()).remove(0).1
    };
    let proxy = |url: &str, exempt: &str| Some((url.to_owned(), exempt.to_owned()));
    assert_eq!(of("proxy = \"own:1\""), proxy("own:1", ""));
    assert_eq!(
        of("proxy = \"own:1\"\nno_proxy = \"a\""),
        proxy("own:1", "a")
    );
    assert_eq!(of("no_proxy = \"a\""), proxy("env:1", "a"));
    assert_eq!(of("proxy = \"\""), None);
}

#[test]
fn a_proxy_says_where_it_came_from_and_hides_its_password() {
    let given = Given::file("[upstreams.\"ghcr.io\"]\n")
        .variable("HTTPS_PROXY", "http://me:hunter2@proxy.lan:3128")
        .variable("NO_PROXY", "a.lan");
    let shown = given.shown();
    for line in [
        "proxy = \"http://***@proxy.lan:3128\" # environment HTTPS_PROXY\n",
        "no_proxy = \"a.lan,localhost,127.0.0.0/8,::1\" # environment NO_PROXY\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
}

#[test]
fn a_proxy_that_is_no_text_is_refused() {
    let refused = Given::nothing()
        .variable("HTTPS_PROXY", OsStr::from_bytes(b"\xff"))
        .refused();
    assert_eq!(refused, "environment HTTPS_PROXY: it is not UTF-8 text");
}

#[test]
fn files_are_named_and_not_read() {
    let config = Given::file(
        "[upstreams.\"ghcr.io\"]\nca_file = \"/none/ca.pem\"\nclient_certificate = \"c\"\nclient_key = \"k\"\n\
         [upstreams.\"quay.io\"]\nca_file = [\"a\", \"b\"]\n",
    )
    .loaded();
    let files = |number: usize| {
        let files = config.upstreams[number].connection.ca_file.as_ref();
        files.map(|files| files.value.clone()).unwrap_or_default()
    };
    assert_eq!(files(0), [std::path::Path::new("/none/ca.pem")]);
    assert_eq!(files(1), ["a", "b"].map(std::path::PathBuf::from));
    let identity = config.upstreams[0].connection.identity.as_ref();
    let identity = identity.expect("a certificate");
    assert_eq!(identity.certificate.value, std::path::Path::new("c"));
    assert!(matches!(&identity.key.provenance, Provenance::File(place) if place.line == 4));
}
