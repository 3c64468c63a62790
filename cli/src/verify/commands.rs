//! Every command's outcome is covered: an accepted command's events are in the log, a refused one's are not; what was
//! answered never lies beyond the log; each event has a command that was accepted.
//!
//! A command's events stand side by side, and its outcome has the position of the last of them. So outcomes in the
//! order of positions are merged with the log, and nothing needs to be remembered but the event at hand.

use super::check::Seen;
use super::findings::Findings;
use anyhow::Context as _;
use socketing_domain::event::StreamId;
use socketing_domain::{CommandId, Timestamp};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres, Row as _};
use std::collections::{HashMap, VecDeque};
use time::{Date, Duration};
use uuid::Uuid;

/// Outcomes fetched at a time.
const PAGE_OUTCOMES: u32 = 2_000;
/// Who the timers' events are by: nobody asked for them, so no outcome is recorded.
const TIMER: &str = "system:timer";
/// Around midnight an event's day and its outcome's may differ by this much.
const MIDNIGHT: Duration = Duration::minutes(5);

/// A recorded outcome, as far as it is checked.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) position: u64,
    pub(crate) command_id: Uuid,
    pub(crate) command: String,
    pub(crate) status: u16,
    pub(crate) unit: Uuid,
    pub(crate) cause: Option<(String, u64)>,
}

/// The last event of one command.
struct Last {
    position: u64,
    command: CommandId,
    event_type: String,
    /// Whether an outcome must be there for it.
    wanted: bool,
    /// Whether it was.
    found: bool,
}

/// The merge of log and outcomes.
pub(crate) struct Merge {
    /// Outcomes of commands before this are gone with their partitions.
    reach: Timestamp,
    last: Option<Last>,
    sequences: HashMap<StreamId, u64>,
    refused: u64,
    out_of_reach: u64,
    findings: Findings,
}

impl Merge {
    pub(crate) fn new(reach: Timestamp) -> Merge {
        Merge {
            reach,
            last: None,
            sequences: HashMap::new(),
            refused: 0,
            out_of_reach: 0,
            findings: Findings::new("commands", "each outcome answered is covered by the log, and each event by an outcome"),
        }
    }

    /// Whether this event begins another command than the one at hand, whose outcomes must then be taken in first.
    fn begins(&self, event: &Seen<'_>) -> bool {
        match (&self.last, event.decoded) {
            (Some(last), Ok(recorded)) => last.command != recorded.metadata.command,
            _ => true,
        }
    }

    /// Takes in the log's next event.
    pub(crate) fn event(&mut self, event: &Seen<'_>) {
        let Ok(recorded) = event.decoded else { return };
        if self.begins(event) {
            self.close();
        }
        let timed = recorded.metadata.actor == TIMER;
        let reached = recorded.recorded_at >= self.reach;
        self.out_of_reach += u64::from(!timed && !reached);
        self.sequences.insert(recorded.stream, recorded.sequence);
        self.last = Some(Last {
            position: recorded.position,
            command: recorded.metadata.command,
            event_type: recorded.event.event_type().to_owned(),
            wanted: !timed && reached,
            found: false,
        });
    }

    /// Takes in an outcome whose position is that of the event at hand (or before it: then it has no event there).
    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        self.findings.looked();
        let here = self.last.as_mut().filter(|last| last.position == outcome.position && last.command.0 == outcome.command_id);
        let accepted = outcome.status < 400;
        match here {
            Some(last) if accepted => last.found = true,
            Some(last) => {
                let fault = format!("{} {} was refused, but {} is in the log", outcome.command, outcome.command_id, last.event_type);
                self.findings.fault(outcome.position, fault);
            }
            None => {}
        }
        self.refused += u64::from(!accepted);
        self.cause(outcome);
    }

    /// What a refusal says caused it must have happened by then.
    fn cause(&mut self, outcome: &Outcome) {
        let Some((aggregate_type, sequence)) = &outcome.cause else { return };
        // A party's stream isn't named by the unit alone.
        let Some(stream) = StreamId::parse(aggregate_type, &outcome.unit.to_string()) else { return };
        let reached = self.sequences.get(&stream).copied().unwrap_or(0);
        self.findings.expect(*sequence <= reached, outcome.position, || {
            format!("{} was refused because of event {sequence} of {stream}, which has {reached} by then", outcome.command_id)
        });
    }

    /// The command at hand is over: its outcome must have been there.
    fn close(&mut self) {
        if let Some(last) = self.last.take()
            && last.wanted
            && !last.found
        {
            let fault = format!("{} was made by command {}, which has no accepted outcome", last.event_type, last.command);
            self.findings.fault(last.position, fault);
        }
    }

    /// What was found.
    pub(crate) fn finish(mut self) -> Findings {
        self.close();
        let mut note = format!("{} refused", self.refused);
        if self.out_of_reach > 0 {
            note = format!("{note}; {} events are older than the outcomes that are kept", self.out_of_reach);
        }
        self.findings.note = Some(note);
        self.findings
    }
}

/// The check: a merge, fed from all outcomes, in rows and packed.
pub(crate) struct Commands {
    connection: PoolConnection<Postgres>,
    ready: VecDeque<Outcome>,
    exhausted: bool,
    merge: Merge,
}

