//! A component that serves: requests in, responses out, within limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use wasmtime::component::{Component, Linker};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{InstantiationError, ProxyHandler};
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::answers::Answers;
use crate::capabilities::Capabilities;
use crate::engine::{ComponentError, Engine, EngineOptions};
use crate::instance::Equipment;
use crate::linker::link;
use crate::pool::{Full, Pool};
use crate::renew::Renewer;

/// The limits of a component.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeOptions {
    /// Instances, and their memory.
    pub engine: EngineOptions,
    /// Requests that the component has at a time; one more is [`HandleError::Busy`].
    pub requests: usize,
    /// How long the component may take for a response's header.
    pub request_timeout: Duration,
    /// How many bytes of answers that the component lets us repeat are kept.
    pub answers: u64,
}

/// Why a component gave no response.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// As many requests are under way as may be.
    #[error("too many requests are under way")]
    Busy,
    /// The component did not answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The component broke: a bug, in it or in us.
    #[error("the component failed: {0:#}")]
    Failed(wasmtime::Error),
}

/// A running component. Clones share it.
#[derive(Clone)]
pub struct Runtime {
    handler: ProxyHandler<Pool>,
    requests: Arc<Semaphore>,
    request_timeout: Duration,
    answers: Answers,
    closing: Arc<AtomicBool>,
}

/// How often a busy guest is made to yield: seldom enough to cost nothing, often
/// enough that one that spins does not hold a thread.
const EPOCH: Duration = Duration::from_millis(10);

/// How long a request waits before it asks again for an instance, when all are busy with others.
const ASK_AGAIN: Duration = Duration::from_millis(1);

impl Runtime {
    /// Links `component` with what it is given.
    ///
    /// # Errors
    /// [`ComponentError::Unfit`] if it imports something else, or does not serve HTTP.
    pub fn new(
        engine: &Engine,
        name: &str,
        component: &Component,
        capabilities: Capabilities,
        options: RuntimeOptions,
    ) -> Result<Self, ComponentError> {
        let unfit = |why| ComponentError::Unfit {
            name: name.to_owned(),
            why,
        };
        let mut linker = Linker::new(&engine.0);
        link(&mut linker).map_err(unfit)?;
        let linked = linker.instantiate_pre(component).map_err(unfit)?;
        let closing = Arc::new(AtomicBool::new(false));
        let equipment = Equipment {
            engine: engine.0.clone(),
            capabilities,
            memory: options.engine.instance_memory,
        };
        let renewer = Renewer::new(equipment.clone(), linked.clone(), options.request_timeout);
        let pool = Pool {
            equipment,
            component: ServicePre::new(linked).map_err(unfit)?,
            renewer: renewer.map_err(unfit)?,
            slots: Arc::new(Semaphore::new(options.engine.instances as usize)),
            request_timeout: options.request_timeout,
            closing: closing.clone(),
        };
        tick(&engine.0);
        Ok(Self {
            handler: ProxyHandler::new(pool),
            requests: Arc::new(Semaphore::new(options.requests)),
            request_timeout: options.request_timeout,
            answers: Answers::new(options.answers),
            closing,
        })
    }

    /// The component's response. Its body may outlive the component's part in it.
    ///
    /// # Errors
    /// As [`HandleError`] says.
    pub async fn handle(
        &self,
        request: Request<WasiBody>,
    ) -> Result<Response<WasiBody>, HandleError> {
        let (key, now) = (Answers::key(&request), std::time::Instant::now());
        let asked = self.answers.moment(now);
        if let Some(kept) = key.as_ref().and_then(|key| self.answers.find(key, now)) {
            return Ok(kept);
        }
        let response = self.ask(request).await?;
        Ok(self.answers.pass(key, response, asked))
    }

    /// Forgets all answers that are kept: what is stored, or may be shown, was taken away. Those that
    /// are under way at this moment are not kept.
    pub fn forget_answers(&self) {
        self.answers.forget();
    }

    /// The process ends: instances that are dropped from here on have not failed.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Asks an instance of the component.
    async fn ask(&self, mut request: Request<WasiBody>) -> Result<Response<WasiBody>, HandleError> {
        let _turn = self.requests.try_acquire().map_err(|_| HandleError::Busy)?;
        let deadline = Instant::now() + self.request_timeout;
        loop {
            let answer = timeout_at(deadline, self.handler.handle((), request))
                .await
                .map_err(|_| HandleError::Timeout)?;
            request = match answer {
                Ok(response) => return Ok(response),
                Err(error) => returned(error)?,
            };
            if Instant::now() >= deadline {
                return Err(HandleError::Busy);
            }
            sleep(ASK_AGAIN).await;
        }
    }
}

/// The request, if it comes back because there was no instance for it. Any other
/// failure is the component's.
fn returned(error: wasmtime::Error) -> Result<Request<WasiBody>, HandleError> {
    match error.downcast::<InstantiationError<()>>() {
        Ok(back) if back.error.is::<Full>() => Ok(back
            .request
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner())),
        Ok(back) => Err(HandleError::Failed(wasmtime::format_err!(
            "{:#}", back.error
        ))),
        Err(error) => Err(HandleError::Failed(error)),
    }
}

/// Advances the engine's epoch for as long as it lives, from a thread that no guest can hold.
pub(crate) fn tick(engine: &wasmtime::Engine) {
    let engine = engine.weak();
    thread::spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(EPOCH);
        }
    });
}
