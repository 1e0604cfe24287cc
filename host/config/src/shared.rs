//! `[shared]`: what several nodes share.

use std::path::PathBuf;

use url::Url;

use crate::credentials::{self, Text};
use crate::entries::{one_or_more, path, required, scalar};
use crate::error::{Fault, Problem, Quoted};
use crate::file::{Entry, Key, Section};
use crate::layers::{Layered, Layers};
use crate::name::Endpoint;
use crate::provenance::{Provenance, Sourced};
use crate::setting::ADVERTISE;
use crate::value::Shape;

/// What stands before every key unless it is said.
const PREFIX: &str = "ledge:";

/// The services that keep objects.
const SERVICES: [&str; 3] = ["s3", "gs", "az"];

/// What several nodes share. Nothing if the file says nothing of it.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// Where other nodes find this one, if they are to.
    pub advertise: Option<Sourced<Endpoint>>,
    /// Records, and who fetches what.
    pub records: Option<SharedRecords>,
    /// Objects.
    pub objects: Option<SharedObjects>,
}

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

/// A bucket of objects that several nodes share. Whether it can be used is found out by who uses it.
#[derive(Debug, Clone)]
pub struct SharedObjects {
    /// `s3://`, `gs://` or `az://`, the bucket's name, and perhaps a prefix.
    pub url: Sourced<String>,
    /// The service, where it is not the one of that cloud.
    pub endpoint: Option<Sourced<Endpoint>>,
    /// The region, where the service has some.
    pub region: Option<Sourced<String>>,
    /// The access key's id, or the account's name.
    pub username: Option<Sourced<String>>,
    /// The access key's secret.
    pub password: Option<Text>,
    /// A file of authorities (PEM) to believe beside the system's.
    pub ca_file: Option<Sourced<PathBuf>>,
}

/// The section. Nothing of what is not there, or problems more.
pub(crate) fn read(section: &mut Section<'_>, layers: &mut Layers<'_>) -> Shared {
    let advertise = layers.layered(section, &ADVERTISE, Shape::Text, Endpoint::parse);
    let problems = &mut layers.problems;
    Shared {
        advertise: match advertise {
            Layered::Said(url) => Some(url),
            Layered::Refused | Layered::Silent => None,
        },
        records: part(section.take("records"), records, problems),
        objects: part(section.take("objects"), objects, problems),
    }
}

fn part<'a, T>(
    entry: Option<Entry<'a>>,
    read: fn(&Key, &mut Section<'a>, &mut Vec<Problem>) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let entry = entry?;
    let key = entry.key().clone();
    match entry.into_section() {
        Ok(mut section) => {
            let found = read(&key, &mut section, problems);
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
    let url = required(section, head, "url", problems);
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

fn objects(
    head: &Key,
    section: &mut Section<'_>,
    problems: &mut Vec<Problem>,
) -> Option<SharedObjects> {
    let url = required(section, head, "url", problems);
    let found = SharedObjects {
        endpoint: scalar(section.take("endpoint"), Endpoint::parse, problems),
        region: scalar(section.take("region"), taken, problems),
        username: scalar(section.take("username"), taken, problems),
        password: credentials::password(section, problems),
        ca_file: path(section.take("ca_file"), problems),
        url: scalar(url, bucket, problems)?,
    };
    Some(found)
}

/// A URL, which is printed, and so holds no secret.
fn bucket(text: &str) -> Result<String, Fault> {
    let url = server(text)?;
    if SERVICES
        .iter()
        .any(|service| url.starts_with(&format!("{service}://")))
    {
        Ok(url)
    } else {
        Err(Fault::BucketScheme(Quoted::of(text)))
    }
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
