//! Every bound of the notifier, each with its reason.

use std::time::Duration;

/// Bytes of one message of a client: a subscription has under 200.
pub const MESSAGE_BYTES_MAX: usize = 4 * 1024;
/// Bytes that a connection reads at once. The library's 128 KiB would be most of a connection's memory (measured: 104–135 KiB
/// a connection against 6).
pub const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Bytes that may wait to be written on one connection: the largest snapshot (a digit for each of 100,000 seats) and a little.
/// Nothing is buffered on purpose: a frame is written before the next is made.
pub const WRITE_BUFFER_BYTES_MAX: usize = 256 * 1024;
/// Subscriptions of one connection: a page shows one performance (seats, line) and one's own things; operators watch several.
pub const SUBSCRIPTIONS_MAX: usize = 16;
/// Messages that a client may send at once after a silence, and how many a second in the long run. A page sends three, then none.
pub const MESSAGES_BURST: u32 = 60;
/// See [`MESSAGES_BURST`].
pub const MESSAGES_PER_SECOND: u32 = 10;
/// Connections of one account: devices and tabs. More are a loop that went wrong.
pub const CONNECTIONS_PER_ACCOUNT_MAX: usize = 64;
/// Rooms in memory. At the most seats a plan may have, a room is about 400 KB.
pub const ROOMS_MAX: usize = 2_000;
/// Rooms loaded at once: each takes a connection of the pool.
pub const LOADS_MAX: usize = 4;
/// Events kept for a room that is being loaded; beyond, they are read again from the log.
pub const LOADING_EVENTS_MAX: usize = 10_000;
/// Events that wait in a room for its next frame; beyond, they are folded at once.
pub const PENDING_EVENTS_MAX: usize = 4_096;
/// Changes that a room remembers for those who come back: at least, and at most.
pub const RING_CHANGES_MIN: usize = 1_024;
/// See [`RING_CHANGES_MIN`]. A delta of so many seats is about as long as the snapshot of the largest plan.
pub const RING_CHANGES_MAX: usize = 16_384;
/// Encoded frames that a room keeps for sharing, for the different positions and ids of its subscribers.
pub const SHARED_FRAMES_MAX: usize = 64;
/// Messages that a person's mailbox remembers for those who come back.
pub const MAILBOX_MESSAGES_MAX: usize = 256;
/// How long a room or mailbox outlives its last subscriber: a page that reloads or moves to another network finds it again.
pub const LINGER: Duration = Duration::from_secs(60);
/// Mailboxes in memory, those of absent people included.
pub const MAILBOXES_MAX: usize = 200_000;
/// What one delivery costs, roughly (measured: about 10 µs a write). After a frame, a room rests as long as its delivery takes
/// one core, so that a room of thousands can't take the machine from those who are buying.
pub const DELIVERY_COST: Duration = Duration::from_micros(10);
/// A line's frames are at least so far apart: nobody reads ten numbers a second, and a line has the most subscribers of all.
pub const LINE_REST: Duration = Duration::from_millis(100);
/// Events that the follower takes at once.
pub const BATCH_EVENTS_MAX: usize = 1_000;
/// How long a subscription waits for an instance that is behind the client, or for its room.
pub const SUBSCRIBE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often a connection is pinged; one that was silent for two pings is dead.
pub const PING_EVERY: Duration = Duration::from_secs(20);
/// How long one frame may take to be written before the client counts as dead.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection waits for the client's own close after it said goodbye.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often sessions of open connections are checked against sign-outs.
pub const SESSIONS_EVERY: Duration = Duration::from_secs(1);
/// How often mailboxes of absent people and quiet performances are swept out.
pub const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// How far behind the log the follower may be and count as ready: some seconds of the busiest sale.
pub const LAG_EVENTS_MAX: u64 = 5_000;
/// Events kept for the postman, who comes after the follower: about a second of the busiest sale, some 5 MB. Beyond,
/// they are read again from the log.
pub const TAIL_EVENTS_MAX: usize = 8_192;
/// How far behind the follower the postman may be. Beyond, mailboxes begin anew: people look for themselves sooner than they
/// would be told.
pub const POST_BEHIND_MAX: u64 = 200_000;
/// How long a performance without events is remembered by the postman.
pub const HALL_IDLE: Duration = Duration::from_secs(30 * 60);
/// The first pause before something that failed is tried again; doubled each time.
pub const RETRY_FIRST: Duration = Duration::from_millis(100);
/// The longest such pause.
pub const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// How often it is written down who came and who went: people are sent away after a minute or more, so this is often enough.
pub(crate) const PRESENCE_REST: Duration = Duration::from_millis(500);
/// How long an instance counts as alive without a heartbeat: its pages are closed then, which leaves people the grace time to
/// come back elsewhere.
pub(crate) const PRESENCE_TTL: Duration = Duration::from_secs(10);
/// How often its heart beats: four tries within its life.
pub(crate) const PRESENCE_BEAT: Duration = Duration::from_secs(2);
