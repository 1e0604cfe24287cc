//! The configuration file: found, read, parsed, and taken apart section by section.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::environment::Surroundings;
use crate::error::{Fault, Place, Problem};
use crate::flags::Flags;
use crate::provenance::{FilePlace, Provenance};
use crate::setting::NAMES;
use crate::suggest::nearest;
use crate::value::Shape;

/// Ten thousand upstreams fit in it; a device file or a blob named by mistake ends here.
const LONGEST_FILE: u64 = 1024 * 1024;

/// A file that was read.
pub(crate) struct Text {
    pub(crate) path: Arc<Path>,
    pub(crate) text: String,
}

/// Reads the file that the flag or the variable names, else the first of the usual ones that
/// exists; none is fine.
pub(crate) fn read(flags: &Flags, surroundings: &Surroundings) -> Result<Option<Text>, Problem> {
    let named = flags
        .config
        .clone()
        .or_else(|| surroundings.path("LEDGE_CONFIG"));
    if let Some(path) = named {
        let path: Arc<Path> = path.into();
        let file = File::open(&path).map_err(|error| whole(&path, Fault::Unreadable(error)))?;
        return read_text(path, file).map(Some);
    }
    for path in &surroundings.config_files {
        let path: Arc<Path> = Arc::from(path.as_path());
        match File::open(&path) {
            Ok(file) => return read_text(path, file).map(Some),
            Err(error) if is_absent(error.kind()) => {}
            Err(error) => return Err(whole(&path, Fault::Unreadable(error))),
        }
    }
    Ok(None)
}

fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn read_text(path: Arc<Path>, file: File) -> Result<Text, Problem> {
    let mut bytes = Vec::new();
    file.take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| whole(&path, Fault::Unreadable(error)))?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(whole(&path, Fault::FileTooLong { most: LONGEST_FILE }));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { path, text }),
        Err(_) => Err(whole(&path, Fault::NotUtf8)),
    }
}

fn whole(path: &Arc<Path>, fault: Fault) -> Problem {
    Problem {
        place: Place::WholeFile(path.clone()),
        setting: None,
        fault,
    }
}

impl Text {
    /// The whole file as a section.
    pub(crate) fn parse(&self) -> Result<Section<'_>, Problem> {
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(self.section(String::new(), table.into_inner())),
            // The error's own `Display` repeats the line, and with it perhaps a password.
            Err(error) => Err(Problem {
                place: Place::Value(Provenance::File(
                    self.place(error.span().map_or(0, |span| span.start)),
                )),
                setting: None,
                fault: Fault::Syntax(error.message().to_owned()),
            }),
        }
    }

    fn section<'a>(&'a self, name: String, table: DeTable<'a>) -> Section<'a> {
        let entries = table
            .into_iter()
            .map(|(key, value)| {
                let entry = Entry {
                    text: self,
                    key: Key {
                        full_name: join(&name, key.get_ref()),
                        place: self.place(key.span().start),
                    },
                    place: self.place(value.span().start),
                    value: value.into_inner(),
                };
                (key.into_inner(), entry)
            })
            .collect();
        Section {
            name,
            entries,
            asked: Vec::new(),
        }
    }

    /// Line and column of a byte offset.
    fn place(&self, offset: usize) -> FilePlace {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        FilePlace {
            path: self.path.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// As in `server.listen`, or `upstreams."ghcr.io".url`.
fn join(section: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let key = if !key.is_empty() && key.chars().all(plain) {
        Cow::Borrowed(key)
    } else {
        Cow::Owned(crate::error::Quoted::of(key).to_string())
    };
    if section.is_empty() {
        key.into_owned()
    } else {
        format!("{section}.{key}")
    }
}

/// A table of the file. What nobody asks for is unknown.
#[derive(Default)]
pub(crate) struct Section<'a> {
    /// Empty for the file itself.
    name: String,
    entries: BTreeMap<Cow<'a, str>, Entry<'a>>,
    asked: Vec<&'static str>,
}

/// A key and its value.
pub(crate) struct Entry<'a> {
    text: &'a Text,
    key: Key,
    /// Where the value stands.
    place: FilePlace,
    value: DeValue<'a>,
}

/// The key of a setting or of a section.
#[derive(Clone)]
pub(crate) struct Key {
    full_name: String,
    place: FilePlace,
}

impl Key {
    /// A problem with the key, or with the section that it heads.
    pub(crate) fn problem(&self, fault: Fault) -> Problem {
        Problem {
            place: Place::Value(Provenance::File(self.place.clone())),
            setting: Some(self.full_name.clone()),
            fault,
        }
    }
}

impl<'a> Section<'a> {
    /// Takes the entry of that key, if it is there.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.asked.push(key);
        self.entries.remove(key)
    }

    /// Takes all that is left.
    pub(crate) fn take_all(&mut self) -> BTreeMap<Cow<'a, str>, Entry<'a>> {
        std::mem::take(&mut self.entries)
    }

    /// A problem for each entry that nobody asked for.
    pub(crate) fn finish(self) -> impl Iterator<Item = Problem> {
        let Self {
            name,
            entries,
            asked,
        } = self;
        entries.into_iter().map(move |(key, entry)| {
            let hint = nearest(&key, asked.iter().copied())
                .map(|meant| format!("did you mean {meant}?"))
                .or_else(|| elsewhere(&name, &key));
            entry.key.problem(Fault::Unknown { hint })
        })
    }
}

