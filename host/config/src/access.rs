//! By whose rights an upstream is pulled from.

use std::time::Duration;

use ledge_core::config::{Access, RepositoryPattern};

use crate::credentials::Credentials;
use crate::entries::{list, scalar, seconds};
use crate::error::{Fault, Place, Problem, Quoted};
use crate::file::{Key, Section};
use crate::freshness::repository_pattern;
use crate::provenance::{Provenance, Sourced};
use crate::setting::{ALLOWED, ALLOWED_MOST};
use crate::types::Rights;

/// What a section says of it.
#[derive(Default)]
pub(crate) struct GivenRights {
    access: Option<Sourced<Access>>,
    public: Option<Sourced<Vec<RepositoryPattern>>>,
    allowed_for: Option<Sourced<Duration>>,
}

impl GivenRights {
    /// Reads it, and checks it against the credentials.
    pub(crate) fn read(
        key: &Key,
        section: &mut Section<'_>,
        credentials: Option<&Credentials>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let given = Self {
            access: scalar(section.take("access"), parse, problems),
            public: list(section.take("public"), repository_pattern, problems),
            allowed_for: scalar(section.take("allowed_for"), seconds(ALLOWED_MOST), problems),
        };
        let mut refuse = |from: &Provenance, setting, fault| {
            let problem = key.problem(fault);
            problems.push(Problem {
                place: Place::Value(from.clone()),
                setting: problem
                    .setting
                    .map(|section| format!("{section}.{setting}")),
                fault: problem.fault,
            });
        };
        if let Some(access) = &given.access
            && let Some(fault) = fault(access.value, credentials)
        {
            refuse(&access.provenance, "access", fault);
        } else if let Some(public) = &given.public
            && credentials.is_none()
            && !public.is_empty()
        {
            refuse(&public.provenance, "public", Fault::PublicUnshared);
        }
        given
    }

    /// With the defaults where nothing is said.
    pub(crate) fn filled(self, credentials: Option<&Credentials>) -> Rights {
        let usual = match credentials {
            Some(_) => Access::Shared,
            None => Access::Public,
        };
        Rights {
            access: or_default(self.access, usual),
            public: or_default(self.public, Vec::new()),
            allowed_for: or_default(self.allowed_for, ALLOWED),
        }
    }
}

fn or_default<T>(given: Option<Sourced<T>>, default: T) -> Sourced<T> {
    given.unwrap_or_else(|| Sourced::new(default, Provenance::Default))
}

const fn fault(access: Access, credentials: Option<&Credentials>) -> Option<Fault> {
    match (access, credentials) {
        (Access::Shared, None) => Some(Fault::NothingToShare),
        (Access::Public, Some(_)) => Some(Fault::PublicWithCredentials),
        (Access::PassThrough, Some(_)) => Some(Fault::PassThroughWithCredentials),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Access, Fault> {
    [Access::Public, Access::Shared, Access::PassThrough]
        .into_iter()
        .find(|access| name(*access) == text)
        .ok_or_else(|| Fault::Access(Quoted::of(text)))
}

/// As it is written.
pub(crate) const fn name(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::Shared => "shared",
        Access::PassThrough => "pass-through",
    }
}
