//! The images that Kubernetes manifests name, wherever their pods are: in a Deployment, a CronJob,
//! a List, or a resource that nobody has heard of.
//!
//! A document becomes a flat list of nodes, and every mapping in it is looked at, so nothing here
//! recurses. Aliases stay aliases: what an anchor holds is looked at where it stands, and is followed
//! only from where a container may be. That work is counted, so a document that multiplies itself
//! costs no more than a large one.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScanError, StrInput};

/// The members of a pod's specification that list containers (Kubernetes API, `PodSpec`).
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Most nodes of one document: a List of five thousand pods, as `kubectl get pods -A` prints it,
/// has about 1.5 million.
const MAX_NODES: usize = 1 << 21;

/// Most looks at nodes in search of images, in one document. Without aliases every node is looked at
/// twice at most.
const MAX_LOOKS: usize = 4 * MAX_NODES;

/// An image's name and the line on which it stands, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) line: usize,
}

/// Why a text is no Kubernetes manifest that can be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum YamlError {
    /// It is no YAML.
    #[error("line {line}: this is no YAML: {why}")]
    Syntax { line: usize, why: String },
    /// One document is larger than any cluster.
    #[error("a document has more than {MAX_NODES} nodes")]
    TooLarge,
    /// Aliases of aliases.
    #[error("a document has too many aliases")]
    TooManyAliases,
}

/// The images of all documents, in their order.
///
/// # Errors
/// The text is no YAML, or is out of bounds.
pub(crate) fn images(text: &str) -> Result<Vec<Found<'_>>, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut found = Vec::new();
    let mut document = Document::default();
    while let Some((event, line)) = next(&mut parser)? {
        match event {
            Event::DocumentEnd => {
                std::mem::take(&mut document).collect(&mut found)?;
            }
            event => document.take(event, line)?,
        }
    }
    Ok(found)
}

type Spotted<'a> = (Event<'a>, usize);

fn next<'a>(parser: &mut Parser<'a, StrInput<'a>>) -> Result<Option<Spotted<'a>>, YamlError> {
    match parser.next_event() {
        None | Some(Ok((Event::StreamEnd, _))) => Ok(None),
        Some(Ok((event, span))) => Ok(Some((event, span.start.line()))),
        Some(Err(error)) => Err(of_syntax(&error)),
    }
}

fn of_syntax(error: &ScanError) -> YamlError {
    YamlError::Syntax {
        line: error.marker().line(),
        why: error.info().to_owned(),
    }
}

/// One document. Nodes are in the order of the text; they name each other by their places.
#[derive(Default)]
struct Document<'a> {
    nodes: Vec<Node<'a>>,
    anchors: HashMap<usize, usize>,
    /// The lists and mappings that are not at their end; a mapping with a key that waits for its value.
    open: Vec<(usize, Option<usize>)>,
    looks: usize,
}

struct Node<'a> {
    line: usize,
    value: Value<'a>,
}

enum Value<'a> {
    Scalar(Cow<'a, str>),
    List(Vec<usize>),
    Mapping(Vec<(usize, usize)>),
    Alias(usize),
}

