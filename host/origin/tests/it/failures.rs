//! What is said when an origin cannot be reached or makes no sense, and that it
//! holds no secrets.

use std::sync::Arc;

use http::Request;
use ledge_origin::{Client, ClientError, FetchError};
use tokio::net::TcpListener;

use crate::origin::{Names, client, error, named_client, options, rules};
use crate::scripted::{self, Step};

/// A port on which nobody listens.
async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn nobody_listens() {
    let url = closed().await;
    assert_eq!(
        error(&client(&[&url], &[]), &url).await,
        format!(
            "cannot connect to {}: Connection refused (os error 111)",
            &url[7..]
        )
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let url = "https://nowhere.example";
    assert_eq!(
        error(&named_client(&[url], &[]), url).await,
        "cannot connect to nowhere.example: no such name"
    );
}

#[tokio::test]
async fn a_name_that_takes_too_long() {
    let url = "https://never.example:8443";
    assert_eq!(
        error(&named_client(&[url], &[]), url).await,
        "never.example:8443 did not accept a connection in time"
    );
}

#[tokio::test]
async fn an_origin_that_does_not_answer() {
    let (address, _) = scripted::start(vec![vec![Step::Hang]]).await;
    let url = format!("http://{address}");
    assert_eq!(
        error(&client(&[&url], &[]), &url).await,
        format!("{address} did not answer in time")
    );
}

#[tokio::test]
async fn an_origin_that_speaks_something_else() {
    let long = "x".repeat(256 * 1024);
    let large = format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n");
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1000));
    for bytes in [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n".as_slice(),
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        large.leak().as_bytes(),
        many.leak().as_bytes(),
    ] {
        let (address, _) = scripted::start(vec![vec![Step::Send(bytes)]]).await;
        let url = format!("http://{address}");
        let error = error(&client(&[&url], &[]), &url).await;
        assert!(
            error.starts_with(&format!("{address} broke the connection: ")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn no_secret_is_printed() {
    let (silent, _) = scripted::start(vec![vec![Step::Hang]]).await;
    let (garbage, _) = scripted::start(vec![vec![Step::Send(b"secret\r\n\r\n")]]).await;
    let location =
        b"HTTP/1.1 307 X\r\nlocation: http://10.0.0.1/secret?secret\r\ncontent-length: 0\r\n\r\n";
    let (sends_on, _) = scripted::start(vec![vec![Step::Send(location)]]).await;
    let urls = [
        closed().await,
        format!("http://{silent}"),
        format!("http://{garbage}"),
        format!("http://{sends_on}"),
        "https://nowhere.example".to_owned(),
    ];
    let endpoints: Vec<&str> = urls.iter().map(String::as_str).collect();
    let client = named_client(&endpoints, &[]);
    for url in urls
        .iter()
        .map(String::as_str)
        .chain(["http://other.example"])
    {
        let request = Request::get(format!("{url}/secret?token=secret"))
            .header("authorization", "Bearer secret")
            .body(())
            .expect("a request");
        let error: FetchError = client.fetch(request).await.expect_err(url);
        let printed = format!("{error} {error:?} {}", error.host());
        assert!(!printed.contains("secret"), "{printed}");
    }
}

#[test]
fn rules_that_cannot_be_read() {
    let lookup = Arc::new(Names([127, 0, 0, 1].into()));
    let bad = rules(&["https://a"], &["https://b/c"]);
    let error = Client::with_lookup(bad, options(), lookup).err();
    let error: ClientError = error.expect("no client");
    assert_eq!(
        error.to_string(),
        r#"upstream test: trusted host "https://b/c" is not host or host:port"#
    );
}
