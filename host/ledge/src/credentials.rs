//! Credentials of upstreams: from the configuration to where they are fetched, and from there to the component.

use std::sync::Arc;

use anyhow::Result;
use ledge_config::{Config, Problems, Provenance, Text};
use ledge_credentials::{
    Account, CredentialError, Credentials, Form, HelperName, Process, Provider, Secret,
};
use ledge_runtime::{LiveVariable, NoValue, Reading, Variables};
use secrecy::ExposeSecret;

use crate::connections::problem;

/// The credentials of all upstreams. Nothing is fetched yet.
///
/// # Errors
/// If the name of a helper is none.
pub(crate) fn credentials(config: &Config) -> Result<Credentials> {
    let accounts = config.accounts().into_iter().map(|account| {
        Ok(Account {
            upstream: account.upstream.name.clone(),
            servers: account.servers,
            provider: provider(account.credentials)?,
        })
    });
    let accounts: Vec<_> = accounts.collect::<Result<_>>()?;
    Ok(Credentials::new(accounts, Process))
}

fn provider(from: &ledge_config::Credentials) -> Result<Provider> {
    use ledge_config::Credentials as From;
    Ok(match from {
        From::Password { username, password } => {
            let username = username.value.clone();
            text(Form::Password { username }, password)
        }
        From::Token(token) => text(Form::RegistryToken, token),
        From::DockerConfig(path) => Provider::DockerConfig {
            path: path.value.clone(),
        },
        From::Helper(name) => Provider::Helper {
            name: HelperName::parse(name)?,
        },
    })
}

/// This user's password, from where it is.
pub(crate) fn password(username: &str, password: &Text) -> Provider {
    let username = username.to_owned();
    text(Form::Password { username }, password)
}

fn text(form: Form, text: &Text) -> Provider {
    match text {
        Text::Inline(secret) => Provider::Inline {
            form,
            secret: secret.value.clone(),
        },
        Text::File(path) => Provider::File {
            form,
            path: path.value.clone(),
        },
        Text::Environment(name) => Provider::Environment {
            form,
            variable: name.value.clone(),
        },
    }
}

/// Fetches them all once, so that a wrong path is told at the start and not with the first pull. A helper that fails
/// is no reason not to start: often it asks a cloud, and what is stored serves without.
///
/// # Errors
/// Every file and variable that cannot be used, each with the setting that names it.
pub(crate) async fn check(config: &Config, credentials: &Credentials) -> Result<(), Problems> {
    // At the same time: a helper may take ten seconds.
    let asked = config.accounts().into_iter().map(|account| {
        let (name, credentials) = (account.upstream.name.clone(), credentials.clone());
        let got = tokio::spawn(async move { credentials.get(&name).await.map(drop) });
        (account, got)
    });
    let mut problems = Vec::new();
    for (account, got) in asked.collect::<Vec<_>>() {
        match got.await.unwrap_or(Err(CredentialError::Stopped)) {
            Ok(()) | Err(CredentialError::Helper { .. } | CredentialError::Stopped) => {}
            Err(error) => {
                let (key, provenance) = place(account.credentials);
                let what = error.to_string();
                problems.push(problem(account.upstream, key, provenance, what));
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems))
    }
}

/// The setting that says where they come from.
fn place(credentials: &ledge_config::Credentials) -> (&'static str, &Provenance) {
    use ledge_config::Credentials as From;
    match credentials {
        From::Password { password, .. } => place_of_password(password),
        From::Token(token) => match token {
            Text::Inline(secret) => ("token", &secret.provenance),
            Text::File(path) => ("token_file", &path.provenance),
            Text::Environment(name) => ("token_env", &name.provenance),
        },
        From::DockerConfig(path) => ("docker_config", &path.provenance),
        From::Helper(name) => ("credential_helper", &name.provenance),
    }
}

/// The same of a password.
pub(crate) const fn place_of_password(password: &Text) -> (&'static str, &Provenance) {
    match password {
        Text::Inline(secret) => ("password", &secret.provenance),
        Text::File(path) => ("password_file", &path.provenance),
        Text::Environment(name) => ("password_env", &name.provenance),
    }
}

/// Adds the variables in which the component finds them.
pub(crate) fn offer(variables: Variables, config: &Config, credentials: &Credentials) -> Variables {
    let add = |variables: Variables, account: ledge_config::Account<'_>| {
        let live = |is_fresh| {
            let variable: Arc<dyn LiveVariable> = Arc::new(Variable {
                upstream: account.upstream.name.clone(),
                credentials: credentials.clone(),
                is_fresh,
            });
            variable
        };
        variables
            .with_live(account.variable, live(false))
            .with_live(account.fresh_variable, live(true))
    };
    config.accounts().into_iter().fold(variables, add)
}

/// What an upstream is shown now.
struct Variable {
    upstream: String,
    credentials: Credentials,
    /// To read it says that what there is was refused.
    is_fresh: bool,
}

impl LiveVariable for Variable {
    fn read(&self) -> Reading<'_> {
        Box::pin(async {
            if self.is_fresh
                && let Ok(refused) = self.credentials.get(&self.upstream).await
            {
                self.credentials.refused(&self.upstream, refused.as_ref());
            }
            let secret = self.credentials.get(&self.upstream).await;
            let secret = secret.map_err(|error| NoValue(error.to_string()))?;
            let secret = secret.as_ref().map(told);
            Ok(ledge_config::Secret::encode(secret.as_ref()))
        })
    }
}

/// What a component reads for this upstream now.
///
/// # Errors
/// If there is nothing to be had.
pub(crate) async fn told_now(credentials: &Credentials, upstream: &str) -> Result<String> {
    let secret = credentials.get(upstream).await?;
    let secret = secret.as_ref().map(told);
    Ok(ledge_config::Secret::encode(secret.as_ref()))
}

/// As the component reads it.
fn told(secret: &Secret) -> ledge_config::Secret {
    use ledge_config::Secret as Told;
    match secret {
        Secret::Password { username, password } => Told::Password {
            username: username.clone(),
            password: password.expose_secret().to_owned(),
        },
        Secret::IdentityToken(token) => Told::IdentityToken {
            identity_token: token.expose_secret().to_owned(),
        },
        Secret::RegistryToken(token) => Told::RegistryToken {
            registry_token: token.expose_secret().to_owned(),
        },
    }
}