impl<'a> Document<'a> {
    fn take(&mut self, event: Event<'a>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, _, anchor, _) => {
                self.add(Value::Scalar(text), anchor, line)?;
            }
            Event::Alias(anchor) => {
                self.add(Value::Alias(anchor), 0, line)?;
            }
            Event::SequenceStart(anchor, _) => {
                let at = self.add(Value::List(Vec::new()), anchor, line)?;
                self.open.push((at, None));
            }
            Event::MappingStart(anchor, _) => {
                let at = self.add(Value::Mapping(Vec::new()), anchor, line)?;
                self.open.push((at, None));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.open.pop();
            }
            _ => {}
        }
        Ok(())
    }

    /// Appends a node, and tells the one that it is in. Anchor 0 is none.
    fn add(&mut self, value: Value<'a>, anchor: usize, line: usize) -> Result<usize, YamlError> {
        let at = self.nodes.len();
        if at == MAX_NODES {
            return Err(YamlError::TooLarge);
        }
        self.nodes.push(Node { line, value });
        if anchor != 0 {
            self.anchors.insert(anchor, at);
        }
        if let Some((parent, key)) = self.open.last_mut() {
            match (&mut self.nodes[*parent].value, key.take()) {
                (Value::List(items), _) => items.push(at),
                (Value::Mapping(members), Some(key)) => members.push((key, at)),
                _ => *key = Some(at),
            }
        }
        Ok(at)
    }

    /// The images of every mapping in it.
    fn collect(mut self, found: &mut Vec<Found<'a>>) -> Result<(), YamlError> {
        let mut places = Vec::new();
        for at in 0..self.nodes.len() {
            for (key, value) in self.members(at).to_vec() {
                let image = match self.text(key) {
                    Some(key) if CONTAINERS.contains(&key) => Self::of_container,
                    Some("volumes") => Self::of_volume,
                    _ => continue,
                };
                for item in self.items(value)? {
                    places.extend(image(&mut self, item)?);
                }
            }
        }
        found.extend(places.into_iter().filter_map(|at| self.name(at)));
        Ok(())
    }

    fn of_container(&mut self, at: usize) -> Result<Option<usize>, YamlError> {
        self.member(at, "image")
    }

    /// An image that is mounted as a volume (Kubernetes API, `ImageVolumeSource`).
    fn of_volume(&mut self, at: usize) -> Result<Option<usize>, YamlError> {
        match self.member(at, "image")? {
            Some(image) => self.member(image, "reference"),
            None => Ok(None),
        }
    }

    /// A member of a mapping, its own or else one that is merged into it (YAML 1.1, "Merge Key").
    fn member(&mut self, at: usize, name: &str) -> Result<Option<usize>, YamlError> {
        let mut left = vec![at];
        while let Some(at) = left.pop() {
            let at = self.follow(at)?;
            self.look(self.members(at).len())?;
            if let Some(value) = self.own(at, name) {
                return Ok(Some(self.follow(value)?));
            }
            let Some(merged) = self.own(at, "<<") else {
                continue;
            };
            let merged = self.follow(merged)?;
            if let Value::List(all) = &self.nodes[merged].value {
                left.extend(all.iter().rev());
                self.look(left.len())?;
            } else {
                left.push(merged);
            }
        }
        Ok(None)
    }

    fn own(&self, at: usize, name: &str) -> Option<usize> {
        let mut members = self.members(at).iter();
        members
            .find(|(key, _)| self.text(*key) == Some(name))
            .map(|(_, value)| *value)
    }

    fn look(&mut self, times: usize) -> Result<(), YamlError> {
        self.looks += times;
        if self.looks > MAX_LOOKS {
            return Err(YamlError::TooManyAliases);
        }
        Ok(())
    }

    /// Where an alias leads to; any other node is itself. An anchor that is not there cannot be
    /// named: the parser refuses it.
    fn follow(&mut self, mut at: usize) -> Result<usize, YamlError> {
        loop {
            self.look(1)?;
            match &self.nodes[at].value {
                Value::Alias(anchor) => match self.anchors.get(anchor) {
                    Some(target) => at = *target,
                    None => return Ok(at),
                },
                _ => return Ok(at),
            }
        }
    }

    fn items(&mut self, at: usize) -> Result<Vec<usize>, YamlError> {
        let at = self.follow(at)?;
        let Value::List(items) = &self.nodes[at].value else {
            return Ok(Vec::new());
        };
        let items = items.clone();
        self.look(items.len())?;
        Ok(items)
    }

    fn members(&self, at: usize) -> &[(usize, usize)] {
        match &self.nodes[at].value {
            Value::Mapping(members) => members,
            _ => &[],
        }
    }

    fn text(&self, at: usize) -> Option<&str> {
        match &self.nodes[at].value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// A container without an image is for something else to fill in.
    fn name(&self, at: usize) -> Option<Found<'a>> {
        let node = &self.nodes[at];
        match &node.value {
            Value::Scalar(name) if !matches!(&**name, "" | "~" | "null") => Some(Found {
                name: name.clone(),
                line: node.line,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
