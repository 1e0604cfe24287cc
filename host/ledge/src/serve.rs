//! `ledge serve`: the wiring of a mirror. Rooms know nothing of each other's making; this file does.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use ledge_config::Config;
use ledge_credentials::Credentials;
use ledge_fleet::Fleet;
use ledge_origin::{Client, ClientOptions, EgressRules};
use ledge_runtime::{
    BodyError, Capabilities, Engine, EngineOptions, Flights, ResponseBody, Runtime, RuntimeOptions,
    Stores, Variables,
};
use ledge_server::{Handler, ServerOptions, Summary};
use ledge_store::{BlobStore, MemoryKv, RedbFile, StoreOptions, local, open_redb};
use ledge_transfer::{Abandoned, Counts, Ranges, Retries, SEATS, TransferOptions, Transfers};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::shared::{Labels, Sharing};
use crate::upkeep::{Sweeper, bounds, tell_usage};
use crate::{component, connections, credentials, open_files, respond, tending};

/// The variable in which the registry component finds its configuration.
const REGISTRY: &str = "ledge_registry";

/// How many bytes of volatile records (tokens) are kept: some thousand tokens of a few KiB.
const VOLATILE_BYTES: u64 = 16 << 20;

/// Header sets over this are answered 431; the largest seen from a client is about 20 KiB.
const HEADER_BYTES: u32 = 64 * 1024;

/// How many threads may wait for the disk beside those of transfers: tokio's own default.
const DISK_THREADS: usize = 512;

/// What this process calls itself to other mirrors: like no other, and telling nothing of where
/// it runs (RFC 9110, section 7.6.3).
pub(crate) fn pseudonym() -> String {
    format!(
        "ledge-{:016x}",
        RandomState::new().hash_one(std::process::id())
    )
}

/// A transfer's writer keeps its thread, and must not keep anybody else from one.
fn blocking_threads(config: &Config) -> usize {
    DISK_THREADS + config.limits.transfers.value as usize + SEATS
}

/// How many threads run requests beyond one a processor: a record that the kernel does not have in memory
/// is read from the disk where its request is, and others go on meanwhile. On two processors, with a million
/// objects of which memory holds little, six more answered 3,900 requests a second where none did 1,600; each costs
/// some memory, and these are enough for a disk to be busy.
const WAITERS: usize = 4;

fn worker_threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get) + WAITERS
}

/// How long a request to an origin waits that is sent once more: an origin's proxy takes about
/// that to notice who is well, and no client does.
const RETRY: Duration = Duration::from_millis(200);

/// Serves until `shutdown`, then drains.
///
/// # Errors
/// What keeps it from starting: the store, the component, the address.
pub(crate) fn run(config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .enable_all()
        .max_blocking_threads(blocking_threads(config))
        .build()
        .context("cannot start the threads that serve")?;
    open_files::raise(config.server.max_connections.value);
    let ways = runtime.block_on(Ways::check(config))?;
    let mirror = Mirror::open(config)?;
    let summary = runtime.block_on(mirror.serve(config, ways))?;
    if summary.cut > 0 {
        tracing::warn!(
            cut = summary.cut,
            "downloads were cut, the drain's time was over"
        );
    }
    mirror
        .records
        .flush()
        .context("cannot write the last records")?;
    // The next start need not look at every object.
    mirror.store.close();
    // Transfers that no client waits for are not waited for: their partial files are taken up or swept later.
    runtime.shutdown_background();
    Ok(())
}

/// The ways to the upstreams.
struct Ways {
    egress: EgressRules,
    credentials: Credentials,
    /// What is shared with other nodes.
    sharing: Sharing,
}

impl Ways {
    /// Reads every file that the configuration names.
    ///
    /// # Errors
    /// What cannot be used of them.
    async fn check(config: &Config) -> Result<Self> {
        let egress = connections::egress(config)?;
        let credentials = credentials::credentials(config)?;
        credentials::check(config, &credentials).await?;
        let sharing = Sharing::check(config).await?;
        Ok(Self {
            egress,
            credentials,
            sharing,
        })
    }
}

/// Reads what `serve` reads of the upstreams, and starts nothing.
///
/// # Errors
/// What cannot be used of the files and variables that the configuration names.
pub(crate) fn check(config: &Config) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a thread to read with")?;
    runtime.block_on(Ways::check(config)).map(drop)
}

