use ledge_config::Prefetch;
use ledge_core::config::{Access, Registry};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};

use crate::Given;

/// What is taken here, the component must take too: it would refuse every request otherwise.
fn component_takes(given: &Given) -> Result<(), String> {
    let registry = given.loaded().registry();
    let json = serde_json::to_string(&registry).map_err(|error| error.to_string())?;
    match Registry::parse(&json) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_component_takes_the_built_in_ones() {
    assert_eq!(component_takes(&Given::nothing()), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_component_takes_what_is_taken(
        name in "[a-z0-9._-]{1,12}(:[0-9]{1,5})?",
        alias in "[a-z0-9._-]{1,12}(:[0-9]{1,5})?",
        scheme in "https?",
        authority in r"([a-zA-Z0-9._-]{1,12}|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]{2,9}\])(:[0-9]{1,5})?",
        trusted in r"([a-zA-Z0-9._-]{1,12}|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]{2,9}\])(:[0-9]{1,5})?",
        fresh in any::<u16>(),
        pattern in "[a-z0-9._*/-]{1,12}",
        platform in "[a-z0-9]{1,6}(/\\*|/[a-z0-9]{1,6}){1,2}",
        rule in "[a-z._/:-]{1,6}",
    ) {
        let given = Given::file(format!(
            "[upstreams.\"{name}\"]\nurl = \"{scheme}://{authority}\"\naliases = [\"{alias}\"]\n\
             trusted_hosts = [\"{trusted}\"]\nfresh = \"{fresh}s\"\n\
             [[upstreams.\"{name}\".freshness]]\nrepository = '{pattern}'\nfresh = \"{fresh}s\"\n\
             [[rules]]\nname = '{rule}'\naction = \"deny\"\nupstream = \"{name}\"\nplatform = '{platform}'\n"
        ));
        if given.load().is_ok() {
            let taken = component_takes(&given);
            prop_assert!(taken.is_ok(), "{:?}: {}", taken, given.shown());
        }
    }
}

#[test]
fn the_built_in_ones_are_handed_over_whole() {
    let config = Given::nothing().loaded();
    let registry = config.registry();
    assert_eq!(registry.default_upstream.as_deref(), Some("docker.io"));
    let docker = &registry.upstreams[0];
    assert_eq!(docker.name, "docker.io");
    assert_eq!(docker.endpoints, ["https://registry-1.docker.io"]);
    assert_eq!(docker.aliases, ["index.docker.io", "registry-1.docker.io"]);
    assert_eq!(docker.official_prefix.as_deref(), Some("library"));
    assert_eq!(docker.trusted_hosts, ["auth.docker.io"]);
    assert_eq!(docker.fresh_seconds, 600);
    assert_eq!(docker.stale_while_revalidate_seconds, 0);
    assert_eq!(docker.stale_if_error_seconds, 30 * 24 * 3600);
    assert_eq!(docker.negative_seconds, 30);
    assert!(!docker.client_no_cache && docker.freshness.is_empty());
    assert_eq!(docker.access, Some(Access::Public));
    assert_eq!(docker.allowed_seconds, 600);
    assert!(registry.rules.is_empty());
    for upstream in &registry.upstreams[1..] {
        assert_eq!(upstream.endpoints, [format!("https://{}", upstream.name)]);
        assert_eq!(upstream.official_prefix, None);
        assert!(upstream.credentials.is_none());
    }
}

#[test]
fn only_those_named_exist() {
    let config = Given::file("[upstreams.\"quay.io\"]\n").loaded();
    let registry = config.registry();
    assert_eq!(registry.upstreams.len(), 1);
    assert_eq!(registry.upstreams[0].endpoints, ["https://quay.io"]);
    assert_eq!(registry.default_upstream, None);
}

#[test]
fn a_built_in_one_keeps_what_is_not_said() {
    let config =
        Given::file("[upstreams.\"docker.io\"]\nurl = \"http://127.0.0.1:5001\"\nfresh = \"0s\"\n")
            .loaded();
    let registry = config.registry();
    let docker = &registry.upstreams[0];
    assert_eq!(docker.endpoints, ["http://127.0.0.1:5001"]);
    assert_eq!(docker.official_prefix.as_deref(), Some("library"));
    assert_eq!(docker.aliases.len(), 2);
    assert_eq!(docker.fresh_seconds, 0);
    assert_eq!(registry.default_upstream.as_deref(), Some("docker.io"));
    // Another endpoint has another token service.
    assert!(docker.trusted_hosts.is_empty());
}

#[test]
fn each_may_be_prefetched_otherwise_than_all() {
    let config = Given::file(
        "[transfer]\nprefetch = \"small\"\n[upstreams.\"ghcr.io\"]\n\
         [upstreams.\"quay.io\"]\nprefetch = \"all\"\n[upstreams.\"gcr.io\"]\nprefetch = \"off\"\n",
    )
    .loaded();
    let found: Vec<_> = config.registry().upstreams;
    let found: Vec<_> = found
        .iter()
        .map(|u| (u.name.as_str(), u.prefetch))
        .collect();
    let expected = [
        ("gcr.io", Prefetch::Off),
        ("ghcr.io", Prefetch::Small),
        ("quay.io", Prefetch::All),
    ];
    assert_eq!(found, expected);
    let of_all = &config.upstreams[1].prefetch.provenance;
    assert_eq!(*of_all, config.transfer.prefetch.provenance);
}

#[test]
fn lifetimes_and_rules_are_handed_over_in_their_order() {
    let config = Given::file(
        "[upstreams.\"ghcr.io\"]\nfresh = \"1s\"\nstale_while_revalidate = \"2s\"\n\
         stale_if_error = \"3s\"\nnegative = \"4s\"\nclient_no_cache = true\n\
         [[upstreams.\"ghcr.io\".freshness]]\ntag = \"latest\"\nfresh = \"5s\"\n\
         [[upstreams.\"ghcr.io\".freshness]]\nrepository = \"team/*\"\nfresh = \"6s\"\n\
         [[rules]]\nname = \"z\"\naction = \"allow\"\nupstream = \"ghcr.io\"\ntag = \"v*\"\n\
         [[rules]]\nname = \"a\"\naction = \"deny\"\nplatform = \"*/*\"\nrepository = \"**\"\n",
    )
    .loaded();
    let registry = serde_json::to_value(config.registry()).expect("serialises");
    let ghcr = &registry["upstreams"][0];
    let keys = [
        "fresh_seconds",
        "stale_while_revalidate_seconds",
        "stale_if_error_seconds",
        "negative_seconds",
    ];
    assert_eq!(keys.map(|key| ghcr[key].as_u64()), [1, 2, 3, 4].map(Some));
    assert_eq!(ghcr["client_no_cache"], true);
    let rules = serde_json::json!([
        {"repository": null, "tag": "latest", "fresh_seconds": 5},
        {"repository": "team/*", "tag": null, "fresh_seconds": 6},
    ]);
    assert_eq!(ghcr["freshness"], rules);
    let rules = serde_json::json!([
        {"name": "z", "action": "allow", "upstream": "ghcr.io", "repository": null, "tag": "v*", "platform": null},
        {"name": "a", "action": "deny", "upstream": null, "repository": "**", "tag": null, "platform": "*/*"},
    ]);
    assert_eq!(registry["rules"], rules);
}

/// containerd gives up on a mirror after 30 s: the host answers within 25, and before that the
/// component shows a copy.
#[test]
fn an_origin_has_less_time_than_a_request() {
    let config = Given::file("").loaded();
    assert_eq!(config.limits.request_timeout.value.as_secs(), 25);
    assert_eq!(config.registry().patience_ms, 22_500);
    let config = Given::file("[limits]\nrequest_timeout = \"10s\"\n").loaded();
    assert_eq!(config.registry().patience_ms, 9000);
}

#[test]
fn trusted_hosts_are_added_to_those_of_a_built_in_one() {
    let config =
        Given::file("[upstreams.\"docker.io\"]\ntrusted_hosts = [\"cdn.internal\"]\n").loaded();
    let egress = config.egress();
    assert_eq!(egress[0].trusted_hosts, ["cdn.internal", "auth.docker.io"]);
}

#[test]
fn egress_is_the_endpoints_and_what_is_trusted() {
    let config = Given::file(
        "[upstreams.\"registry.example\"]\nendpoints = [\"https://a.example\", \"http://10.0.0.5:5000\"]\n\
         trusted_hosts = [\"auth.example:8443\"]\n",
    )
    .loaded();
    let egress = config.egress();
    assert_eq!(egress.len(), 1);
    assert_eq!(egress[0].name, "registry.example");
    let endpoints: Vec<&str> = egress[0].endpoints.iter().map(|url| url.as_str()).collect();
    assert_eq!(endpoints, ["https://a.example/", "http://10.0.0.5:5000/"]);
    assert_eq!(egress[0].trusted_hosts, ["auth.example:8443"]);
}

/// What a client may pull without a password must not depend on another's.
#[test]
fn credentials_are_their_own_upstreams_alone() {
    let config = Given::file(
        "[upstreams.\"ghcr.io\"]\nusername = \"me\"\npassword = \"hunter2\"\n[upstreams.\"quay.io\"]\n",
    )
    .loaded();
    let registry = config.registry();
    assert!(registry.upstreams[0].credentials.is_some());
    assert!(registry.upstreams[1].credentials.is_none());
    let accounts = config.accounts();
    let names: Vec<_> = accounts.iter().map(|one| &one.upstream.name).collect();
    assert_eq!(names, ["ghcr.io"]);
}
