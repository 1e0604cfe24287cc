//! An origin that holds objects and answers as RFC 9110 says, until a test tells it otherwise.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use ledge_core::range::{ByteRange, Span};
use tokio::sync::Semaphore;

use crate::bench::digest;
use crate::origin::{Asked, Script, Step, head};

/// The entity tag that an object has unless a test says otherwise.
pub(crate) const TAG: &str = "\"one\"";

/// How one request is answered. The default is well.
#[derive(Clone)]
pub(crate) struct Act {
    refusal: Option<String>,
    tag: String,
    ignores_ranges: bool,
    content_range: Option<String>,
    framing: Framing,
    tampered: Option<u64>,
    /// What happens where: offsets into the object, ascending.
    events: Vec<(u64, Event)>,
}

/// How the end of the body is told: RFC 9112, section 6.3.
#[derive(Clone, Copy)]
enum Framing {
    Length,
    /// A false length.
    Announced(u64),
    Chunked,
    /// The end is where the connection ends.
    Close,
}

#[derive(Clone)]
enum Event {
    Stall(Arc<Semaphore>),
    Close,
    Reset,
}

/// Answers well.
pub(crate) fn well() -> Act {
    Act {
        refusal: None,
        tag: TAG.to_owned(),
        ignores_ranges: false,
        content_range: None,
        framing: Framing::Length,
        tampered: None,
        events: Vec::new(),
    }
}

/// Answers with this status and these fields (`404 Not Found\r\nname: value`), and no body.
pub(crate) fn refuse(status_and_fields: &str) -> Act {
    Act {
        refusal: Some(status_and_fields.to_owned()),
        ..well()
    }
}

impl Act {
    /// Closes the connection before the byte `at` of the object.
    pub(crate) fn close_at(self, at: usize) -> Self {
        self.event(at, Event::Close)
    }

    /// Resets the connection before the byte `at` of the object.
    pub(crate) fn reset_at(self, at: usize) -> Self {
        self.event(at, Event::Reset)
    }

    /// Waits for a permit before the byte `at` of the object; at the end too.
    pub(crate) fn stall_at(self, at: usize, gate: &Arc<Semaphore>) -> Self {
        self.event(at, Event::Stall(gate.clone()))
    }

    fn event(mut self, at: usize, event: Event) -> Self {
        self.events.push((at as u64, event));
        self
    }

    /// The object has another entity tag; an empty one is none.
    pub(crate) fn tagged(self, tag: &str) -> Self {
        let tag = tag.to_owned();
        Self { tag, ..self }
    }

    /// Answers a range with the whole.
    pub(crate) fn without_ranges(self) -> Self {
        Self {
            ignores_ranges: true,
            ..self
        }
    }

    /// Says this in place of the right `Content-Range`.
    pub(crate) fn claiming(self, content_range: &str) -> Self {
        Self {
            content_range: Some(content_range.to_owned()),
            ..self
        }
    }

    /// Flips a bit of the byte `at`.
    pub(crate) fn tampered_at(self, at: usize) -> Self {
        Self {
            tampered: Some(at as u64),
            ..self
        }
    }

    /// Announces another length than the body has.
    pub(crate) fn announcing(self, length: usize) -> Self {
        let framing = Framing::Announced(length as u64);
        Self { framing, ..self }
    }

    /// Announces no length: chunks.
    pub(crate) fn chunked(self) -> Self {
        let framing = Framing::Chunked;
        Self { framing, ..self }
    }

    /// Announces no length: the connection's end.
    pub(crate) fn until_close(self) -> Self {
        let framing = Framing::Close;
        Self { framing, ..self }
    }

    fn steps(&self, asked: &Asked, object: &Bytes) -> Vec<Step> {
        if let Some(refusal) = &self.refusal {
            return vec![head(&format!("{refusal}\r\ncontent-length: 0"))];
        }
        let size = object.len() as u64;
        let (status, span) = match self.wanted(asked) {
            None => ("200 OK".to_owned(), 0..size),
            Some(range) => match range.resolve(size) {
                Some(span) => (self.partial(span, size), span.start..span.end),
                None => return vec![beyond(size)],
            },
        };
        let mut steps = vec![head(&format!("{status}{}", self.fields(&span)))];
        self.body(&mut steps, object, span);
        steps
    }

