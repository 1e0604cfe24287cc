//! `{{ name }}` in a manifest's text.

use anyhow::{Context as _, Result};

use crate::variables::Name;

/// Text with variables in it.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Name),
}

impl Template {
    /// Parses it. A brace that opens an expression has to be closed, and a name has to be one.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after
                .split_once("}}")
                .with_context(|| format!("{text:?} opens an expression and does not close it"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Variable(Name::parse(name.trim())?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The text, with each variable's value in its place. A value is never a template itself.
    pub(crate) fn resolve(&self, value: impl Fn(&Name) -> Result<String>) -> Result<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(name) => text.push_str(&value(name)?),
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::Template;

    #[test]
    fn variables_are_put_in_once() {
        let resolve = |text: &str| {
            let template = Template::parse(text).expect(text);
            let value = |name: &crate::variables::Name| Ok(format!("<{{{{ {name} }}}}>"));
            template.resolve(value).expect("every name has a value")
        };
        for (text, resolved) in [
            ("", ""),
            ("plain } {", "plain } {"),
            ("{{a}}", "<{{ a }}>"),
            (
                "https://{{ host }}:{{ port }}/",
                "https://<{{ host }}>:<{{ port }}>/",
            ),
        ] {
            assert_eq!(resolve(text), resolved);
        }
    }

    #[test]
    fn what_is_not_closed_or_no_name_is_refused() {
        for text in ["{{ a", "{{ }}", "{{ A }}", "{{ a b }}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
