//! The committer: merges what all writers have ready into one statement. One commit is in flight per process.

use super::leases::Keeper;
use super::limits;
use super::ownership::Ownership;
use socketing_event_store::append::{self, Appended, Part, Written};
use socketing_event_store::commits::{Batch, Commits};
use socketing_event_store::patience::{answer, no_answer};
use socketing_event_store::shards;
use sqlx::{Connection, PgConnection, PgPool};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What one writer wants to be made durable.
pub(super) struct Submission {
    pub(super) part: Part,
    pub(super) result: oneshot::Sender<Result<u64, NotCommitted>>,
}

/// Why a submission is not in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotCommitted {
    /// A lease was lost or the outcome was unknown and is settled now: load again, and decide again.
    Lost,
    /// Postgres refuses this very data: the culprit is in this submission.
    Poisoned,
}

/// Commits until all writers are gone. Each writer has at most one submission here, so taking them in the order they
/// came is fair: a hot show's batch is one among all.
pub(super) async fn run(
    pool: PgPool,
    ownership: Ownership,
    keeper: Arc<Keeper>,
    commits: Commits,
    stopping: CancellationToken,
    mut inbox: mpsc::Receiver<Submission>,
) {
    let mut committer = Committer { pool, ownership, keeper, commits, stopping, connection: None, sessions: 0 };
    let mut next = inbox.recv().await;
    let mut writers = 0;
    while let Some(first) = next {
        if writers > 1 {
            // Those whom the last commit woke hand over now what they have decided meanwhile: one statement takes it all.
            tokio::task::yield_now().await;
        }
        let (merged, left_over) = merge_ready(first, &mut inbox);
        writers = merged.len();
        committer.commit(merged).await;
        next = match left_over {
            Some(submission) => Some(submission),
            None => inbox.recv().await,
        };
    }
}

/// The submissions that are ready, up to what one statement should carry; and the first one that was too much.
fn merge_ready(first: Submission, inbox: &mut mpsc::Receiver<Submission>) -> (Vec<Submission>, Option<Submission>) {
    let (mut events, mut outcomes) = (first.part.events.len(), first.part.outcomes_len());
    let mut merged = vec![first];
    while let Ok(submission) = inbox.try_recv() {
        events += submission.part.events.len();
        outcomes += submission.part.outcomes_len();
        if events > limits::COMMIT_EVENTS_MAX || outcomes > limits::COMMIT_OUTCOMES_MAX {
            return (merged, Some(submission));
        }
        merged.push(submission);
    }
    (merged, None)
}

struct Committer {
    pool: PgPool,
    ownership: Ownership,
    keeper: Arc<Keeper>,
    commits: Commits,
    stopping: CancellationToken,
    connection: Option<PgConnection>,
    /// How many connections there were, this one included.
    sessions: u64,
}

impl Committer {
    async fn commit(&mut self, submissions: Vec<Submission>) {
        match self.append(&submissions).await {
            Ok(Appended::At(written)) => self.announce(written, submissions),
            Ok(Appended::Fenced) => self.fenced(submissions).await,
            Err(error) if append::is_data_error(&error) => self.narrow(&error, submissions).await,
            Err(error) => self.settle(&error, submissions).await,
        }
    }

