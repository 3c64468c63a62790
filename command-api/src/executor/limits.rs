//! Every bound of the executor, with its reason.

use std::time::Duration;

/// Commands that may wait in one queue of one writer: about a second's worth of commits. A full queue answers 503.
pub(super) const QUEUE_MAX: usize = 16_384;
/// Commands taken from the queue of the people inside per batch: past a thousand rows a commit gains little.
pub(super) const BATCH_INSIDE_MAX: usize = 1_024;
/// Commands taken from the line's queue per batch: less than from inside, so that the door never comes first.
pub(super) const BATCH_LINE_MAX: usize = 512;
/// Events of a batch after which no more commands are taken into it: half of what a statement should carry.
pub(super) const BATCH_EVENTS_MAX: usize = 2_048;
/// Looks at the state that one batch may answer.
pub(super) const BATCH_LOOKS_MAX: usize = 4_096;
/// Rounds of timers per batch, each at most [`socketing_domain::limits::EVENTS_PER_COMMAND_MAX`] events; the rest comes in the next batch.
pub(super) const DUE_ROUNDS_MAX: usize = 4;
/// Units in memory at once.
pub(super) const WRITERS_MAX: usize = 200_000;
/// A hall's writer without work for so long forgets it. What falls due later is found by the table `due`.
pub(super) const IDLE_HALL: Duration = Duration::from_secs(60);
/// The same for people, wallets and shows: there are a thousand new ones a second at a sale's end, and loading one again
/// costs little.
pub(super) const IDLE_SHORT: Duration = Duration::from_secs(5);
/// Outcomes that a unit's writer remembers whole: more than two batches, and what clients repeat within seconds.
pub(super) const WINDOW_MAX: usize = 8_192;
/// Keys of which a unit's writer remembers a digest of 8 bytes: at most 80 MB for one that four million commands reached.
pub(super) const KEYS_MAX: usize = 4_000_000;
/// Keys of rows that are read together with the unit; where there are more, the rest is read while it works.
pub(super) const KEYS_AT_ONCE: usize = 1_000;
/// Short units that one statement reads: past a hundred the round trip doesn't count any more.
pub(super) const LOADS_AT_ONCE: usize = 256;
/// Writers that wait for their unit to be read; more wait before that.
pub(super) const LOADS_WAITING: usize = 4_096;
/// Batches that wait for the committer: one per writer that has something ready.
pub(super) const SUBMISSIONS_MAX: usize = 4_096;
/// Events merged into one statement: at about 400 bytes each, under 2 MB.
pub(super) const COMMIT_EVENTS_MAX: usize = 4_096;
/// Outcomes merged into one statement.
pub(super) const COMMIT_OUTCOMES_MAX: usize = 4_096;
/// Times that a batch is decided anew after its commit didn't happen, before its commands are answered 503.
pub(super) const ATTEMPTS_MAX: usize = 4;
/// What a 503 tells its client to wait.
pub(super) const RETRY_AFTER_S: u32 = 1;
/// How often units that are due are looked for.
pub(super) const DUE_EVERY: Duration = Duration::from_secs(1);
/// How often partitions of the command log are made ahead.
pub(super) const PARTITIONS_EVERY: Duration = Duration::from_secs(3_600);
/// A statement that runs longer is cancelled by Postgres, so that it can't hold the head for ever.
pub(super) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// A heartbeat, a look at the leases or a gift of some takes no longer, or it is begun anew: less than a node lives without
/// a heartbeat ([`socketing_event_store::shards::NODE_TTL`]).
pub(super) const LEASES_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a gift of leases waits for a commit that is still writing to them; the next second tries again.
pub(super) const GIVE_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// How long leases wait to be given for the batches that are under way in them; what is later is fenced.
pub(super) const BATCHES_DONE_TIMEOUT: Duration = Duration::from_secs(1);
/// Commands and questions that this node has under way at others or waiting for an owner: what one owner's queue holds
/// takes far fewer, and each is a connection. More are told to come back.
pub(super) const FORWARDS_MAX: usize = 2_048;
/// How long a command is sent after its owner, who may be dying or new, before it is told to come back. Most of a lease's
/// life, and short enough that whoever waits doesn't give up first.
pub(super) const FORWARD_TIMEOUT: Duration = Duration::from_secs(4);
/// How long another node may take to answer before it is asked again, or another is: an owner that was stopped never
/// answers, and the same key is safe to send twice.
pub(super) const FORWARD_TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long connecting to another node may take, in one data centre.
pub(super) const FORWARD_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection to another node is kept unused: less than the server does.
pub(super) const FORWARD_IDLE: Duration = Duration::from_secs(60);
/// The first pause before the owner is looked for again; it doubles up to [`FORWARD_PAUSE_MAX`].
pub(super) const FORWARD_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause between two looks for an owner.
pub(super) const FORWARD_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Bytes of a forwarded message: the largest body of a request, wrapped, with room.
pub(super) const FORWARD_BYTES_MAX: usize = 256 * 1024;
/// Parts of the system that commands of other nodes may name; there are a handful.
pub(super) const PARTS_MAX: usize = 64;
/// How long a commit waits for its answer: what Postgres allows the statement, and a little for the way. So does whatever
/// else many wait for.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(12);
/// After so long it is asked, over another connection, whether Postgres works on the commit at all: a connection can be
/// dead without anyone being told. Far longer than a commit takes, and with the two looks and what follows them less than a
/// killed owner's replacement.
pub(super) const APPEND_DOUBTED_AFTER: Duration = Duration::from_secs(2);
/// How often that is asked. Two looks in turn must agree: after one, the answer may just be on its way.
pub(super) const APPEND_LOOK_EVERY: Duration = Duration::from_millis(500);
