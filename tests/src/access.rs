//! Ledge's access log, one line a request.

/// One request as the access log tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// `GET`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The status code.
    pub status: u16,
    /// Bytes of the body that were sent.
    pub bytes: u64,
    /// The Cache-Status field; empty if there was none.
    pub cache: String,
}

impl Access {
    /// Reads a line; `None` if it is none of the access log.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (_, fields) = line.split_once(" access: ")?;
        let field = |name: &str| value(fields, name);
        Some(Self {
            method: field("method")?,
            path: field("path")?,
            status: field("status")?.parse().ok()?,
            bytes: field("bytes")?.parse().ok()?,
            cache: field("cache").unwrap_or_default(),
        })
    }

    /// What the request was to the cache, in one word.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self.cache.as_str() {
            cache if cache.contains("collapsed") => "followed",
            cache if cache.contains("fwd=stale") => "revalidated",
            cache if cache.contains("hit") => "hit",
            cache if cache.contains("fwd=") => "miss",
            _ => "answered",
        }
    }
}

/// The value of `name=value` or `name="value"`.
fn value(fields: &str, name: &str) -> Option<String> {
    let mut rest = fields;
    while let Some((key, after)) = rest.trim_start().split_once('=') {
        let quoted = after.strip_prefix('"');
        let (value, tail) = match quoted {
            Some(text) => text.split_once('"')?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        if key == name {
            return Some(value.to_owned());
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Access;

    #[test]
    fn a_line_of_the_access_log_is_read() {
        let line = "2026-01-01T00:00:00Z  INFO access: method=\"GET\" path=\"/v2/a b/blobs/x=1\" status=200 bytes=12 \
                    ms=0.5 cache=\"ledge; fwd=miss; stored\" complete=true peer=127.0.0.1:9";
        let access = Access::parse(line).expect("an access");
        assert_eq!(
            (access.method.as_str(), access.path.as_str()),
            ("GET", "/v2/a b/blobs/x=1")
        );
        assert_eq!(
            (access.status, access.bytes, access.outcome()),
            (200, 12, "miss")
        );
    }

    #[test]
    fn outcomes_follow_rfc_9211() {
        for (cache, outcome) in [
            ("ledge; hit", "hit"),
            ("ledge; fwd=miss; collapsed", "followed"),
            ("ledge; fwd=miss; stored", "miss"),
            ("ledge; fwd=stale", "revalidated"),
            ("ledge; hit; detail=stale", "hit"),
            ("", "answered"),
        ] {
            let access = Access {
                method: String::new(),
                path: String::new(),
                status: 200,
                bytes: 0,
                cache: cache.to_owned(),
            };
            assert_eq!(access.outcome(), outcome, "{cache}");
        }
    }

    #[test]
    fn other_lines_are_none() {
        for line in [
            "",
            "INFO ledge: listening",
            " access: ",
            " access: method=\"GET",
            " access: status=x",
        ] {
            assert_eq!(Access::parse(line), None, "{line}");
        }
    }
}
