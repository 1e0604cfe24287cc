//! An object's bytes from its origins, in order, whatever breaks on the way.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBackoff;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use crate::counts::Counters;
use crate::error::FillError;
use crate::opened::Opened;
use crate::options::Retries;
use crate::supply::{Portion, Supply, is_final};

/// Reads on from where it broke: with `Range` and `If-Range`, at the next endpoint, after a while.
pub(crate) struct OriginStream {
    supply: Arc<Supply>,
    counters: Arc<Counters>,
    body: Option<UnsyncBoxBody<Bytes, FillError>>,
    /// The next byte that is wanted.
    at: u64,
    /// The next byte that the body brings: less than `at` if it starts before.
    body_at: u64,
    /// Where the body ends; `u64::MAX` where the origin does not say.
    body_end: u64,
    /// The object's size, once an answer said it.
    size: Option<u64>,
    /// Of the last frame, what was not wanted yet.
    kept: Option<Bytes>,
    endpoint: usize,
    /// Whether what broke is taken up again.
    resumes: bool,
    /// Whether an answer may be read from its start up to where it is wanted.
    patient: bool,
    retries: Retries,
    waits: ExponentialBackoff,
    /// Endpoints in a row whose last word was no.
    refused: usize,
}

impl OriginStream {
    /// Of an answer that is there.
    pub(crate) fn of(supply: Arc<Supply>, counters: Arc<Counters>, opened: Opened) -> Self {
        Self {
            at: opened.span.start,
            body_at: opened.span.start,
            body_end: opened.span.end,
            size: opened.size,
            endpoint: opened.endpoint,
            body: Some(opened.body),
            ..Self::from(supply, counters, 0)
        }
    }

    /// From a byte on; asks when it is first read.
    pub(crate) fn from(supply: Arc<Supply>, counters: Arc<Counters>, at: u64) -> Self {
        let retries = supply.retries();
        Self {
            endpoint: supply.best(),
            supply,
            counters,
            body: None,
            at,
            body_at: at,
            body_end: at,
            size: None,
            kept: None,
            resumes: true,
            patient: true,
            waits: retries.waits(),
            retries,
            refused: 0,
        }
    }

    /// It gives up where an origin sends the whole in place of a range: somebody else
    /// is reading that.
    pub(crate) fn impatient(self) -> Self {
        Self {
            patient: false,
            ..self
        }
    }

    /// It ends where it breaks: without a digest to compare with nobody would notice that
    /// the second part is another object's.
    pub(crate) fn in_one_piece(self) -> Self {
        Self {
            resumes: false,
            ..self
        }
    }

    /// The next byte.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Whether an answer is open that brings the byte `at` next.
    pub(crate) fn brings(&self, at: u64) -> bool {
        self.body.is_some() && self.at == at && self.body_end > at
    }

    /// The next bytes, none of them at or after `end` (`u64::MAX` where the size is
    /// not known), and the offset of the first. `None` at the end.
    pub(crate) async fn next(&mut self, end: u64) -> Result<Option<(u64, Bytes)>, FillError> {
        loop {
            let end = self.size.map_or(end, |size| end.min(size));
            if self.at >= end {
                return Ok(None);
            }
            if let Some(kept) = self.kept.take()
                && let Some(found) = self.take(kept, end)
            {
                return Ok(Some(found));
            }
            let Some(body) = &mut self.body else {
                self.ask(end).await?;
                continue;
            };
            match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(bytes) = frame.into_data() else {
                        continue;
                    };
                    self.counters.received.add(bytes.len() as u64);
                    self.supply.pace(self.endpoint, bytes.len()).await;
                    if let Some(found) = self.take(bytes, end) {
                        return Ok(Some(found));
                    }
                }
                Some(Err(error)) => self.broke(error).await?,
                // It is as short as it said: the rest is asked for.
                None if self.body_at >= self.body_end => self.body = None,
                None if end == u64::MAX => return Ok(None),
                None => {
                    let text = format!("the origin broke off after {} of {end} bytes", self.at);
                    self.broke(FillError::Unreachable(text)).await?;
                }
            }
        }
    }

    /// What of a frame is wanted now. What lies behind `end` is kept.
    fn take(&mut self, mut bytes: Bytes, end: u64) -> Option<(u64, Bytes)> {
        let skipped = usize::try_from(self.at - self.body_at).unwrap_or(usize::MAX);
        if skipped >= bytes.len() {
            self.body_at += bytes.len() as u64;
            return None;
        }
        let mut wanted = bytes.split_off(skipped);
        let room = usize::try_from(end - self.at).unwrap_or(usize::MAX);
        if room < wanted.len() {
            self.kept = Some(wanted.split_off(room));
        }
        let at = self.at;
        self.at += wanted.len() as u64;
        self.body_at = self.at;
        self.waits = self.retries.waits();
        self.refused = 0;
        Some((at, wanted))
    }

    /// Asks the endpoint whose turn it is for the rest.
    async fn ask(&mut self, end: u64) -> Result<(), FillError> {
        let portion = Portion::span(self.at, end);
        match self.supply.ask_again(self.endpoint, portion).await {
            Ok(opened) if opened.size.is_some_and(|size| size < self.at) => {
                let text = "the origin has fewer than came already".to_owned();
                self.wait(FillError::Mismatch(text)).await
            }
            Ok(opened) if opened.span.start == self.at || self.patient => {
                (self.body_at, self.body_end) = (opened.span.start, opened.span.end);
                self.size = self.size.or(opened.size);
                self.endpoint = opened.endpoint;
                self.body = Some(opened.body);
                self.kept = None;
                Ok(())
            }
            Ok(_) => Err(FillError::Unreachable(
                "the origin answers no ranges".to_owned(),
            )),
            Err(error) => self.wait(error).await,
        }
    }

    async fn broke(&mut self, error: FillError) -> Result<(), FillError> {
        self.body = None;
        self.kept = None;
        if !self.resumes {
            return Err(error);
        }
        self.counters.resumed.one();
        tracing::warn!(at = self.at, %error, "a transfer broke, and is resumed");
        self.wait(error).await
    }

    /// Waits before the next endpoint is asked; the error if that is of no use any more.
    async fn wait(&mut self, error: FillError) -> Result<(), FillError> {
        self.refused = if is_word(&error) { self.refused + 1 } else { 0 };
        if self.refused >= self.supply.len() {
            return Err(error);
        }
        let Some(wait) = self.waits.next() else {
            return Err(error);
        };
        self.endpoint = self.supply.after(self.endpoint);
        let asked = retry_after(&error).min(self.retries.longest);
        tokio::time::sleep(wait.max(asked)).await;
        Ok(())
    }
}

/// Whether another try at the same endpoint would bring the same.
fn is_word(error: &FillError) -> bool {
    match error {
        // 429 asks to come back.
        FillError::Refused(refusal) => is_final(refusal.status) && refusal.status != 429,
        FillError::Mismatch(_) | FillError::Unsatisfiable(_) | FillError::Request(_) => true,
        _ => false,
    }
}

/// How long an origin asks to be left alone (RFC 9110, section 10.2.3; seconds only).
fn retry_after(error: &FillError) -> Duration {
    let FillError::Refused(refusal) = error else {
        return Duration::ZERO;
    };
    let text = refusal
        .headers
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok());
    let seconds = text.and_then(|text| text.parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs)
}