/// What is opened before the first client is let in.
struct Mirror {
    store: BlobStore,
    records: RedbFile,
    engine: Engine,
    component: component::Chosen,
}

impl Mirror {
    fn open(config: &Config) -> Result<Self> {
        let path = config.store.path.value.clone();
        let store = BlobStore::open(&StoreOptions {
            path: path.clone(),
            memory: config.store.memory.as_u64(),
            leftovers: config.transfer.leftovers.value,
            bounds: bounds(config),
        })?;
        let records = open_redb(&path.join("kv.redb"))?;
        let engine = Engine::new(engine_options(config))?;
        let file = config.component.as_ref().map(|file| file.value.as_path());
        let component = component::choose(&engine, file)?;
        Ok(Self {
            store,
            records,
            engine,
            component,
        })
    }

    async fn serve(&self, config: &Config, ways: Ways) -> Result<Summary> {
        let signals = Signals::receive()?;
        let wanted = config.server.listen.value;
        let listener = TcpListener::bind(wanted).await.with_context(|| {
            format!(
                "cannot listen on {wanted} ({})",
                config.server.listen.provenance
            )
        })?;
        let address = listener.local_addr()?;
        let Ways {
            egress,
            credentials,
            sharing,
        } = ways;
        let server = sharing.connect().await?;
        let fleet = sharing.fleet(server.as_ref(), address, &self.store)?;
        let labels = Labels::new(self.records.clone(), server);
        let capabilities =
            self.capabilities(config, egress, &credentials, &labels, fleet.as_ref())?;
        let transfers = capabilities.transfers.clone();
        let component = Runtime::new(
            &self.engine,
            &self.component.name,
            &self.component.component,
            capabilities,
            RuntimeOptions {
                engine: engine_options(config),
                requests: config.limits.requests.value as usize,
                request_timeout: config.limits.request_timeout.value,
                answers: config.server.answers.as_u64(),
            },
        )?;
        tracing::info!(store = %config.store.path.display(), component = %self.component.name, "listening on http://{address}");
        let handler = Mirroring {
            component: component.clone(),
            fleet: fleet.clone().map(|fleet| (fleet, transfers.clone())),
        };
        let options = server_options(config);
        // Ends with this function.
        let mut beside = JoinSet::new();
        beside.spawn(Sweeper::new(config, &self.store, &self.records).run());
        let answers = component.clone();
        let forget = move || answers.forget_answers();
        let tend = tending::tend(config, &self.store, &self.records, &labels, forget)?;
        tending::take_commands(config, tend, &mut beside);
        let summary = ledge_server::run(listener, handler, options, signals.any()).await;
        component.close();
        if let Some(fleet) = fleet {
            keep_last(&fleet, config.server.drain.value).await;
        }
        tell(&transfers.counts());
        tell_usage(&self.store);
        Ok(summary)
    }

    fn capabilities(
        &self,
        config: &Config,
        egress: EgressRules,
        credentials: &Credentials,
        labels: &Labels,
        fleet: Option<&Fleet>,
    ) -> Result<Capabilities> {
        let client = Client::new(egress, client_options(config))?;
        let mut registry = config.registry();
        registry.name = Some(pseudonym());
        let registry = serde_json::to_string(&registry)?;
        let variables = Variables::new(HashMap::from([(REGISTRY.to_owned(), registry)]));
        let options = transfer_options(config);
        let store = self.store.clone();
        let transfers = match fleet {
            Some(fleet) => Transfers::near(store, client.clone(), Arc::new(fleet.clone()), options),
            None => Transfers::new(store, client.clone(), options),
        };
        Ok(Capabilities {
            transfers,
            flights: Flights::default(),
            stores: Stores::new(HashMap::from([
                ("default".to_owned(), labels.open("default")),
                ("catalog".to_owned(), labels.open("catalog")),
                (
                    "volatile".to_owned(),
                    local(Arc::new(MemoryKv::new(VOLATILE_BYTES))),
                ),
            ])),
            variables: credentials::offer(variables, config, credentials),
            client,
        })
    }
}

