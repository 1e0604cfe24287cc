//! What stands around the parts of a `multipart/byteranges` body: RFC 9110, section 14.6.

use super::Span;

/// How several parts of one object are told from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    boundary: String,
    media_type: Option<Vec<u8>>,
    size: u64,
}

impl Parts {
    /// Parts of an object of `size` bytes. The boundary is of 1 to 70 characters of a token (RFC 2046,
    /// section 5.1.1; RFC 9110, section 5.6.2), and such that nobody who makes the object's bytes can foresee it:
    /// so it is not in them, and need not be searched for.
    #[must_use]
    pub const fn new(boundary: String, size: u64) -> Self {
        Self {
            boundary,
            media_type: None,
            size,
        }
    }

    /// Has each part say of which type the object is: what a whole answer would say
    /// (section 15.3.7.2).
    #[must_use]
    pub fn typed(mut self, media_type: Vec<u8>) -> Self {
        self.media_type = Some(media_type);
        self
    }

    /// The value of `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> String {
        // Without quotes: containers/image reads no others where it has to read them itself.
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    /// How many bytes a body of these parts has.
    #[must_use]
    pub fn length(&self, spans: &[Span]) -> u64 {
        let parts = spans.iter().enumerate();
        let lengths = parts.map(|(n, span)| self.header(n == 0, *span).len() as u64 + span.len());
        lengths.sum::<u64>() + self.end().len() as u64
    }

    /// What stands before a part's bytes. A line's end before the boundary belongs to it, and
    /// the first has none to end (RFC 2046, section 5.1.1).
    #[must_use]
    pub fn header(&self, is_first: bool, span: Span) -> Vec<u8> {
        let mut header = Vec::with_capacity(160);
        if !is_first {
            header.extend_from_slice(b"\r\n");
        }
        header.extend_from_slice(b"--");
        header.extend_from_slice(self.boundary.as_bytes());
        if let Some(media_type) = &self.media_type {
            header.extend_from_slice(b"\r\nContent-Type: ");
            header.extend_from_slice(media_type);
        }
        header.extend_from_slice(b"\r\nContent-Range: ");
        header.extend_from_slice(span.content_range(self.size).as_bytes());
        header.extend_from_slice(b"\r\n\r\n");
        header
    }

    /// What stands behind the last part.
    #[must_use]
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of these parts, put together.
    fn body(parts: &Parts, object: &[u8], spans: &[Span]) -> Vec<u8> {
        let mut body = Vec::new();
        for (n, span) in spans.iter().enumerate() {
            body.extend(parts.header(n == 0, *span));
            body.extend_from_slice(&object[span.start as usize..span.end as usize]);
        }
        body.extend(parts.end());
        body
    }

    #[test]
    fn a_body_is_written_as_the_rfc_shows_and_as_long_as_was_said() {
        let object = b"01234";
        let spans = [Span { start: 0, end: 2 }, Span { start: 4, end: 5 }];
        let plain = Parts::new("b".to_owned(), 5);
        let typed = plain.clone().typed(b"a/b".to_vec());
        let rows = [
            (
                &plain,
                "--b\r\nContent-Range: bytes 0-1/5\r\n\r\n01\r\n\
                 --b\r\nContent-Range: bytes 4-4/5\r\n\r\n4\r\n--b--\r\n",
            ),
            (
                &typed,
                "--b\r\nContent-Type: a/b\r\nContent-Range: bytes 0-1/5\r\n\r\n01\r\n\
                 --b\r\nContent-Type: a/b\r\nContent-Range: bytes 4-4/5\r\n\r\n4\r\n--b--\r\n",
            ),
        ];
        for (parts, expected) in rows {
            let body = body(parts, object, &spans);
            assert_eq!(String::from_utf8_lossy(&body), expected);
            assert_eq!(parts.length(&spans), body.len() as u64);
        }
        assert_eq!(typed.content_type(), "multipart/byteranges; boundary=b");
    }
}
