//! Responses with bytes from this component's own memory.

use ledge_core::range::{ByteRange, Selection, select};

use crate::bindings::exports::ledge::edge::blobs::{Error, Field, Range};
use crate::bindings::wasi::http::types::{Fields, Response};
use crate::bindings::{wit_future, wit_stream};
use crate::memory::Object;

/// The object, or one range of it. Several ranges are answered with the whole,
/// as the border allows.
pub(crate) fn with(
    object: &Object,
    ranges: &[Range],
    fields: Vec<Field>,
) -> Result<Response, Error> {
    let size = object.bytes.len() as u64;
    let ranges: Vec<_> = ranges.iter().copied().map(parsed).collect();
    match select(&ranges, size).ok_or(Error::Unsatisfiable(size))? {
        Selection::Whole | Selection::Several(_) => response(200, fields, object.bytes.to_vec()),
        Selection::One(span) => {
            let (Ok(start), Ok(end)) = (usize::try_from(span.start), usize::try_from(span.end))
            else {
                return Err(Error::TooLarge);
            };
            let bytes = object
                .bytes
                .get(start..end)
                .ok_or(Error::Unsatisfiable(size))?;
            let mut fields = fields;
            fields.push(field("content-range", &span.content_range(size)));
            response(206, fields, bytes.to_vec())
        }
    }
}

fn parsed(range: Range) -> ByteRange {
    match range {
        Range::From(start) => ByteRange::From(start),
        Range::Between((first, last)) => ByteRange::Between(first, last),
        Range::Last(length) => ByteRange::Last(length),
    }
}

fn response(status: u16, mut fields: Vec<Field>, body: Vec<u8>) -> Result<Response, Error> {
    fields.push(field("content-length", &body.len().to_string()));
    fields.push(field("accept-ranges", "bytes"));
    let headers = Fields::from_list(&fields)
        .map_err(|error| Error::Other(format!("bad header fields: {error:?}")))?;
    let (mut writer, contents) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        // What the client did not want to read is nobody's fault.
        drop(writer.write_all(body).await);
    });
    // Dropping the writer ends the trailers: there are none.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(headers, Some(contents), trailers);
    response
        .set_status_code(status)
        .map_err(|()| Error::Other("bad status".to_owned()))?;
    Ok(response)
}

fn field(name: &str, value: &str) -> Field {
    (name.to_owned(), value.as_bytes().to_vec())
}
