//! The way to a bucket: from options that all services have to the settings of each.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::error::OpenError;

/// Two lost packets are survived, as towards origins.
const CONNECT: Duration = Duration::from_secs(5);

/// A body that stands still for so long is given up, as an origin's is.
const IDLE: Duration = Duration::from_secs(30);

/// A client waits while a question is repeated, and the origin may still answer it: twice, within
/// what a client waits for headers.
const RETRIES: usize = 2;
const RETRY_FOR: Duration = Duration::from_secs(10);

/// How a bucket is reached. What is not given is looked for where these clouds put it for their machines:
/// in the environment, in files, at the address of their metadata. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// The service, where it is not the one of that cloud: `http://` or `https://`, host, port.
    pub endpoint: Option<String>,
    /// The region. S3 alone.
    pub region: Option<String>,
    /// The access key's id (S3), or the account's name (Azure).
    pub account: Option<String>,
    /// The access key (S3, Azure), or the service account's key as JSON (Google).
    pub secret: Option<SecretString>,
    /// Authorities to believe beside the system's (PEM).
    pub authorities: Option<Vec<u8>>,
}

/// The store, and what stands before every name in it.
pub(crate) fn open(options: &Options) -> Result<(Arc<dyn ObjectStore>, Path), OpenError> {
    // Ours is the only provider of cryptography; whoever was first has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = Url::parse(&options.url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OpenError::Credentials);
    }
    let prefix = Path::from_url_path(url.path());
    let prefix = prefix.map_err(|error| OpenError::Settings(error.into()))?;
    let built: Result<Arc<dyn ObjectStore>, _> = match url.scheme() {
        "s3" => s3(&url, options)?.build().map(|store| Arc::new(store) as _),
        "gs" => google(&url, options)?
            .build()
            .map(|store| Arc::new(store) as _),
        "az" => azure(&url, options)?
            .build()
            .map(|store| Arc::new(store) as _),
        _ => return Err(OpenError::Scheme),
    };
    Ok((built.map_err(OpenError::Settings)?, prefix))
}

fn s3(url: &Url, options: &Options) -> Result<AmazonS3Builder, OpenError> {
    let mut builder = AmazonS3Builder::from_env().with_url(url.as_str());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(account) = &options.account {
        builder = builder.with_access_key_id(account);
    }
    if let Some(secret) = &options.secret {
        builder = builder.with_secret_access_key(secret.expose_secret());
    }
    let (client, retry) = (client(options)?, retry());
    Ok(builder.with_client_options(client).with_retry(retry))
}

fn google(url: &Url, options: &Options) -> Result<GoogleCloudStorageBuilder, OpenError> {
    useless("region", options.region.as_ref(), url)?;
    useless("account", options.account.as_ref(), url)?;
    let mut builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    if let Some(secret) = &options.secret {
        builder = builder.with_service_account_key(secret.expose_secret());
    }
    let (client, retry) = (client(options)?, retry());
    Ok(builder.with_client_options(client).with_retry(retry))
}

fn azure(url: &Url, options: &Options) -> Result<MicrosoftAzureBuilder, OpenError> {
    useless("region", options.region.as_ref(), url)?;
    let mut builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(account) = &options.account {
        builder = builder.with_account(account);
    }
    if let Some(secret) = &options.secret {
        builder = builder.with_access_key(secret.expose_secret());
    }
    let (client, retry) = (client(options)?, retry());
    Ok(builder.with_client_options(client).with_retry(retry))
}

/// What a service has not is a mistake, and not to be passed over.
fn useless(what: &'static str, given: Option<&String>, url: &Url) -> Result<(), OpenError> {
    match given {
        Some(_) => Err(OpenError::Useless {
            what,
            service: url.scheme().to_owned(),
        }),
        None => Ok(()),
    }
}

/// Cleartext only where the endpoint says so.
fn client(options: &Options) -> Result<ClientOptions, OpenError> {
    let endpoint = options.endpoint.as_deref().unwrap_or_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT)
        // A large object takes as long as it takes, while bytes come.
        .with_timeout_disabled()
        .with_read_timeout(IDLE)
        .with_allow_http(endpoint.starts_with("http://"));
    let Some(pem) = &options.authorities else {
        return Ok(client);
    };
    let believed = Certificate::from_pem_bundle(pem).map_err(OpenError::Authorities)?;
    if believed.is_empty() {
        return Err(OpenError::NoAuthorities);
    }
    let add = |client: ClientOptions, one| client.with_root_certificate(one);
    Ok(believed.into_iter().fold(client, add))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
    }
}