impl Commands {
    /// Puts the outcomes up to `head` in order of position. The cursor outlives its transaction (the server keeps the
    /// ordered rows in a file), so no snapshot is held open while the log is read.
    pub(crate) async fn open(pool: &PgPool, head: u64) -> anyhow::Result<Commands> {
        let reach = reach(pool).await?;
        let mut merge = Merge::new(reach);
        against_head(pool, &mut merge.findings).await?;
        twice(pool, &mut merge.findings).await?;
        let mut connection = pool.acquire().await.context("reading outcomes of commands")?;
        // A number from our own code: a cursor's declaration takes no arguments.
        let declare = format!(
            "declare verify_outcomes no scroll cursor with hold for
             select position, command_id, command, status, unit, cause_type, cause_sequence
             from command_outcomes where position <= {head} order by position"
        );
        let mut transaction = sqlx::Connection::begin(&mut *connection).await.context("reading outcomes of commands")?;
        sqlx::query(&declare).execute(&mut *transaction).await.context("ordering outcomes of commands by position")?;
        transaction.commit().await.context("ordering outcomes of commands by position")?;
        Ok(Commands { connection, ready: VecDeque::new(), exhausted: false, merge })
    }

    /// Takes in the log's next event, and the outcomes that stand before it.
    pub(crate) async fn event(&mut self, event: &Seen<'_>) -> anyhow::Result<()> {
        if self.merge.begins(event) {
            self.outcomes_below(event.position()).await?;
        }
        self.merge.event(event);
        Ok(())
    }

    /// What was found, once the log is read.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Findings> {
        self.outcomes_below(u64::MAX).await?;
        sqlx::query("close verify_outcomes").execute(&mut *self.connection).await.context("reading outcomes of commands")?;
        Ok(self.merge.finish())
    }

    async fn outcomes_below(&mut self, position: u64) -> anyhow::Result<()> {
        loop {
            if self.ready.is_empty() && !self.exhausted {
                self.fetch().await?;
            }
            match self.ready.front() {
                Some(outcome) if outcome.position < position => self.merge.outcome(outcome),
                _ => return Ok(()),
            }
            self.ready.pop_front();
        }
    }

    async fn fetch(&mut self) -> anyhow::Result<()> {
        let fetch = format!("fetch {PAGE_OUTCOMES} from verify_outcomes");
        let rows = sqlx::query(&fetch).fetch_all(&mut *self.connection).await.context("reading outcomes of commands")?;
        self.exhausted = rows.is_empty();
        for row in rows {
            self.ready.push_back(outcome(&row).context("reading an outcome of a command")?);
        }
        Ok(())
    }
}

fn outcome(row: &sqlx::postgres::PgRow) -> Result<Outcome, sqlx::Error> {
    let cause: Option<String> = row.try_get("cause_type")?;
    let sequence: Option<i64> = row.try_get("cause_sequence")?;
    Ok(Outcome {
        position: unsigned(row.try_get("position")?),
        command_id: row.try_get("command_id")?,
        command: row.try_get("command")?,
        status: u16::try_from(row.try_get::<i16, _>("status")?).unwrap_or(0),
        unit: row.try_get("unit")?,
        cause: cause.zip(sequence.map(unsigned)),
    })
}

/// The beginning of the oldest day that is still kept, by the partitions there are (not by their rows: these may be
/// what is missing).
async fn reach(pool: &PgPool) -> anyhow::Result<Timestamp> {
    let oldest: Option<Date> = sqlx::query_scalar(
        "select min(to_date(right(child.relname, 8), 'YYYYMMDD'))
         from pg_inherits join pg_class child on child.oid = pg_inherits.inhrelid
         where pg_inherits.inhparent = 'command_log'::regclass",
    )
    .fetch_one(pool)
    .await
    .context("listing the partitions of command_log")?;
    let oldest = oldest.context("command_log has no partition; run `socketing migrate`")?;
    Ok(Timestamp::from(oldest.midnight().assume_utc() + MIDNIGHT))
}

/// Outcomes beyond the log. One statement, so that both are seen at the same moment.
async fn against_head(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let rows: Vec<(i64, Uuid, i64)> = sqlx::query_as(
        "select c.position, c.command_id, h.position from command_outcomes c join log_head h on c.position > h.position order by c.position limit 1000",
    )
    .fetch_all(pool)
    .await
    .context("comparing outcomes of commands with the head")?;
    for (position, command, head) in rows {
        findings.fault(unsigned(position), format!("command {command} was answered with a position beyond the head, {head}"));
    }
    Ok(())
}

/// One command, one outcome.
async fn twice(pool: &PgPool, findings: &mut Findings) -> anyhow::Result<()> {
    let rows: Vec<(Uuid, i64, i64)> = sqlx::query_as(
        "select command_id, count(*), max(position) from command_outcomes group by command_id having count(*) > 1 order by 3 limit 1000",
    )
    .fetch_all(pool)
    .await
    .context("looking for commands with two outcomes")?;
    for (command, outcomes, position) in rows {
        findings.fault(unsigned(position), format!("command {command} has {outcomes} outcomes"));
    }
    Ok(())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
