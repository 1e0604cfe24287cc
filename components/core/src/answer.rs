//! What the leader of a flight tells those who wait: bytes of its own, or the
//! failure that each of them is to pass on.

use crate::error::{ApiError, ErrorKind};

/// Encodes an answer for the followers.
#[must_use]
pub fn encode(answer: Result<&[u8], &ApiError>) -> Vec<u8> {
    match answer {
        Ok(bytes) => [b"+", bytes].concat(),
        Err(error) => {
            let (code, status) = (error.kind().code(), error.kind().status());
            format!("-{code}\n{status}\n{}", error.message()).into_bytes()
        }
    }
}

/// Decodes a leader's answer; `None` if it is none.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Result<&[u8], ApiError>> {
    let (first, rest) = bytes.split_first()?;
    match first {
        b'+' => Some(Ok(rest)),
        b'-' => decode_error(rest).map(Err),
        _ => None,
    }
}

fn decode_error(bytes: &[u8]) -> Option<ApiError> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (code, rest) = text.split_once('\n')?;
    let (status, message) = rest.split_once('\n')?;
    let mut kinds = ErrorKind::ALL.into_iter();
    let kind = kinds.find(|k| k.code() == code && k.status().to_string() == status)?;
    Some(ApiError::new(kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_failure_round_trips() {
        for kind in ErrorKind::ALL {
            let error = ApiError::new(kind, "two\nlines");
            let encoded = encode(Err(&error));
            assert_eq!(decode(&encoded), Some(Err(error)));
        }
    }

    proptest! {
        #[test]
        fn bytes_round_trip(bytes: Vec<u8>) {
            let encoded = encode(Ok(&bytes));
            prop_assert_eq!(decode(&encoded), Some(Ok(bytes.as_slice())));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, text in "[-+]?[A-Z_]{0,12}\n?[0-9]{0,4}\n?\\PC{0,9}") {
            let _ = (decode(&bytes), decode(text.as_bytes()));
        }
    }
}
