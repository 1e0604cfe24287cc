//! The operator's lifetimes of one upstream.

use super::Lifetime;
use crate::config::{self, FreshnessRule};
use crate::name::{RepositoryName, Tag};

/// How long what an upstream says is good for.
#[derive(Clone, Debug)]
pub struct Policy {
    usual: Lifetime,
    rules: Vec<FreshnessRule>,
    negative: u64,
    client_no_cache: bool,
}

impl Policy {
    /// What the configuration says.
    #[must_use]
    pub fn new(upstream: &config::Upstream) -> Self {
        Self {
            usual: Lifetime {
                fresh: upstream.fresh_seconds,
                stale_while_revalidate: upstream.stale_while_revalidate_seconds,
                stale_if_error: upstream.stale_if_error_seconds,
            },
            rules: upstream.freshness.clone(),
            negative: upstream.negative_seconds,
            client_no_cache: upstream.client_no_cache,
        }
    }

    /// The lifetime of what a tag means: the first rule that matches says how long
    /// it is fresh. With no tag, that of what is listed of a repository, of which no
    /// rule about tags speaks.
    #[must_use]
    pub fn lifetime(&self, repository: &RepositoryName, tag: Option<&Tag>) -> Lifetime {
        let rule = self
            .rules
            .iter()
            .find(|rule| matches(rule, repository, tag));
        Lifetime {
            fresh: rule.map_or(self.usual.fresh, |rule| rule.fresh_seconds),
            ..self.usual
        }
    }

    /// How long it is remembered that the origin does not show something, in seconds.
    #[must_use]
    pub const fn negative(&self) -> u64 {
        self.negative
    }

    /// Whether a client may make the origin be asked, with `Cache-Control: no-cache`.
    #[must_use]
    pub const fn client_no_cache(&self) -> bool {
        self.client_no_cache
    }
}

fn matches(rule: &FreshnessRule, repository: &RepositoryName, tag: Option<&Tag>) -> bool {
    let of_repository = rule.repository.as_ref();
    let of_tag = rule.tag.as_ref();
    of_repository.is_none_or(|pattern| pattern.matches(repository))
        && of_tag.is_none_or(|pattern| tag.is_some_and(|tag| pattern.matches(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Registry;

    fn policy(more: &str) -> Policy {
        let json = format!(r#"{{"name":"a","endpoints":["https://a"]{more}}}"#);
        Policy::new(&serde_json::from_str(&json).expect(&json))
    }

    fn fresh(policy: &Policy, repository: &str, tag: Option<&str>) -> u64 {
        let repository = RepositoryName::parse(repository).expect(repository);
        let tag = tag.map(|tag| Tag::parse(tag).expect(tag));
        policy.lifetime(&repository, tag.as_ref()).fresh
    }

    #[test]
    fn the_first_rule_that_matches_wins() {
        let policy = policy(
            r#","fresh_seconds":600,"freshness":[
                {"repository":"library/*","tag":"latest","fresh_seconds":1},
                {"tag":"latest","fresh_seconds":60},
                {"tag":"v*.*.*","fresh_seconds":86400},
                {"repository":"team/**","fresh_seconds":5},
                {"repository":"team/never","fresh_seconds":6}]"#,
        );
        let rows = [
            ("library/a", Some("latest"), 1),
            ("a", Some("latest"), 60),
            ("team/a", Some("latest"), 60),
            ("team/a", Some("v1.2.3"), 86400),
            ("team/a", Some("v1"), 5),
            ("team/never", Some("v1"), 5),
            ("library/a", Some("3.20"), 600),
            ("team/a", None, 5),
            ("library/a", None, 600),
        ];
        for (repository, tag, seconds) in rows {
            assert_eq!(
                fresh(&policy, repository, tag),
                seconds,
                "{repository} {tag:?}"
            );
        }
    }

    #[test]
    fn a_rule_says_how_long_it_is_fresh_and_no_more() {
        let policy = policy(
            r#","stale_while_revalidate_seconds":7,"stale_if_error_seconds":8,"negative_seconds":9,
                "client_no_cache":true,"freshness":[{"fresh_seconds":1}]"#,
        );
        let name = RepositoryName::parse("a").expect("a name");
        let expected = Lifetime {
            fresh: 1,
            stale_while_revalidate: 7,
            stale_if_error: 8,
        };
        assert_eq!(policy.lifetime(&name, None), expected);
        assert_eq!((policy.negative(), policy.client_no_cache()), (9, true));
    }

    #[test]
    fn the_defaults() {
        let policy = policy("");
        let name = RepositoryName::parse("a").expect("a name");
        let expected = Lifetime {
            fresh: 600,
            stale_while_revalidate: 0,
            stale_if_error: 30 * 24 * 3600,
        };
        assert_eq!(policy.lifetime(&name, None), expected);
        assert_eq!((policy.negative(), policy.client_no_cache()), (30, false));
    }

    #[test]
    fn a_malformed_pattern_is_no_configuration() {
        let json = r#"{"upstreams":[{"name":"a","endpoints":["https://a"],
            "freshness":[{"repository":"A/*","fresh_seconds":1}]}]}"#;
        assert!(Registry::parse(json).is_err());
    }
}
