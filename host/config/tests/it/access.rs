//! By whose rights an upstream is pulled from.

use ledge_core::config::{Access, Registry};

use crate::Given;

fn with(lines: &str) -> Given {
    Given::file(format!("[upstreams.\"ghcr.io\"]\n{lines}"))
}

#[test]
fn credentials_say_what_is_not_said() {
    let rows = [
        ("", Access::Public),
        ("access = \"public\"", Access::Public),
        ("token = \"t\"", Access::Shared),
        ("access = \"shared\"\ntoken = \"t\"", Access::Shared),
        ("access = \"pass-through\"", Access::PassThrough),
    ];
    for (lines, access) in rows {
        let registry = with(lines).loaded().registry();
        assert_eq!(registry.upstreams[0].access, Some(access), "{lines}");
        assert_eq!(registry.upstreams[0].allowed_seconds, 600);
        let json = serde_json::to_string(&registry).expect("serialises");
        assert!(Registry::parse(&json).is_ok(), "{lines}");
    }
}

#[test]
fn what_is_public_and_for_how_long_is_handed_over() {
    let lines = "token = \"t\"\npublic = [\"library/*\", \"open\"]\nallowed_for = \"1m\"";
    let registry = serde_json::to_value(with(lines).loaded().registry()).expect("serialises");
    let ghcr = &registry["upstreams"][0];
    assert_eq!(ghcr["public"], serde_json::json!(["library/*", "open"]));
    assert_eq!(ghcr["allowed_seconds"], 60);
}

#[test]
fn what_does_not_fit_is_refused() {
    let rows = [
        (
            "access = \"all\"",
            "FILE:2:10: upstreams.\"ghcr.io\".access: \"all\" is neither \"public\" nor \"shared\" nor \"pass-through\"",
        ),
        (
            "access = \"shared\"",
            "FILE:2:10: upstreams.\"ghcr.io\".access: the upstream has no credentials to share\n  \
             hint: give them, or leave access out: then it is public",
        ),
        (
            "token = \"t\"\naccess = \"public\"",
            "FILE:3:10: upstreams.\"ghcr.io\".access: an upstream with credentials is not public as a whole\n  \
             hint: list what everybody may see there, as in public = [\"library/*\"]",
        ),
        (
            "token = \"t\"\naccess = \"pass-through\"",
            "FILE:3:10: upstreams.\"ghcr.io\".access: clients cannot show their own credentials beside those of this mirror\n  \
             hint: leave them out, or access: then this mirror's own are for all its clients",
        ),
        (
            "public = [\"library/*\"]",
            "FILE:2:10: upstreams.\"ghcr.io\".public: the upstream has no credentials, so there is nothing to tell apart\n  \
             hint: leave it out",
        ),
        (
            "token = \"t\"\npublic = [\"a\", \"\"]",
            "FILE:3:16: upstreams.\"ghcr.io\".public: the pattern is empty\n  \
             hint: \"*\" stands for any characters but slashes and \"**\" for any, as in \"library/*\", \"team/**\" or \"v*\"",
        ),
        (
            "access = \"pass-through\"\nallowed_for = \"2d\"",
            "FILE:3:15: upstreams.\"ghcr.io\".allowed_for: \"2days\" is not between \"0s\" and \"1day\"",
        ),
    ];
    for (lines, said) in rows {
        assert_eq!(with(lines).refused(), said, "of:\n{lines}");
    }
}
