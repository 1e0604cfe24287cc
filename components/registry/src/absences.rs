//! What origins do not show: remembered shortly, so that a storm of typos is one question.

use crate::ask::Ask;
use crate::context::now;
use crate::failure::refused;
use crate::origin::missing;
use crate::records::{self, Label};
use ledge_core::error::{ApiError, ErrorKind};
use ledge_core::freshness::absent_for;
use ledge_core::key;
use ledge_core::record::{Absence, AbsenceRecord};
use ledge_core::ticket::Object;

/// Answers with the origin's no, if that was heard a moment ago.
///
/// # Errors
/// The no.
pub(crate) async fn check(ask: &Ask<'_>, object: &Object) -> Result<(), ApiError> {
    let key = key::absence(ask.upstream, &ask.repository, object, ask.client.as_ref());
    check_at(ask, &key, missing(object)).await
}

/// As [`check`], of what has another key; a 404 of it is called `missing`.
pub(crate) async fn check_at(ask: &Ask<'_>, key: &str, missing: ErrorKind) -> Result<(), ApiError> {
    let record = records::get(Label::Volatile, key).await;
    let Some(record) = record.and_then(|bytes| AbsenceRecord::decode(&bytes)) else {
        return Ok(());
    };
    let negative = ask.upstream.freshness().negative();
    if absent_for(&record, now(), negative).is_none() {
        return Ok(());
    }
    let status = match record.absence {
        Absence::Unknown => 404,
        Absence::Unauthorized => 401,
        Absence::Denied => 403,
    };
    Err(refused(ask.upstream.name(), status, missing))
}

/// Passes on what was found, and remembers a no.
pub(crate) async fn noted<T>(
    ask: &Ask<'_>,
    object: &Object,
    found: Result<T, ApiError>,
) -> Result<T, ApiError> {
    note(ask, object, found.as_ref().err()).await;
    found
}

/// Remembers an error that is a no.
pub(crate) async fn note(ask: &Ask<'_>, object: &Object, error: Option<&ApiError>) {
    if let Some(error) = error {
        let key = key::absence(ask.upstream, &ask.repository, object, ask.client.as_ref());
        note_at(ask, &key, error).await;
    }
}

/// As [`note`], of what has another key.
pub(crate) async fn note_at(ask: &Ask<'_>, key: &str, error: &ApiError) {
    if !error.is_personal()
        && let Some(absence) = absence(error.kind())
        && ask.upstream.freshness().negative() > 0
    {
        let checked_at = now();
        let record = AbsenceRecord {
            absence,
            checked_at,
        };
        records::set(Label::Volatile, key, &record.encode()).await;
    }
}

const fn absence(kind: ErrorKind) -> Option<Absence> {
    match kind {
        ErrorKind::BlobUnknown | ErrorKind::ManifestUnknown | ErrorKind::NameUnknown => {
            Some(Absence::Unknown)
        }
        ErrorKind::Unauthorized => Some(Absence::Unauthorized),
        ErrorKind::Denied => Some(Absence::Denied),
        _ => None,
    }
}
