//! What a client will ask for next: the parts of the image whose manifest it has just got.
//!
//! Nobody waits for them, so whatever goes wrong is nobody's concern: the client asks for itself.

use crate::ask::{Ask, Wish};
use crate::bindings::ledge::edge::blobs::{self, Outcome, Prefetched, Source};
use crate::context::{now, upstreams};
use crate::fetch::{self, descriptor};
use crate::origin::Answered;
use crate::way::Way;
use crate::{absences, blob, endpoints, grants};
use ledge_core::client::Client;
use ledge_core::config::Prefetch;
use ledge_core::digest::Digest;
use ledge_core::error::ErrorKind;
use ledge_core::manifest::{MAX_MANIFEST, Manifest};
use ledge_core::name::RepositoryName;
use ledge_core::ticket::Object;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many parts are begun at a time. Each is on its way once the origin has answered, so more at a
/// time would only be many questions at once.
const LANES: usize = 4;

/// For how many seconds parts are begun: the host lets an instance go half a minute after its last
/// answer, and a call may take ten. The client asks for the first parts at once.
const SECONDS: u64 = 10;

/// An image whose parts are wanted.
struct Image {
    upstream: String,
    repository: RepositoryName,
    wish: Wish,
    client: Option<Client>,
    manifest: Digest,
    choice: Prefetch,
}

/// What is still to be begun, and until when.
struct Rest {
    parts: RefCell<VecDeque<Digest>>,
    until: u64,
}

/// Fetches the parts of an image whose manifest was answered, as far as the operator wants that. Only
/// where the origin was asked for the manifest: whoever pulls a known one again pays nothing. Another
/// mirror is not guessed for: its own clients' requests will come.
pub(crate) fn parts(ask: &Ask<'_>, manifest: &Digest, way: Way) {
    let choice = ask.upstream.prefetch();
    let of_client = ask.wish.is_whole() && !ask.wish.is_passed_on;
    if choice == Prefetch::Off || !of_client || !way.is_news() {
        return;
    }
    let image = Image {
        upstream: ask.upstream.name().to_owned(),
        repository: ask.repository.clone(),
        wish: ask.wish.behind(),
        client: ask.client.clone(),
        manifest: manifest.clone(),
        choice,
    };
    wit_bindgen::spawn_local(image.begin());
}

impl Image {
    /// Finds the parts, and begins with them.
    async fn begin(self) {
        let Ok(Some(bytes)) = blobs::read(self.manifest.to_string(), MAX_MANIFEST).await else {
            return;
        };
        let Ok(manifest) = Manifest::parse(&bytes) else {
            return;
        };
        let rest = Rc::new(Rest {
            parts: RefCell::new(self.choice.parts(&manifest).cloned().collect()),
            until: now().saturating_add(SECONDS),
        });
        let image = Rc::new(self);
        for _ in 0..LANES {
            let (image, rest) = (image.clone(), rest.clone());
            wit_bindgen::spawn_local(async move { image.lane(&rest).await });
        }
    }

    /// Begins one part after the other.
    async fn lane(&self, rest: &Rest) {
        let Ok(upstreams) = upstreams().await else {
            return;
        };
        let Some(upstream) = upstreams.find(&self.upstream) else {
            return;
        };
        let client = self.client.clone();
        let ask = Ask::of_ours(&upstreams, upstream, &self.repository, &self.wish, client);
        while let Some(part) = rest.next() {
            // One that asked to be left alone is.
            if endpoints::resting(upstream).await.is_some() || !begin(&ask, part).await {
                rest.parts.borrow_mut().clear();
            }
        }
    }
}

impl Rest {
    fn next(&self) -> Option<Digest> {
        let next = self.parts.borrow_mut().pop_front();
        next.filter(|_| now() < self.until)
    }
}

/// Begins with a part; false where others would fare no better.
async fn begin(ask: &Ask<'_>, part: Digest) -> bool {
    let object = Object::Blob(part.clone());
    if grants::stored(&part).await || absences::check(ask, &object).await.is_err() {
        return true;
    }
    let run = async |source: Source| blobs::prefetch(descriptor(&part), source, fetch::BLOBS).await;
    match ask.origin().transfer(&object, run).await {
        Ok(begun) if begun.outcome == Outcome::Started => {
            blob::came(ask, &part, begun.what.size, begun.outcome).await;
            true
        }
        // Without room for it nothing is gained.
        Ok(begun) => begun.outcome != Outcome::Bypass,
        Err(failure) => failure.error.kind() == ErrorKind::BlobUnknown,
    }
}

impl Answered for Prefetched {
    fn origin(&self) -> Option<(u32, &[blobs::Field])> {
        Some((self.origin?, &self.origin_fields))
    }
}
