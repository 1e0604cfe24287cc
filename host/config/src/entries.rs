//! Values that a file alone can hold: of upstreams and rules there are many, so they have no
//! variables and no flags.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Fault, Place, Problem, Quoted};
use crate::file::{Entry, Key, Section};
use crate::layers::between;
use crate::provenance::{FilePlace, Provenance, Sourced};
use crate::value::{Shape, Value};

/// A string, parsed. A problem more if it is none.
pub(crate) fn scalar<T>(
    entry: Option<Entry<'_>>,
    parse: impl Fn(&str) -> Result<T, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<T>> {
    of_shape(&entry?, Shape::Text, parse, problems)
}

/// A path.
pub(crate) fn path(
    entry: Option<Entry<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<PathBuf>> {
    scalar(entry, <PathBuf as Value>::parse, problems)
}

/// True or false.
pub(crate) fn boolean(
    entry: Option<Entry<'_>>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<bool>> {
    of_shape(&entry?, Shape::Boolean, <bool as Value>::parse, problems)
}

/// A value that TOML holds in that shape, parsed. A problem more if it is none.
pub(crate) fn of_shape<T>(
    entry: &Entry<'_>,
    shape: Shape,
    parse: impl Fn(&str) -> Result<T, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<T>> {
    match entry.scalar(shape).and_then(|text| parse(&text)) {
        Ok(value) => Some(Sourced::new(value, entry.provenance())),
        Err(fault) => {
            problems.push(entry.problem(fault));
            None
        }
    }
}

/// A list of strings, each parsed. A problem more for each that is none.
pub(crate) fn list<T>(
    entry: Option<Entry<'_>>,
    parse: impl Fn(&str) -> Result<T, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<Vec<T>>> {
    let entry = entry?;
    each(&entry, entry.texts(), parse, problems)
}

/// A string, or a list of strings, each parsed. A problem more for each that is none, and for an empty list.
pub(crate) fn one_or_more<T>(
    entry: Option<Entry<'_>>,
    parse: impl Fn(&str) -> Result<T, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<Vec<T>>> {
    let entry = entry?;
    let found = each(&entry, entry.text_or_texts(), parse, problems)?;
    // If one was refused, that is told already.
    if found.is_empty() && entry.text_or_texts().is_ok_and(|texts| texts.is_empty()) {
        problems.push(entry.problem(Fault::Empty));
    }
    Some(found)
}

fn each<T>(
    entry: &Entry<'_>,
    texts: Result<Vec<(&str, FilePlace)>, Fault>,
    parse: impl Fn(&str) -> Result<T, Fault>,
    problems: &mut Vec<Problem>,
) -> Option<Sourced<Vec<T>>> {
    let texts = match texts {
        Ok(texts) => texts,
        Err(fault) => {
            problems.push(entry.problem(fault));
            return None;
        }
    };
    let mut values = Vec::with_capacity(texts.len());
    for (text, place) in texts {
        match parse(text) {
            Ok(value) => values.push(value),
            Err(fault) => problems.push(Problem {
                place: Place::Value(Provenance::File(place)),
                ..entry.problem(fault)
            }),
        }
    }
    Some(Sourced::new(values, entry.provenance()))
}

/// Whole seconds, at most so many.
pub(crate) fn seconds(most: Duration) -> impl Fn(&str) -> Result<Duration, Fault> {
    move |text| {
        let duration = <Duration as Value>::parse(text)?;
        if duration.subsec_nanos() != 0 {
            return Err(Fault::FractionOfSecond(Quoted::of(text)));
        }
        between(duration, &Duration::ZERO, &most)
    }
}

/// What must be there. A problem more if it is not.
pub(crate) fn required<'a>(
    section: &mut Section<'a>,
    head: &Key,
    key: &'static str,
    problems: &mut Vec<Problem>,
) -> Option<Entry<'a>> {
    let entry = section.take(key);
    if entry.is_none() {
        problems.push(head.problem(Fault::Missing(key)));
    }
    entry
}

/// A list of sections, as in `[[rules]]`, each read in its turn.
pub(crate) fn sections<'a, T>(
    entry: Option<Entry<'a>>,
    problems: &mut Vec<Problem>,
    mut read: impl FnMut(&Key, &mut Section<'a>, &mut Vec<Problem>) -> Option<T>,
) -> Vec<T> {
    let found = match entry.map(Entry::into_sections) {
        Some(Ok(found)) => found,
        Some(Err(problem)) => {
            problems.push(problem);
            Vec::new()
        }
        None => Vec::new(),
    };
    let mut all = Vec::with_capacity(found.len());
    for (head, mut section) in found {
        all.extend(read(&head, &mut section, problems));
        problems.extend(section.finish());
    }
    all
}
