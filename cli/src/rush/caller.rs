//! How a fan talks to the API: like a patient browser. What gets no answer is sent again under the same key, "later" is
//! waited for, and a system that went away is given a while to come back.

use super::measure::{Measures, Step};
use crate::client::{Answer, Api, Ask, CallError, Problem};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How soon a request without an answer is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long to wait where "later" doesn't say when.
const LATER: Duration = Duration::from_secs(1);

/// What all fans share.
pub(crate) struct Shared {
    pub(crate) api: Api,
    pub(crate) measures: Measures,
    /// The rush is over: the time is up, or the system is gone.
    pub(crate) stop: CancellationToken,
    outage: Outage,
}

/// Since when nothing answers.
struct Outage {
    begin: Instant,
    /// Milliseconds after `begin` of the first request without an answer since the last one with; 0: none.
    since_ms: AtomicU64,
    patience: Duration,
    gone: AtomicBool,
}

/// The rush is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stopped;

/// Why a fan doesn't get what it asked for.
#[derive(Debug)]
pub(crate) enum No {
    /// The system says no, and why.
    Refused(Box<Problem>),
    /// The rush is over.
    Stopped,
}

impl From<Stopped> for No {
    fn from(_: Stopped) -> No {
        No::Stopped
    }
}

impl Shared {
    /// A rush against this API; a silent system is waited for with this much patience.
    pub(crate) fn new(api: Api, patience: Duration) -> Shared {
        let outage = Outage { begin: Instant::now(), since_ms: AtomicU64::new(0), patience, gone: AtomicBool::new(false) };
        Shared { api, measures: Measures::default(), stop: CancellationToken::new(), outage }
    }

    /// Whether the system went away and never came back.
    pub(crate) fn gone(&self) -> bool {
        self.outage.gone.load(Ordering::Relaxed)
    }

    /// Something answered.
    pub(crate) fn answered(&self) {
        self.outage.since_ms.store(0, Ordering::Relaxed);
    }

    /// Something didn't answer. Past the patience, the rush is over.
    pub(crate) fn silent(&self) {
        let now = self.outage.begin.elapsed().as_millis() as u64 + 1;
        let since = match self.outage.since_ms.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => now,
            Err(since) => since,
        };
        if Duration::from_millis(now.saturating_sub(since)) > self.outage.patience {
            self.outage.gone.store(true, Ordering::Relaxed);
            self.stop.cancel();
        }
    }

    /// Waits, unless the rush is over first.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            () = sleep(time) => Ok(()),
        }
    }
}

/// One fan's way to the API.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) token: Arc<str>,
}

impl Caller {
    /// Sends a command under a key of its own.
    pub(crate) async fn command(&self, step: Step, path: &str, body: &Value) -> Result<Answer, No> {
        self.command_as(&Uuid::now_v7().to_string(), step, path, body).await
    }

    /// Sends a command under this key.
    pub(crate) async fn command_as(&self, key: &str, step: Step, path: &str, body: &Value) -> Result<Answer, No> {
        self.ask(step, Ask::post(path, body).key(key).by(&self.token)).await
    }

    /// Asks for something that is read.
    pub(crate) async fn query(&self, path: &str) -> Result<Value, No> {
        Ok(self.ask(Step::Query, Ask::get(path).by(&self.token)).await?.body)
    }

    async fn ask(&self, step: Step, ask: Ask<'_>) -> Result<Answer, No> {
        loop {
            let begin = Instant::now();
            let answer = tokio::select! {
                () = self.shared.stop.cancelled() => return Err(No::Stopped),
                answer = self.shared.api.call(ask.clone()) => answer,
            };
            match answer {
                Ok(answer) => {
                    self.shared.answered();
                    self.shared.measures.took(step, begin.elapsed());
                    return Ok(answer);
                }
                Err(CallError::NoAnswer(_)) => {
                    self.shared.measures.unanswered();
                    self.shared.silent();
                    self.shared.pause(AGAIN_AFTER).await?;
                }
                Err(CallError::Problem(problem)) => self.refused(step, begin, problem).await?,
                Err(CallError::Garbled { status }) => {
                    self.shared.measures.violation(format!("{}: an answer {status} that isn't this API's", step.told()));
                    self.shared.pause(LATER).await?;
                }
            }
        }
    }

    /// "Later" is waited for; everything else is the end of this request.
    async fn refused(&self, step: Step, begin: Instant, problem: Box<Problem>) -> Result<(), No> {
        self.shared.answered();
        if matches!(problem.status.as_u16(), 429 | 503) {
            self.shared.measures.later();
            self.shared.pause(problem.retry_after.unwrap_or(LATER)).await?;
            return Ok(());
        }
        self.shared.measures.refused(&problem.code);
        if matches!(step, Step::Hold | Step::HoldBest) {
            self.shared.measures.took(Step::HoldRefused, begin.elapsed());
        }
        if problem.status.is_server_error() || problem.status.as_u16() == 401 {
            self.shared.measures.violation(format!("{}: {problem}", step.told()));
        }
        Err(No::Refused(problem))
    }
}
