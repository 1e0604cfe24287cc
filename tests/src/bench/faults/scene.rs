//! One fault at one mirror.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::list::{Ask, Deed, Fault, HALF, OFF};
use super::seen::{self, Saw, Seen, Stored};
use super::{IDLE, PATIENCE, Row};
use crate::bench::peers::{Kind, Mirror, Settings};
use crate::bench::sample::{REPOSITORY, blob, blob_path};
use crate::gate::Gate;
use crate::http::{self, Method, Request};
use crate::images::Object;
use crate::origin::Origin;
use crate::script::{Act, Rule};

/// The bytes that a range asks for, and how it says so.
const RANGE: (std::ops::Range<usize>, &str) = (1000..2000, "bytes=1000-1999");

/// How long an origin pauses or is gone.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a mirror may take to store what its client has already: far above a sync.
const STORING: Duration = Duration::from_secs(2);

/// Between two looks at the store.
const AGAIN: Duration = Duration::from_millis(200);

/// A mirror, its origin, and another host that has the same.
pub(super) struct Scene {
    kind: Kind,
    mirror: Mirror,
    origin: Origin,
    other: Origin,
    blob: Object,
}

impl Scene {
    pub(super) async fn set(kind: Kind, blob: &Object) -> Result<Self> {
        let (origin, other) = (Origin::start().await?, Origin::start().await?);
        for origin in [&origin, &other] {
            origin.put_blob(REPOSITORY, blob);
        }
        let settings = Settings {
            idle: Some(IDLE),
            trusted: vec![other.address()],
        };
        Ok(Self {
            kind,
            mirror: Mirror::start(kind, origin.address(), &settings).await?,
            origin,
            other,
            blob: blob.clone(),
        })
    }

    pub(super) async fn play(&self, fault: &'static Fault) -> Result<Row> {
        let gate = Gate::held();
        self.rule(fault.deed, &gate);
        if fault.ask == Ask::Second {
            self.other_blob().await?;
        }
        let (seen, ()) = tokio::try_join!(self.ask(fault.ask), self.meanwhile(fault.deed, &gate))?;
        if fault.deed == Deed::Stall {
            // It never goes on: a mirror that still waits for it need not be waited for.
            gate.cut();
        }
        self.at_rest().await;
        let (gets, heads) = (self.count(&Method::GET), self.count(&Method::HEAD));
        Ok(Row {
            fault,
            server: self.kind,
            seen,
            stored: self.stored().await?,
            gets,
            heads,
        })
    }

    fn rule(&self, deed: Deed, gate: &Gate) {
        let size = self.blob.bytes.len() as u64;
        let (act, always) = match deed {
            Deed::Behave => return,
            Deed::Pause | Deed::Stall | Deed::Outage => (Act::Stall(HALF, gate.clone()), false),
            Deed::Truncate => (Act::Truncate(HALF), false),
            Deed::Reset => (Act::Reset(HALF), false),
            Deed::Tamper => (Act::Tamper, false),
            Deed::TooLong => (Act::Length(size + OFF), false),
            Deed::TooShort => (Act::Length(size - OFF), false),
            Deed::Status(status) => (Act::Status(status, "{}"), false),
            Deed::IgnoreRange => (Act::IgnoreRange, true),
            Deed::Redirect => (Act::Redirect(self.other.url(&self.path())), true),
            Deed::Close => (Act::Close, true),
        };
        // Any blob's connection may be closed; everything else is this blob's.
        let ending = match deed {
            Deed::Close => "",
            _ => &self.blob.digest,
        };
        let rule = Rule::new(ending, act).method(Method::GET);
        self.origin.rule(if always { rule } else { rule.times(1) });
    }

    /// What happens at the origin while the client waits.
    async fn meanwhile(&self, deed: Deed, gate: &Gate) -> Result<()> {
        match deed {
            Deed::Pause => {
                tokio::time::sleep(PAUSE).await;
                gate.release();
            }
            Deed::Outage => {
                tokio::time::sleep(PAUSE).await;
                self.origin.down().await?;
                tokio::time::sleep(PAUSE).await;
                self.origin.up().await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn ask(&self, ask: Ask) -> Result<Seen> {
        let bytes = &self.blob.bytes;
        Ok(match ask {
            Ask::Whole | Ask::Second => seen::look(self.get(), bytes, None, PATIENCE).await,
            Ask::Range => {
                let (range, field) = RANGE;
                let request = self.get().header("range", field);
                seen::look(request, bytes, Some(range), PATIENCE).await
            }
            Ask::Head => self.head().await,
            Ask::Leave => self.leave().await,
        })
    }

    /// A header is right if it tells the blob's length.
    async fn head(&self) -> Seen {
        let request = http::head(self.mirror.address(), &self.path());
        let Ok(answer) = tokio::time::timeout(PATIENCE, request.fetch()).await else {
            return Seen {
                status: 0,
                saw: Saw::Hung,
            };
        };
        let Ok(answer) = answer else {
            return Seen {
                status: 0,
                saw: Saw::Cut,
            };
        };
        let length = self.blob.bytes.len().to_string();
        let saw = match answer.status {
            200 if answer.header("content-length") == length => Saw::Right,
            200..=299 => Saw::Wrong,
            300..=399 => Saw::Redirected,
            _ => Saw::Refused,
        };
        Seen {
            status: answer.status,
            saw,
        }
    }

    /// Hangs up after the first bytes, or before them if they take longer than half of the pause.
    async fn leave(&self) -> Seen {
        let mut status = 0;
        let first = async {
            let mut answer = self.get().send().await?;
            status = answer.status;
            answer.chunk().await
        };
        // Whatever came, or did not, it is left.
        let _ = tokio::time::timeout(PAUSE / 2, first).await;
        Seen {
            status,
            saw: Saw::Left,
        }
    }

    /// Uses the mirror's connection to the origin for another blob.
    async fn other_blob(&self) -> Result<()> {
        let other = blob(0, 1000);
        self.origin.put_blob(REPOSITORY, &other);
        let path = blob_path(&other.digest);
        let answer = http::get(self.mirror.address(), &path).fetch().await?;
        ensure!(answer.status == 200, "{} for the other blob", answer.status);
        Ok(())
    }

    /// Waits until the origins have sent what was asked of them, within a client's patience.
    async fn at_rest(&self) {
        let idle = async {
            self.origin.idle().await;
            self.other.idle().await;
        };
        // One that never comes to rest is taken down next.
        let _ = tokio::time::timeout(PATIENCE, idle).await;
    }

    /// What a second client gets with the origin gone. What is being stored is waited for.
    async fn stored(&self) -> Result<Stored> {
        let deadline = tokio::time::Instant::now() + STORING;
        tokio::time::sleep(AGAIN).await;
        self.origin.down().await?;
        self.other.down().await?;
        loop {
            let seen = seen::look(self.get(), &self.blob.bytes, None, PATIENCE).await;
            let stored = seen.stored();
            if stored != Stored::Nothing || tokio::time::Instant::now() > deadline {
                return Ok(stored);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn count(&self, method: &Method) -> usize {
        let digest = &self.blob.digest;
        self.origin.count(method, digest) + self.other.count(method, digest)
    }

    fn get(&self) -> Request {
        http::get(self.mirror.address(), &self.path())
    }

    fn path(&self) -> String {
        blob_path(&self.blob.digest)
    }
}
