//! One value out of four layers: default, file, environment, flag.

use std::borrow::Cow;

use crate::environment::Surroundings;
use crate::error::{Fault, Place, Problem};
use crate::file::Section;
use crate::flags::Flags;
use crate::provenance::{Provenance, Sourced};
use crate::setting::{Name, Setting};
use crate::value::{Shape, Value};

/// The layers above the file, and what was found wrong so far.
pub(crate) struct Layers<'a> {
    pub(crate) surroundings: &'a Surroundings,
    flags: &'a Flags,
    pub(crate) problems: Vec<Problem>,
}

/// What a layer says.
struct Said<'a> {
    text: Result<Cow<'a, str>, Fault>,
    provenance: Provenance,
}

impl<'a> Layers<'a> {
    pub(crate) fn new(surroundings: &'a Surroundings, flags: &'a Flags) -> Self {
        Self {
            surroundings,
            flags,
            problems: Vec::new(),
        }
    }

    /// The setting's value. Nothing if it has none, and then there is a problem more.
    pub(crate) fn setting<T: Value>(
        &mut self,
        section: &mut Section<'_>,
        setting: &Setting<T>,
    ) -> Option<Sourced<T>> {
        let parse = |text: &str| within_bounds(T::parse(text)?, setting);
        match self.layered(section, setting.name, T::SHAPE, parse) {
            Layered::Said(value) => Some(value),
            Layered::Refused => None,
            Layered::Silent => match (setting.default)(self.surroundings) {
                Ok(value) => Some(Sourced::new(value, Provenance::Default)),
                Err(fault) => {
                    self.refuse(setting.name, Provenance::Default, fault);
                    None
                }
            },
        }
    }

    /// What the topmost layer says that says anything. All are read: a wrong value is a problem,
    /// also where another outweighs it.
    pub(crate) fn layered<T>(
        &mut self,
        section: &mut Section<'_>,
        name: &'static Name,
        shape: Shape,
        parse: impl Fn(&str) -> Result<T, Fault>,
    ) -> Layered<T> {
        let entry = section.take(name.key);
        let file = entry.as_ref().map(|entry| Said {
            text: entry.scalar(shape),
            provenance: entry.provenance(),
        });
        let environment = self.surroundings.text(name.environment).map(|text| Said {
            text: text.map(Cow::Borrowed),
            provenance: Provenance::Environment(name.environment),
        });
        let flag = name.flag.as_ref().and_then(|flag| {
            (flag.value)(self.flags).map(|text| Said {
                text: Ok(Cow::Borrowed(text)),
                provenance: Provenance::Flag(flag.name),
            })
        });
        let mut outcome = Layered::Silent;
        for said in [file, environment, flag].into_iter().flatten() {
            outcome = match said.text.and_then(|text| parse(&text)) {
                Ok(value) => Layered::Said(Sourced::new(value, said.provenance)),
                Err(fault) => {
                    self.refuse(name, said.provenance, fault);
                    Layered::Refused
                }
            };
        }
        outcome
    }

    fn refuse(&mut self, name: &Name, provenance: Provenance, fault: Fault) {
        self.problems.push(Problem {
            place: Place::Value(provenance),
            setting: Some(name.full()),
            fault,
        });
    }
}

/// What the layers say of a setting.
pub(crate) enum Layered<T> {
    /// This.
    Said(Sourced<T>),
    /// Something that is wrong; the problem is recorded.
    Refused,
    /// Nothing.
    Silent,
}

fn within_bounds<T: Value>(value: T, setting: &Setting<T>) -> Result<T, Fault> {
    match &setting.bounds {
        Some((least, most)) => between(value, least, most),
        None => Ok(value),
    }
}

/// The value, if it is neither less nor more than that.
pub(crate) fn between<T: Value>(value: T, least: &T, most: &T) -> Result<T, Fault> {
    if value < *least || value > *most {
        return Err(Fault::Bounds {
            value: value.to_toml().to_string(),
            bounds: format!("{} and {}", least.to_toml(), most.to_toml()),
        });
    }
    Ok(value)
}
