//! From where an upstream's credentials come, as it is handed over.

use ledge_config::{Credentials, Text};
use ledge_core::config as core;
use secrecy::ExposeSecret;

use crate::Given;

fn described(credentials: &Credentials) -> String {
    let text = |text: &Text| match text {
        Text::Inline(secret) => format!("inline {}", secret.expose_secret()),
        Text::File(path) => format!("file {}", path.display()),
        Text::Environment(name) => format!("variable {}", name.value),
    };
    match credentials {
        Credentials::Password { username, password } => {
            format!("password of {}: {}", username.value, text(password))
        }
        Credentials::Token(token) => format!("token: {}", text(token)),
        Credentials::DockerConfig(path) => {
            format!("docker {:?}", path.as_deref())
        }
        Credentials::Helper(name) => format!("helper {}", name.value),
    }
}

#[test]
fn every_way_is_taken() {
    let password = |line: &str| format!("username = \"me\"\n{line}");
    for (lines, expected) in [
        (
            password("password = \"a: b\""),
            "password of me: inline a: b",
        ),
        (
            password("password_file = \"/a\""),
            "password of me: file /a",
        ),
        (
            password("password_env = \"A_1\""),
            "password of me: variable A_1",
        ),
        ("token = \"a.b\"".to_owned(), "token: inline a.b"),
        ("token_file = \"a\"".to_owned(), "token: file a"),
        ("token_env = \"A\"".to_owned(), "token: variable A"),
        ("docker_config = true".to_owned(), "docker None"),
        ("docker_config = \"/a\"".to_owned(), "docker Some(\"/a\")"),
        (
            "credential_helper = \"ecr-login\"".to_owned(),
            "helper ecr-login",
        ),
    ] {
        let config = Given::file(format!("[upstreams.\"ghcr.io\"]\n{lines}\n")).loaded();
        let accounts = config.accounts();
        assert_eq!(described(accounts[0].credentials), expected, "{lines}");
    }
}

#[test]
fn no_docker_configuration_is_none() {
    let config = Given::file("[upstreams.\"ghcr.io\"]\ndocker_config = false\n").loaded();
    assert!(config.accounts().is_empty());
    let with_password = "docker_config = false\nusername = \"me\"\npassword = \"a\"";
    let config = Given::file(format!("[upstreams.\"ghcr.io\"]\n{with_password}\n")).loaded();
    assert_eq!(
        described(config.accounts()[0].credentials),
        "password of me: inline a"
    );
}

/// The component is told a variable, and reads it when it asks the origin.
#[test]
fn the_component_is_told_where_they_are() {
    let config = Given::file(
        "[upstreams.\"a.example\"]\nurl = \"http://a.example\"\n\
         [upstreams.\"b.example\"]\nurl = \"http://b.example\"\ntoken = \"hunter2\"\n\
         [upstreams.\"docker.io\"]\nusername = \"me\"\npassword = \"hunter2\"\n",
    )
    .loaded();
    let registry = config.registry();
    let told: Vec<_> = registry
        .upstreams
        .iter()
        .map(|upstream| upstream.credentials.clone())
        .collect();
    let variable = |name: &str| Some(core::Credentials::Variable(name.to_owned()));
    let expected = [
        None,
        variable("ledge_credentials_1"),
        variable("ledge_credentials_2"),
    ];
    assert_eq!(told, expected);
    let offered: Vec<_> = config
        .accounts()
        .into_iter()
        .map(|account| (account.variable, account.fresh_variable))
        .collect();
    let both = |name: &str| (name.to_owned(), format!("{name}_fresh"));
    assert_eq!(
        offered,
        [both("ledge_credentials_1"), both("ledge_credentials_2")]
    );
    let servers = &config.accounts()[1].servers;
    let expected = [
        "https://registry-1.docker.io",
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
    ];
    assert_eq!(*servers, expected);
}
