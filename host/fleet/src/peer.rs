//! Asks the holder of a lease for the bytes.

use std::time::Duration;

use http::Response;
use http_body_util::BodyExt as _;
use ledge_core::digest::Digest;
use ledge_core::range::ByteRange;
use ledge_transfer::{FillError, NearbyBytes};
use reqwest::redirect::Policy;
use reqwest::{Client, header};

use crate::pass::Pass;
use crate::share::path;

/// Nodes are near each other.
const CONNECT: Duration = Duration::from_secs(2);

/// The holder answers when its origin has. Of one that takes longer nothing is to be hoped.
const ANSWER: Duration = Duration::from_secs(10);

/// A body that stands still for so long is given up, as an origin's is.
const IDLE: Duration = Duration::from_secs(30);

/// The way to other nodes. Clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Peers(Client);

impl Peers {
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(IDLE)
            // A node sends nobody anywhere else, and is reached directly.
            .redirect(Policy::none())
            .no_proxy()
            .http1_only();
        client.build().map(Self)
    }

    /// The object as its holder gets it, or a range. None if it does not answer with that.
    pub(crate) async fn get(
        &self,
        pass: &Pass,
        digest: &Digest,
        range: Option<ByteRange>,
    ) -> Option<NearbyBytes> {
        let url = pass.holder.join(&path(digest)).ok()?;
        let mut request = self.0.get(url).bearer_auth(pass.secret.expose());
        if let Some(range) = range {
            request = request.header(header::RANGE, format!("bytes={range}"));
        }
        let answer = tokio::time::timeout(ANSWER, request.send()).await;
        let response = match answer {
            Ok(Ok(response)) => Response::from(response),
            Ok(Err(error)) => {
                tracing::info!(%digest, error = %error.without_url(), holder = %pass.holder, "another node does not answer");
                return None;
            }
            Err(_) => {
                tracing::info!(%digest, holder = %pass.holder, "another node does not answer in time");
                return None;
            }
        };
        let status = response.status();
        let response = response.map(|body| body.map_err(broken));
        let bytes = NearbyBytes::answered(response, range);
        if bytes.is_none() {
            tracing::debug!(%digest, %status, holder = %pass.holder, "another node has it not");
        }
        bytes
    }
}

fn broken(error: reqwest::Error) -> FillError {
    FillError::Unreachable(format!("another node broke off: {}", error.without_url()))
}
