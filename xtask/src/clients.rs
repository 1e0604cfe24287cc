//! The programs that the end-to-end tests, the demo and the benchmark drive.

use anyhow::{Result, bail};

use crate::apt;
use crate::exec;
use crate::progress::say;
use crate::workspace::Workspace;

/// One of Debian's packages and the programs of it that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    package: &'static str,
    programs: &'static [&'static str],
}

pub(crate) const DOCKER_REGISTRY: Client = Client {
    package: "docker-registry",
    programs: &["docker-registry"],
};
pub(crate) const NGINX: Client = Client {
    package: "nginx",
    programs: &["nginx"],
};
pub(crate) const SKOPEO: Client = Client {
    package: "skopeo",
    programs: &["skopeo"],
};
pub(crate) const ZSTD: Client = Client {
    package: "zstd",
    programs: &["zstd"],
};
pub(crate) const CURL: Client = Client {
    package: "curl",
    programs: &["curl"],
};
pub(crate) const H2LOAD: Client = Client {
    package: "nghttp2-client",
    programs: &["h2load"],
};
pub(crate) const WRK: Client = Client {
    package: "wrk",
    programs: &["wrk"],
};

/// Everything that a test drives.
pub(crate) const ALL: [Client; 10] = [
    DOCKER_REGISTRY,
    SKOPEO,
    Client {
        package: "podman",
        programs: &["podman"],
    },
    Client {
        package: "containerd",
        programs: &["containerd", "ctr"],
    },
    Client {
        package: "docker.io",
        programs: &["dockerd", "docker"],
    },
    Client {
        package: "buildah",
        programs: &["buildah"],
    },
    Client {
        package: "redis-server",
        programs: &["redis-server"],
    },
    Client {
        package: "strace",
        programs: &["strace"],
    },
    ZSTD,
    WRK,
];

/// What to do about missing clients.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Go,
    Install,
    Skip,
    Refuse,
}

/// On a laptop without root a test is skipped by name; where nobody watches, nothing is left out.
fn plan(any_missing: bool, can_install: bool, ci: bool) -> Plan {
    match (any_missing, can_install, ci) {
        (false, _, _) => Plan::Go,
        (true, true, _) => Plan::Install,
        (true, false, true) => Plan::Refuse,
        (true, false, false) => Plan::Skip,
    }
}

/// Installs what is missing. What then still is, tests skip and say so: never anything in CI.
pub(crate) fn for_tests(workspace: &Workspace, clients: &[Client]) -> Result<()> {
    let missing = missing(clients);
    match plan(!missing.is_empty(), apt::is_usable(), exec::is_ci()) {
        Plan::Go => Ok(()),
        Plan::Install => install(workspace, &missing),
        Plan::Skip => {
            say(&format!(
                "these are missing, and tests that need them are skipped: {}",
                packages(&missing)
            ));
            Ok(())
        }
        Plan::Refuse => bail!("{}", refusal(&missing)),
    }
}

/// Installs what is missing; a command that cannot do without must have all.
pub(crate) fn required(workspace: &Workspace, clients: &[Client]) -> Result<()> {
    let missing = missing(clients);
    match plan(!missing.is_empty(), apt::is_usable(), true) {
        Plan::Go => Ok(()),
        Plan::Install => install(workspace, &missing),
        Plan::Skip | Plan::Refuse => bail!("{}", refusal(&missing)),
    }
}

fn install(workspace: &Workspace, clients: &[Client]) -> Result<()> {
    let names: Vec<&str> = clients.iter().map(|client| client.package).collect();
    apt::install(&names, &workspace.log("apt-clients"))?;
    let missing = missing(clients);
    if !missing.is_empty() {
        bail!(
            "apt-get installed, yet programs of these are missing: {}",
            packages(&missing)
        );
    }
    Ok(())
}

fn missing(clients: &[Client]) -> Vec<Client> {
    let is_missing = |client: &Client| {
        client
            .programs
            .iter()
            .any(|program| exec::find(program).is_none())
    };
    clients.iter().copied().filter(is_missing).collect()
}

/// The packages' names, as one types them.
fn packages(clients: &[Client]) -> String {
    clients
        .iter()
        .map(|client| client.package)
        .collect::<Vec<_>>()
        .join(" ")
}

fn refusal(missing: &[Client]) -> String {
    let packages = packages(missing);
    format!(
        "these are missing: {packages}. Install them: sudo apt-get install --no-install-recommends {packages}"
    )
}

#[cfg(test)]
mod tests {
    use super::{ALL, Client, Plan, WRK, ZSTD, missing, plan, refusal};

    #[test]
    fn a_missing_client_is_installed_or_skipped_or_refused() {
        for (any_missing, can_install, ci, expected) in [
            (false, false, false, Plan::Go),
            (false, true, true, Plan::Go),
            (true, true, false, Plan::Install),
            (true, true, true, Plan::Install),
            (true, false, false, Plan::Skip),
            (true, false, true, Plan::Refuse),
        ] {
            assert_eq!(
                plan(any_missing, can_install, ci),
                expected,
                "{any_missing} {can_install} {ci}"
            );
        }
    }

    #[test]
    fn a_package_is_missing_when_one_of_its_programs_is() {
        let half = Client {
            package: "half",
            programs: &["sh", "no-such-program"],
        };
        let whole = Client {
            package: "whole",
            programs: &["sh"],
        };
        assert_eq!(missing(&[half, whole]), [half]);
    }

    #[test]
    fn the_refusal_can_be_pasted() {
        assert_eq!(
            refusal(&[ZSTD, WRK]),
            "these are missing: zstd wrk. Install them: sudo apt-get install --no-install-recommends zstd wrk"
        );
    }

    #[test]
    fn every_package_has_programs_and_stands_once() {
        for (index, client) in ALL.iter().enumerate() {
            assert!(!client.programs.is_empty(), "{}", client.package);
            assert!(
                ALL[..index]
                    .iter()
                    .all(|other| other.package != client.package),
                "{}",
                client.package
            );
        }
    }
}
