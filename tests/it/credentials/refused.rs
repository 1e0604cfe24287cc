//! What cannot be used of what the configuration names is told at start, with the setting; and no secret is shown.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::Result;
use ledge_tests::ledge::binary;
use ledge_tests::secure::Secure;
use tempfile::TempDir;

/// `ledge config WHAT` with these lines for ghcr.io.
fn config(what: &str, folder: &Path, lines: &str) -> Result<Output> {
    let file = folder.join("ledge.toml");
    fs::write(&file, format!("[upstreams.\"ghcr.io\"]\n{lines}\n"))?;
    let mut command = Command::new(binary()?);
    command.args(["config", what, "--config"]).arg(&file);
    command.env("HOME", folder).env_remove("DOCKER_CONFIG");
    Ok(command.env_remove("NOT_SET").output()?)
}

fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new()
        .prefix("ledge-refused-")
        .tempdir()?)
}

#[test]
fn what_cannot_be_read_is_named_with_its_setting() -> Result<()> {
    let folder = folder()?;
    fs::write(folder.path().join("two-lines"), "hunter2\nhunter2\n")?;
    fs::write(folder.path().join("config.json"), "{\"auths\": hunter2}")?;
    let rows = [
        (
            "username = \"me\"\npassword_file = \"HERE/none\"",
            "FILE:3:17: upstreams.\"ghcr.io\".password_file: cannot read credentials from HERE/none: No such file",
        ),
        (
            "username = \"me\"\npassword_file = \"HERE/two-lines\"",
            "FILE:3:17: upstreams.\"ghcr.io\".password_file: the credentials in HERE/two-lines cannot be sent: \
             the password or token has control characters, or more than one line",
        ),
        (
            "token_env = \"NOT_SET\"",
            "FILE:2:13: upstreams.\"ghcr.io\".token_env: the environment variable NOT_SET is not set",
        ),
        (
            "docker_config = \"HERE/config.json\"",
            "FILE:2:17: upstreams.\"ghcr.io\".docker_config: HERE/config.json is not a Docker configuration: \
             its JSON is wrong at line 1",
        ),
        (
            "ca_file = [\"HERE/two-lines\", \"HERE/none\"]",
            "FILE:2:11: upstreams.\"ghcr.io\".ca_file: HERE/two-lines holds no certificate",
        ),
        (
            "ca_file = [\"HERE/two-lines\", \"HERE/none\"]",
            "FILE:2:11: upstreams.\"ghcr.io\".ca_file: cannot read HERE/none: No such file",
        ),
        (
            "client_certificate = \"HERE/none\"\nclient_key = \"HERE/none\"",
            "FILE:2:22: upstreams.\"ghcr.io\".client_certificate: cannot read HERE/none: No such file",
        ),
        (
            "proxy = \"http://me:hunter2@proxy.lan/path\"",
            "FILE:2:9: upstreams.\"ghcr.io\".proxy: the proxy's URL has a path",
        ),
    ];
    let here = folder.path().display().to_string();
    for (lines, expected) in rows {
        let output = config("check", folder.path(), &lines.replace("HERE", &here))?;
        assert_eq!(output.status.code(), Some(2), "{lines}");
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said
            .replace(&here, "HERE")
            .replace("HERE/ledge.toml", "FILE");
        assert!(said.contains(expected), "{expected}\nis not in\n{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_refused() -> Result<()> {
    let nobody = ([127, 0, 0, 1], 9).into();
    let (one, other) = (Secure::start(nobody).await?, Secure::start(nobody).await?);
    let ([certificate, _], [_, key]) = (one.identity(), other.identity());
    let lines = |key: &Path| {
        format!(
            "client_certificate = \"{}\"\nclient_key = \"{}\"\nca_file = \"{}\"",
            certificate.display(),
            key.display(),
            one.authority().display()
        )
    };
    let folder = folder()?;
    let output = config("check", folder.path(), &lines(&key))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("the private key of {} does not belong to", key.display());
    assert!(
        said.contains("client_certificate: ") && said.contains(&expected),
        "{said}"
    );
    let [_, own] = one.identity();
    let output = config("check", folder.path(), &lines(&own))?;
    assert!(output.status.success(), "{output:?}");
    Ok(())
}

/// Docker's own file need not be there, and a helper that fails is no reason not to start.
#[test]
fn what_may_be_absent_is_no_problem() -> Result<()> {
    let folder = folder()?;
    for lines in ["docker_config = true", "credential_helper = \"of-nobody\""] {
        let output = config("check", folder.path(), lines)?;
        assert!(output.status.success(), "{lines}: {output:?}");
    }
    Ok(())
}

#[test]
fn no_secret_is_shown() -> Result<()> {
    let folder = folder()?;
    fs::write(folder.path().join("secret"), "hunter2")?;
    for lines in [
        "username = \"me\"\npassword = \"hunter2\"".to_owned(),
        "token = \"hunter2\"".to_owned(),
        format!(
            "token_file = \"{}\"",
            folder.path().join("secret").display()
        ),
        "proxy = \"http://me:hunter2@proxy.lan\"".to_owned(),
    ] {
        for what in ["show", "check"] {
            let output = config(what, folder.path(), &lines)?;
            assert!(output.status.success(), "{lines}: {output:?}");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
    Ok(())
}
