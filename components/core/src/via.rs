//! Mirrors before mirrors: who passed a request on (RFC 9110, section 7.6.3, `Via`), and where
//! that goes in a circle.

use crate::error::{ApiError, ErrorKind};

/// How many mirrors a request may pass: edge, site, region, and room for twice that.
const MAX_HOPS: usize = 8;

/// Longest `Via` that is passed on, in bytes: eight names of usual length.
const MAX_LENGTH: usize = 1024;

/// The `Via` of what a mirror called `name` asks for the sake of a request with these `Via` fields.
///
/// # Errors
/// The request was here before, or passed too many mirrors.
pub fn pass_on<'a>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    name: &str,
) -> Result<String, ApiError> {
    let mut hops = Vec::new();
    for field in fields {
        let text = std::str::from_utf8(field).map_err(|_| turned_back("has an unreadable Via"))?;
        let entries = text.split(',').map(str::trim);
        hops.extend(entries.filter(|entry| !entry.is_empty()));
    }
    let received_by = |entry: &&str| entry.split_ascii_whitespace().nth(1) == Some(name);
    if hops.iter().any(received_by) {
        return Err(turned_back("was here before: mirrors lead to each other"));
    }
    let own = format!("1.1 {name}");
    hops.push(&own);
    let via = hops.join(", ");
    if hops.len() > MAX_HOPS || via.len() > MAX_LENGTH {
        return Err(turned_back("passed too many mirrors"));
    }
    Ok(via)
}

/// How old an answer is that came from another cache, in seconds (RFC 9111, section 5.1).
#[must_use]
pub fn age(field: Option<&str>) -> u64 {
    let digits = field.filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn turned_back(what: &str) -> ApiError {
    ApiError::new(ErrorKind::Loop, format!("the request {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn via(fields: &[&str]) -> Result<String, ErrorKind> {
        pass_on(fields.iter().map(|field| field.as_bytes()), "here").map_err(|e| e.kind())
    }

    #[test]
    fn who_passed_it_on_is_named() {
        for (fields, expected) in [
            (&[][..], "1.1 here"),
            (&[""], "1.1 here"),
            (&["1.1 edge"], "1.1 edge, 1.1 here"),
            (
                &["1.0 a, 1.1 b (x)", "HTTP/2 c"],
                "1.0 a, 1.1 b (x), HTTP/2 c, 1.1 here",
            ),
            (&["1.1 here-too"], "1.1 here-too, 1.1 here"),
        ] {
            assert_eq!(via(fields).as_deref(), Ok(expected), "{fields:?}");
        }
    }

    #[test]
    fn circles_and_long_ways_end() {
        let eight = ["1.1 a"; 8].join(", ");
        let long = format!("1.1 {}", "a".repeat(1024));
        for fields in [
            &["1.1 here"][..],
            &["1.1 a", "1.1 b, 1.1 here"],
            &[&eight],
            &[&long],
        ] {
            assert_eq!(via(fields), Err(ErrorKind::Loop), "{fields:?}");
        }
        assert_eq!(
            pass_on([&b"\xff"[..]], "here").map_err(|e| e.kind()),
            Err(ErrorKind::Loop)
        );
    }

    #[test]
    fn ages() {
        for (text, seconds) in [(None, 0), (Some("17"), 17), (Some("-1"), 0), (Some(""), 0)] {
            assert_eq!(age(text), seconds, "{text:?}");
        }
        assert_eq!(age(Some("99999999999999999999999")), 0);
    }

    proptest! {
        #[test]
        fn whoever_passed_a_request_on_refuses_it(hops in proptest::collection::vec("[a-z]{1,8}", 0..7)) {
            let mut fields = String::new();
            for hop in hops {
                match pass_on([fields.as_bytes()], &hop) {
                    Ok(next) => fields = next,
                    Err(_) => {
                        let passed = fields.split(", ").any(|entry| entry[4..] == hop);
                        prop_assert!(passed, "{}", fields);
                    }
                }
                prop_assert!(pass_on([fields.as_bytes()], &hop).is_err());
            }
        }

        #[test]
        fn garbage_is_passed_on_or_refused(bytes: Vec<u8>) {
            let _ = pass_on([bytes.as_slice()], "here");
        }
    }
}
