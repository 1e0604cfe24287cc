//! Bodies that come slowly, or not whole.

use http_body::Body;

use crate::origin::{get, options, read, rules};
use crate::scripted::{self, Step};

async fn body_of(bytes: &'static [u8]) -> Result<bytes::Bytes, String> {
    let (address, _) = scripted::start(vec![vec![Step::Send(bytes), Step::Hang]]).await;
    let url = format!("http://{address}");
    let client = ledge_origin::Client::new(rules(&[&url], &[]), options()).expect("a client");
    let fetched = get(&client, &url).await.expect("a header");
    read(fetched)
        .await
        .map_err(|error| error.to_string().replace(&address.to_string(), "HERE"))
}

#[tokio::test]
async fn whole_ones() {
    for bytes in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".as_slice(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    ] {
        assert_eq!(body_of(bytes).await.expect("a body"), "hello");
    }
}

#[tokio::test]
async fn one_that_pauses_for_too_long() {
    let paused = body_of(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello").await;
    let error = paused.expect_err("one byte is missing");
    assert_eq!(error, "HERE did not send more in time");
}

#[tokio::test]
async fn one_that_is_cut() {
    for bytes in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello".as_slice(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (address, _) = scripted::start(vec![vec![Step::Send(bytes)]]).await;
        let url = format!("http://{address}");
        let client = crate::origin::client(&[&url], &[]);
        let fetched = get(&client, &url).await.expect("a header");
        let error = read(fetched).await.expect_err("it is cut").to_string();
        assert!(
            error.starts_with(&format!("{address} broke the connection: ")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn the_length_is_known_from_the_header() {
    let origin = crate::origin::Origin::start(|_| crate::origin::text("hello")).await;
    let fetched = get(&origin.client(&[]), &origin.url("/")).await;
    let body = fetched.expect("an answer").response.into_body();
    assert_eq!(body.size_hint().exact(), Some(5));
    assert!(!body.is_end_stream());
}
