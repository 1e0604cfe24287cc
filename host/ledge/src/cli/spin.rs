//! `ledge config spin`: a configuration as the variables of the application that `spin.toml` describes.
//!
//! The output is what `spin up --variable @FILE.json` takes. docs/spin.md tells what of a configuration means nothing
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::{Context as _, Result, ensure};
use ledge_config::{Config, SharedObjects};
use secrecy::ExposeSecret as _;
use serde_json::json;
use url::Url;

use crate::serve::pseudonym;
use crate::{credentials, shared};

/// How many hosts `spin.toml` has variables for.
const HOSTS: usize = 16;

/// How many upstreams it has variables for the credentials of.
const CREDENTIALS: usize = 8;

/// What stands in a host's variable that is not used: nobody's name (RFC 6761, section 6.4).
const NOBODY: &str = "https://none.invalid";

/// Where well-known registries send clients for blobs, as each of them documents it for firewalls.
const REDIRECTS: [(&str, &[&str]); 6] = [
    (
        "registry-1.docker.io",
        &[
            "https://production.cloudfront.docker.com",
            "https://production.cloudflare.docker.com",
            "https://docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
        ],
    ),
    ("ghcr.io", &["https://pkg-containers.githubusercontent.com"]),
    ("quay.io", &["https://*.quay.io"]),
    ("registry.k8s.io", &["https://*.pkg.dev"]),
    ("mcr.microsoft.com", &["https://*.data.mcr.microsoft.com"]),
    ("public.ecr.aws", &["https://*.cloudfront.net"]),
];

/// Names and values, by name.
pub(super) type Variables = BTreeMap<String, String>;

/// What a configuration is there. Secrets are only in it if they are asked for: they are for a provider of secrets.
pub(super) fn variables(config: &Config, with_secrets: bool) -> Result<Variables> {
    let mut registry = config.registry();
    // All instances of an application are one mirror, so unlike a process it has its name from here.
    registry.name = Some(pseudonym());
    let registry = serde_json::to_string(&registry).context("no JSON")?;
    let mut variables = Variables::from([("ledge_registry".to_owned(), registry)]);
    let hosts = hosts(config);
    ensure!(
        hosts.len() <= HOSTS,
        "requests would go to {} hosts, and spin.toml has variables for {HOSTS}: name fewer upstreams",
        hosts.len()
    );
    let unused = std::iter::repeat_n(NOBODY.to_owned(), HOSTS);
    for (number, host) in (1..=HOSTS).zip(hosts.into_iter().chain(unused)) {
        variables.insert(format!("ledge_host_{number}"), host);
    }
    if let Some(objects) = &config.shared.objects {
        store(objects, &mut variables)?;
    }
    if with_secrets {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build()?;
        runtime.block_on(secrets(config, &mut variables))?;
    }
    Ok(variables)
}

/// Prints them as one JSON object.
pub(super) fn print(variables: &Variables, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, variables)?;
    writeln!(out)
}

/// All that the component may ask: endpoints, trusted hosts, and where well-known ones redirect.
fn hosts(config: &Config) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for upstream in config.egress() {
        for endpoint in &upstream.endpoints {
            hosts.insert(endpoint.origin().ascii_serialization());
            let known = REDIRECTS.iter();
            let known = known.filter(|(name, _)| endpoint.host_str() == Some(name));
            hosts.extend(known.flat_map(|(_, to)| to.iter().map(|&to| to.to_owned())));
        }
        let scheme = upstream.endpoints.first().map_or("https", Url::scheme);
        let trusted = upstream.trusted_hosts.iter();
        hosts.extend(trusted.map(|host| format!("{scheme}://{host}")));
    }
    hosts
}

/// Where the data plane keeps objects, if that is a bucket of S3's kind.
fn store(objects: &SharedObjects, variables: &mut Variables) -> Result<()> {
    let url = objects.url.value.strip_prefix("s3://");
    let url =
        url.context("on Spin objects are kept in a bucket of S3's kind: `shared.objects.url`")?;
    let (bucket, prefix) = url.split_once('/').unwrap_or((url, ""));
    let region = objects.region.as_ref().map(|region| region.value.as_str());
    let region = region.unwrap_or("us-east-1");
    let endpoint = match &objects.endpoint {
        Some(endpoint) => endpoint.value.to_string(),
        None => format!("https://s3.{region}.amazonaws.com"),
    };
    let place = json!({ "store": {
        "kind": "s3", "endpoint": endpoint, "region": region, "bucket": bucket, "prefix": prefix,
    } });
    variables.insert("ledge_blobs".to_owned(), place.to_string());
    variables.insert("ledge_host_blobs".to_owned(), endpoint);
    Ok(())
}