/// The section that a misplaced key belongs to.
fn elsewhere(section: &str, key: &str) -> Option<String> {
    let found = NAMES
        .iter()
        .find(|name| name.key == key && name.section != section)?;
    Some(if found.section.is_empty() {
        format!("{key} stands above the first section")
    } else {
        format!("{key} belongs in [{}]", found.section)
    })
}

impl<'a> Entry<'a> {
    /// The value as one text, if TOML holds it in that shape.
    pub(crate) fn scalar(&self, shape: Shape) -> Result<Cow<'_, str>, Fault> {
        match (&self.value, shape) {
            (DeValue::String(text), Shape::Text | Shape::TextOrNumber | Shape::TextOrBoolean) => {
                Ok(Cow::Borrowed(text.as_ref()))
            }
            (DeValue::Integer(integer), Shape::Number | Shape::TextOrNumber) => {
                let decimal = u64::from_str_radix(integer.as_str(), integer.radix())
                    .map(|number| number.to_string());
                Ok(decimal.map_or_else(|_| Cow::Borrowed(integer.as_str()), Cow::Owned))
            }
            (DeValue::Boolean(truth), Shape::Boolean | Shape::TextOrBoolean) => {
                Ok(Cow::Borrowed(if *truth { "true" } else { "false" }))
            }
            _ => Err(self.wrong_type(shape.expected())),
        }
    }

    /// The value as a list of texts, each with its place.
    pub(crate) fn texts(&self) -> Result<Vec<(&str, FilePlace)>, Fault> {
        const EXPECTED: &str = "a list of strings";
        let Some(array) = self.value.as_array() else {
            return Err(self.wrong_type(EXPECTED));
        };
        array
            .iter()
            .map(|item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Ok((text.as_ref(), self.text.place(item.span().start))),
                other => Err(Fault::WrongType {
                    expected: EXPECTED,
                    found: other.type_str(),
                }),
            })
            .collect()
    }

    /// The value as a list of texts; one text is a list of one.
    pub(crate) fn text_or_texts(&self) -> Result<Vec<(&str, FilePlace)>, Fault> {
        match &self.value {
            DeValue::String(text) => Ok(vec![(text.as_ref(), self.place.clone())]),
            DeValue::Array(_) => self.texts(),
            _ => Err(self.wrong_type("a string or a list of strings")),
        }
    }

    /// Whether the value is this truth.
    pub(crate) fn is_boolean(&self, truth: bool) -> bool {
        self.value.as_bool() == Some(truth)
    }

    /// The entry's key.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The dotted name, if TOML split one at its dots into sections of sections.
    pub(crate) fn unquoted(&self, name: &str) -> Option<String> {
        if name.contains('.') {
            return None;
        }
        let mut whole = name.to_owned();
        let mut value = &self.value;
        // TOML's own parser bounds the depth.
        while let Some((key, inner)) = first_table(value) {
            whole = format!("{whole}.{key}");
            value = inner;
        }
        (whole != name).then_some(whole)
    }

    /// The value as a section of its own.
    pub(crate) fn into_section(self) -> Result<Section<'a>, Problem> {
        match self.value {
            DeValue::Table(table) => Ok(self.text.section(self.key.full_name, table)),
            _ => Err(self.key.problem(self.wrong_type("a section"))),
        }
    }

    /// The value as a list of sections, as in `[[rules]]`, each with its head.
    pub(crate) fn into_sections(self) -> Result<Vec<(Key, Section<'a>)>, Problem> {
        const EXPECTED: &str = "a list of sections";
        let wrong = self.key.problem(self.wrong_type(EXPECTED));
        let DeValue::Array(array) = self.value else {
            return Err(wrong);
        };
        let (text, full_name) = (self.text, self.key.full_name);
        let section = |item: Spanned<DeValue<'a>>| {
            let key = Key {
                full_name: full_name.clone(),
                place: text.place(item.span().start),
            };
            match item.into_inner() {
                DeValue::Table(table) => Ok((key, text.section(full_name.clone(), table))),
                other => Err(key.problem(Fault::WrongType {
                    expected: EXPECTED,
                    found: other.type_str(),
                })),
            }
        };
        array.into_iter().map(section).collect()
    }

    /// Where the value came from.
    pub(crate) fn provenance(&self) -> Provenance {
        Provenance::File(self.place.clone())
    }

    /// A problem with the value.
    pub(crate) fn problem(&self, fault: Fault) -> Problem {
        Problem {
            place: Place::Value(self.provenance()),
            setting: Some(self.key.full_name.clone()),
            fault,
        }
    }

    fn wrong_type(&self, expected: &'static str) -> Fault {
        Fault::WrongType {
            expected,
            found: self.value.type_str(),
        }
    }
}

/// The first section inside of a section.
fn first_table<'v, 'a>(value: &'v DeValue<'a>) -> Option<(&'v str, &'v DeValue<'a>)> {
    value
        .as_table()?
        .iter()
        .map(|(key, value)| (key.get_ref().as_ref(), value.get_ref()))
        .find(|(_, value)| value.is_table())
}