    /// Appends on the committer's own connection, opened anew after any trouble.
    async fn append(&mut self, submissions: &[Submission]) -> Result<Appended, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                self.sessions += 1;
                none.insert(connect(&self.pool, self.ownership.owner()).await?)
            }
        };
        let parts: Vec<&Part> = submissions.iter().map(|submission| &submission.part).collect();
        // Postgres bounds the statement; this bounds a network that swallows what is sent.
        tokio::select! {
            done = answer(limits::ANSWER_TIMEOUT, "a commit", append::append(connection, &parts)) => done,
            () = self.keeper.finds_commit_abandoned() => Err(no_answer("a commit, and isn't at work on it")),
        }
    }

    /// Tells the process's readers, and then the writers: who was answered finds the position noted.
    fn announce(&self, written: Written, submissions: Vec<Submission>) {
        let mut before = written.base;
        let (told, events): (Vec<_>, Vec<_>) = submissions
            .into_iter()
            .map(|Submission { part, result }| {
                let own = before;
                before += part.events.len() as u64;
                ((result, own), part.events)
            })
            .unzip();
        self.commits.tell(Batch { session: self.sessions, written, events });
        for (result, own) in told {
            tell(result, Ok(own));
        }
    }

    /// An epoch of ours is stale: learn which leases are still ours before anyone decides again.
    async fn fenced(&mut self, submissions: Vec<Submission>) {
        tracing::warn!(submissions = submissions.len(), "a batch was fenced: a lease was taken over");
        if let Err(error) = self.keeper.refresh().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "whose the leases are could not be looked up");
            self.ownership.doubt();
        }
        lose(submissions);
    }

    /// The statement failed on its data. It is run again by writer; what fails alone holds the culprit, and its writer
    /// narrows it down by command.
    async fn narrow(&mut self, error: &sqlx::Error, submissions: Vec<Submission>) {
        if submissions.len() == 1 {
            tracing::error!(error = error as &dyn std::error::Error, "Postgres refused a batch's data");
            submissions.into_iter().for_each(|submission| tell(submission.result, Err(NotCommitted::Poisoned)));
            return;
        }
        for submission in submissions {
            Box::pin(self.commit(vec![submission])).await;
        }
    }

    /// The outcome is unknown: the old statement may still commit. Raising our epochs waits for it or fences it; after
    /// that the log is final, and every writer finds its commands' outcomes there, or none.
    async fn settle(&mut self, error: &sqlx::Error, submissions: Vec<Submission>) {
        tracing::error!(
            error = error as &dyn std::error::Error,
            submissions = submissions.len(),
            "a commit's outcome is unknown; settling it"
        );
        self.learn_epochs().await;
        lose(submissions);
    }

    /// Raises our epochs on a new connection, however long Postgres is away; unless we are told to stop meanwhile. Then
    /// nothing is decided here any more, and whoever owns the shards next settles it by raising them.
    async fn learn_epochs(&mut self) {
        self.connection = None;
        let mut pause = Duration::from_millis(20);
        loop {
            let raised = async {
                let mut connection = connect(&self.pool, self.ownership.owner()).await?;
                let epochs = shards::raise_epochs(&mut connection, self.ownership.owner()).await?;
                Ok::<_, sqlx::Error>((connection, epochs))
            };
            match answer(limits::ANSWER_TIMEOUT, "what the epochs are", raised).await {
                Ok((connection, epochs)) => {
                    self.ownership.replace(&epochs);
                    self.sessions += 1;
                    self.connection = Some(connection);
                    tracing::info!("settled");
                    return;
                }
                Err(error) if self.stopping.is_cancelled() => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a commit is left to be settled by the next owner");
                    self.ownership.doubt();
                    return;
                }
                Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "epochs could not be raised; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

fn lose(submissions: Vec<Submission>) {
    submissions.into_iter().for_each(|submission| tell(submission.result, Err(NotCommitted::Lost)));
}

fn tell(writer: oneshot::Sender<Result<u64, NotCommitted>>, result: Result<u64, NotCommitted>) {
    // A writer that is gone (the process stops) has nobody left to answer.
    let _ = writer.send(result);
}

/// Opens a session for commits: bounded statements, and no transaction left open by a client that is gone. The statement is
/// planned once: by itself PostgreSQL would plan it anew for each batch, in the belief that short arrays deserve it.
async fn connect(pool: &PgPool, node: Uuid) -> Result<PgConnection, sqlx::Error> {
    let timeout_ms = limits::STATEMENT_TIMEOUT.as_millis().to_string();
    let options = (*pool.connect_options()).clone().application_name(&shards::committer_session(node)).options([
        ("statement_timeout", timeout_ms.as_str()),
        ("lock_timeout", timeout_ms.as_str()),
        ("idle_in_transaction_session_timeout", timeout_ms.as_str()),
        ("plan_cache_mode", "force_generic_plan"),
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ]);
    PgConnection::connect_with(&options).await
}
