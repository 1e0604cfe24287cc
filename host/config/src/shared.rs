//! `[shared.records]`: records that several nodes share.

use std::path::PathBuf;

use url::Url;

use crate::credentials::{self, Text};
use crate::entries::{one_or_more, path, scalar};
use crate::error::{Fault, Problem};
use crate::file::{Key, Section};
use crate::provenance::{Provenance, Sourced};

/// What stands before every key unless it is said.
const PREFIX: &str = "ledge:";

/// A Valkey or Redis that several nodes share. Whether its URLs can be used is found out by who uses them.
#[derive(Debug, Clone)]
pub struct SharedRecords {
    /// One server, or some nodes of a cluster, as URLs.
    pub url: Sourced<Vec<String>>,
    /// Who this is, where the server knows more users than one.
    pub username: Option<Sourced<String>>,
    /// The password, if it wants one.
    pub password: Option<Text>,
    /// A file of authorities (PEM) to believe instead of the system's.
    pub ca_file: Option<Sourced<PathBuf>>,
    /// What stands before every key.
    pub prefix: Sourced<String>,
}

/// The section, and in it `records`. Nothing if it is not there, or a problem more.
pub(crate) fn read(
    section: Option<Section<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<SharedRecords> {
    let mut section = section?;
    let entry = section.take("records");
    problems.extend(section.finish());
    let entry = entry?;
    let key = entry.key().clone();
    match entry.into_section() {
        Ok(mut section) => {
            let found = records(&key, &mut section, problems);
            problems.extend(section.finish());
            found
        }
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

fn records(
    head: &Key,
    section: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> Option<SharedRecords> {
    let url = section.take("url");
    if url.is_none() {
        problems.push(head.problem(Fault::Missing("url")));
    }
    let prefix = scalar(section.take("prefix"), taken, problems);
    let found = SharedRecords {
        username: scalar(section.take("username"), taken, problems),
        password: credentials::password(section, problems),
        ca_file: path(section.take("ca_file"), problems),
        prefix: prefix.unwrap_or_else(|| Sourced::new(PREFIX.to_owned(), Provenance::Default)),
        url: one_or_more(url, server, problems)?,
    };
    Some(found)
}

/// A URL, which is printed, and so holds no secret.
fn server(text: &str) -> Result<String, Fault> {
    let url = Url::parse(text).map_err(Fault::Url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::UrlCredentials);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Fault::UrlHost);
    }
    Ok(text.to_owned())
}

fn taken(text: &str) -> Result<String, Fault> {
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    Ok(text.to_owned())
}