/// What was stored last may still be on its way to the bucket.
async fn keep_last(fleet: &Fleet, longest: Duration) {
    if tokio::time::timeout(longest, fleet.idle()).await.is_err() {
        tracing::warn!("some objects are not in the bucket, the drain's time was over");
    }
}

/// What the miss path did, for whoever reads the log of a mirror that ended.
fn tell(counts: &Counts) {
    tracing::info!(
        started = counts.started,
        followed = counts.followed,
        prefetched = counts.prefetched,
        yielded = counts.yielded,
        stored = counts.stored,
        failed = counts.failed,
        mismatched = counts.mismatched,
        resumed = counts.resumed,
        taken_up = counts.taken_up,
        sides = counts.sides,
        unverified = counts.unverified,
        unkept = counts.unkept,
        received = counts.received,
        "transfers since the start"
    );
}

fn engine_options(config: &Config) -> EngineOptions {
    EngineOptions {
        instances: config.limits.instances.value,
        instance_memory: usize::try_from(config.limits.instance_memory.as_u64())
            .unwrap_or(usize::MAX),
    }
}

fn transfer_options(config: &Config) -> TransferOptions {
    TransferOptions {
        running: config.limits.transfers.value as usize,
        running_per_origin: config.limits.transfers_per_origin.value as usize,
        // Whoever waits for a turn is a request that was let in.
        waiting: config.limits.requests.value as usize,
        bandwidth: config.limits.bandwidth.bytes_per_second(),
        bandwidth_per_origin: config.limits.bandwidth_per_origin.bytes_per_second(),
        abandoned: match config.transfer.abandoned.value {
            ledge_config::Abandoned::Keep => Abandoned::Keep,
            ledge_config::Abandoned::Stop => Abandoned::Stop,
            ledge_config::Abandoned::KeepOver(percent) => Abandoned::KeepOver(percent.get()),
        },
        ranges: match config.transfer.ranges.value {
            ledge_config::Ranges::Whole => Ranges::Whole,
            ledge_config::Ranges::WholeUpTo(size) => Ranges::WholeUpTo(size.as_u64()),
        },
        retries: Retries::default(),
    }
}

fn server_options(config: &Config) -> ServerOptions {
    ServerOptions {
        max_connections: config.server.max_connections.value as usize,
        header_timeout: config.server.header_timeout.value,
        write_timeout: config.server.write_timeout.value,
        drain: config.server.drain.value,
        max_header_bytes: HEADER_BYTES,
    }
}

fn client_options(config: &Config) -> ClientOptions {
    ClientOptions {
        connect_timeout: config.limits.upstream_connect_timeout.value,
        header_timeout: config.limits.upstream_header_timeout.value,
        idle_timeout: config.limits.upstream_idle_timeout.value,
        retry: Some(RETRY),
        ..ClientOptions::default()
    }
}

/// Hands requests to the component; those of other nodes are none of its concern.
#[derive(Clone)]
struct Mirroring {
    component: Runtime,
    /// Other nodes, and what they may have.
    fleet: Option<(Fleet, Transfers)>,
}

impl Handler for Mirroring {
    type Body = ResponseBody;

    async fn handle(&self, request: Request<Incoming>, _: SocketAddr) -> Response<ResponseBody> {
        if let Some((fleet, transfers)) = &self.fleet
            && let Some(answer) = fleet.answer(transfers, &request).await
        {
            return answer.map(|body| {
                let body = body.map_err(|_| BodyError::HttpResponseIncomplete);
                body.boxed_unsync()
            });
        }
        let request = request.map(boxed);
        match self.component.handle(request).await {
            Ok(response) => response,
            Err(error) => respond::failed(&error),
        }
    }
}

/// A request's body for the component. Nearly all have none, and then nothing is allocated.
fn boxed(body: Incoming) -> ResponseBody {
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    body.map_err(Into::into).boxed_unsync()
}

/// SIGTERM, as service managers send it, and SIGINT, as a terminal does.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Receives them from here on: before anybody is told that the mirror listens.
    fn receive() -> Result<Self> {
        let signals = || -> std::io::Result<Self> {
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        };
        signals().context("cannot receive SIGTERM and SIGINT")
    }

    /// Resolves on the first of them.
    async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("draining: no new connections, running downloads finish");
    }
}