/// What each upstream is pulled with now, and what the bucket is opened with.
async fn secrets(config: &Config, variables: &mut Variables) -> Result<()> {
    ensure!(
        config.accounts().is_empty() || config.upstreams.len() <= CREDENTIALS,
        "spin.toml has variables for the credentials of {CREDENTIALS} upstreams: name fewer"
    );
    let credentials = credentials::credentials(config)?;
    for account in config.accounts() {
        let secret = credentials::told_now(&credentials, &account.upstream.name).await?;
        variables.insert(account.variable, secret);
    }
    let Some(objects) = &config.shared.objects else {
        return Ok(());
    };
    if let (Some(key), Some(secret)) = (&objects.username, shared::bucket_secret(objects).await?) {
        variables.insert("ledge_blobs_key".to_owned(), key.value.clone());
        let secret = secret.expose_secret().to_owned();
        variables.insert("ledge_blobs_secret".to_owned(), secret);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ledge_config::{Config, Flags, Surroundings};

    use super::{HOSTS, NOBODY, Variables, print, variables};

    fn of(text: &str, with_secrets: bool) -> anyhow::Result<Variables> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("ledge.toml");
        fs::write(&file, text)?;
        let flags = Flags {
            config: Some(file),
            ..Flags::default()
        };
        let surroundings = Surroundings {
            data_directory: Some("/data/ledge".into()),
            ..Surroundings::default()
        };
        variables(&Config::load(&flags, &surroundings)?, with_secrets)
    }

    const SITE: &str = r#"
        [shared.objects]
        url = "s3://layers/edge/1"
        endpoint = "http://127.0.0.1:9000"
        region = "eu-central-1"
        username = "key"
        password = "s3-hunter2"

        [upstreams."docker.io"]

        [upstreams."registry.example"]
        url = "http://registry.example:8080"
        trusted_hosts = ["auth.example"]
        username = "me"
        password = "hunter2"
    "#;

    #[test]
    fn hosts_and_the_bucket_are_told_and_secrets_are_not() {
        let variables = of(SITE, false).expect("variables");
        let blobs: serde_json::Value =
            serde_json::from_str(&variables["ledge_blobs"]).expect("JSON");
        assert_eq!(
            blobs["store"],
            serde_json::json!({
                "kind": "s3", "endpoint": "http://127.0.0.1:9000", "region": "eu-central-1",
                "bucket": "layers", "prefix": "edge/1",
            })
        );
        assert_eq!(variables["ledge_host_blobs"], "http://127.0.0.1:9000");
        let hosts: Vec<_> = (1..=HOSTS)
            .map(|number| variables[&format!("ledge_host_{number}")].as_str())
            .filter(|&host| host != NOBODY)
            .collect();
        assert_eq!(
            hosts,
            [
                "http://auth.example",
                "http://registry.example:8080",
                "https://auth.docker.io",
                "https://docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
                "https://production.cloudflare.docker.com",
                "https://production.cloudfront.docker.com",
                "https://registry-1.docker.io",
            ]
        );
        let mut printed = Vec::new();
        print(&variables, &mut printed).expect("memory takes everything");
        let printed = String::from_utf8(printed).expect("text");
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(
            printed.contains("ledge_credentials_1"),
            "the component is told where they are"
        );
    }

    #[test]
    fn secrets_are_told_if_they_are_asked_for() {
        let variables = of(SITE, true).expect("variables");
        assert_eq!(variables["ledge_blobs_secret"], "s3-hunter2");
        assert_eq!(
            variables["ledge_credentials_1"],
            r#"{"username":"me","password":"hunter2"}"#
        );
        assert!(
            !variables.contains_key("ledge_credentials_0"),
            "it is public"
        );
    }

    #[test]
    fn what_spin_toml_has_no_place_for_is_refused() {
        let upstreams = (0..=HOSTS).map(|number| {
            format!("[upstreams.\"r{number}.example\"]\nurl = \"https://r{number}.example\"\n")
        });
        let error = of(&upstreams.collect::<String>(), false).expect_err("too many hosts");
        assert!(error.to_string().contains("17 hosts"), "{error}");
        let other = "[shared.objects]\nurl = \"gs://layers\"\n";
        assert!(of(other, false).is_err());
    }

    #[test]
    fn the_defaults_fit() {
        assert!(of("", false).is_ok());
    }
}