    /// The range that it answers; none answers with the whole.
    fn wanted(&self, asked: &Asked) -> Option<ByteRange> {
        let is_current = asked.field("if-range").is_none_or(|tag| tag == self.tag);
        asked.range().filter(|_| is_current && !self.ignores_ranges)
    }

    fn partial(&self, span: Span, size: u64) -> String {
        let right = span.content_range(size);
        let said = self.content_range.as_ref().unwrap_or(&right);
        format!("206 Partial Content\r\ncontent-range: {said}")
    }

    fn fields(&self, span: &Range<u64>) -> String {
        let tag = match self.tag.as_str() {
            "" => String::new(),
            tag => format!("\r\netag: {tag}"),
        };
        let framing = match self.framing {
            Framing::Length => format!("\r\ncontent-length: {}", span.end - span.start),
            Framing::Announced(length) => format!("\r\ncontent-length: {length}"),
            Framing::Chunked => "\r\ntransfer-encoding: chunked".to_owned(),
            Framing::Close => String::new(),
        };
        format!("{tag}{framing}")
    }

    fn body(&self, steps: &mut Vec<Step>, object: &Bytes, span: Range<u64>) {
        let mut at = span.start;
        for (place, event) in &self.events {
            if !(span.start..=span.end).contains(place) {
                continue;
            }
            self.send(steps, object, at..*place);
            at = *place;
            match event {
                Event::Stall(gate) => steps.push(Step::Wait(gate.clone())),
                Event::Close => return,
                Event::Reset => {
                    steps.push(Step::Reset);
                    return;
                }
            }
        }
        self.send(steps, object, at..span.end);
        if matches!(self.framing, Framing::Chunked) {
            steps.push(Step::Send(b"0\r\n\r\n".to_vec()));
        }
    }

    fn send(&self, steps: &mut Vec<Step>, object: &Bytes, span: Range<u64>) {
        if span.is_empty() {
            return;
        }
        let is_chunk = matches!(self.framing, Framing::Chunked);
        if is_chunk {
            let size = format!("{:x}\r\n", span.end - span.start);
            steps.push(Step::Send(size.into_bytes()));
        }
        let index = |offset: u64| usize::try_from(offset).expect("an object in memory");
        let mut bytes = object.slice(index(span.start)..index(span.end));
        if let Some(at) = self.tampered.filter(|at| span.contains(at)) {
            let mut wrong = bytes.to_vec();
            wrong[index(at - span.start)] ^= 1;
            bytes = wrong.into();
        }
        steps.push(Step::Body(bytes));
        if is_chunk {
            steps.push(Step::Send(b"\r\n".to_vec()));
        }
    }
}

fn beyond(size: u64) -> Step {
    head(&format!(
        "416 Range Not Satisfiable\r\ncontent-range: bytes */{size}\r\ncontent-length: 0"
    ))
}

/// The path under which an origin has an object.
pub(crate) fn path(object: &[u8]) -> String {
    format!("/{}", digest(object).hex())
}

/// An origin that has one object, whatever the path.
pub(crate) fn holds(object: &[u8], act: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Script {
    let object = Bytes::copy_from_slice(object);
    Arc::new(move |asked| act(asked).steps(asked, &object))
}

/// An origin that has these objects, each at its [`path`].
pub(crate) fn holds_all(
    objects: &[&[u8]],
    act: impl Fn(&Asked) -> Act + Send + Sync + 'static,
) -> Script {
    let objects: Vec<_> = objects
        .iter()
        .map(|o| (path(o), Bytes::copy_from_slice(o)))
        .collect();
    Arc::new(move |asked| {
        let found = objects.iter().find(|(path, _)| *path == asked.path);
        let (_, object) = found.expect("an object that it has");
        act(asked).steps(asked, object)
    })
}

/// These answers, one after the other; the last one again and again.
pub(crate) fn in_turn(acts: Vec<Act>) -> impl Fn(&Asked) -> Act + Send + Sync + 'static {
    move |asked| acts[asked.number.min(acts.len() - 1)].clone()
}
