//! One room: a board, what changed lately, and who watches.
//!
//! The follower puts events in; the room's own task folds them and tells the audience that there is something new; each
//! connection then pulls what it lacks, from the position that it has. So nothing queues up for anybody: a connection that
//! was busy writing finds everything since merged into its next frame, and one that fell behind what the room remembers
//! finds a fresh snapshot. A frame is encoded once and shared by all who pull it from the same position.
//!
//! What is shown changes only when the task folds. Between two foldings every subscriber pulls the same frame, and what
//! comes meanwhile is merged into the next.

use crate::{
    board::{Board, Wish},
    limits,
};
use axum::extract::ws::Utf8Bytes;
use socketing_domain::{PerformanceId, event::Recorded};
use std::{
    collections::{HashMap, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

/// Locks, whether or not a thread panicked while it had the lock: what is inside is whole between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far a room is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It is being read from the log.
    Loading,
    /// It shows.
    Live,
    /// It is over.
    Over(Ending),
}

/// Why a room is over, or never began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// There is no such performance, or it isn't on sale yet.
    Unknown,
    /// It can't be shown: an event that can't be read, no database, another history.
    Failed,
    /// Nobody watched.
    Deserted,
}

/// What a connection finds when it pulls.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Pulled {
    /// It has everything.
    Nothing,
    /// The next frame, and the position that it covers.
    Frame(Utf8Bytes, u64),
    /// There will be nothing more.
    Over(Ending),
}

/// What a connection has and wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pull {
    /// The subscription's id, which stands in the frame.
    pub(crate) id: u32,
    /// The position that the client has; `None`: nothing.
    pub(crate) from: Option<u64>,
    /// Whether it is the answer to a subscription: then there is a frame even if nothing changed.
    pub(crate) first: bool,
    /// What it asks for besides.
    pub(crate) wish: Wish,
    /// The follower's position, read before the room was looked at: what isn't in the room by now isn't there up to here.
    pub(crate) followed: u64,
}

/// One room.
#[derive(Debug)]
pub(crate) struct Room<B> {
    /// Of which performance.
    pub(crate) performance: PerformanceId,
    content: Mutex<Content<B>>,
    audience: Mutex<Audience>,
    phase: watch::Sender<Phase>,
    /// Wakes the room's task.
    pub(crate) stirred: Notify,
}

#[derive(Debug)]
enum Content<B> {
    Loading(Loading),
    Live(Live<B>),
    Over(Ending),
}

/// Events that came while the room was being read.
#[derive(Debug)]
pub(crate) struct Loading {
    /// Those up to here are not among `events`; they are committed and can be read from the log.
    pub(crate) since: u64,
    events: Vec<Arc<Recorded>>,
}

#[derive(Debug)]
struct Live<B> {
    board: B,
    /// Up to where the board is folded.
    covers: u64,
    /// The last event that changed what is shown.
    changed_at: u64,
    /// The same, when the audience was last told.
    told_at: u64,
    /// Who has at least this can be told just what changed since.
    floor: u64,
    ring: VecDeque<(u64, u64)>,
    pending: Vec<Arc<Recorded>>,
    shared: HashMap<(u32, Option<u64>), (Utf8Bytes, u64)>,
}

#[derive(Default, Debug)]
struct Audience {
    next: u64,
    wakes: HashMap<u64, Arc<Notify>>,
    empty_since: Option<Instant>,
}

impl<B: Board> Room<B> {
    /// A room that is being read. The follower has offered everything up to `since` before it knew the room.
    pub(crate) fn loading(performance: PerformanceId, since: u64) -> Room<B> {
        Room {
            performance,
            content: Mutex::new(Content::Loading(Loading { since, events: Vec::new() })),
            audience: Mutex::new(Audience { empty_since: Some(Instant::now()), ..Audience::default() }),
            phase: watch::Sender::new(Phase::Loading),
            stirred: Notify::new(),
        }
    }

    /// Takes an event of the room's stream, in the log's order. The caller wakes the task when its batch is done.
    pub(crate) fn offer(&self, event: &Arc<Recorded>) {
        match &mut *lock(&self.content) {
            Content::Loading(loading) => loading.offer(event),
            Content::Live(live) => live.offer(event),
            Content::Over(_) => {}
        }
    }

    /// Up to where the log has to be read before [`Room::open`] can succeed. `None` once the room isn't loading any more.
    pub(crate) fn wanted(&self) -> Option<u64> {
        match &*lock(&self.content) {
            Content::Loading(loading) => Some(loading.since),
            Content::Live(_) | Content::Over(_) => None,
        }
    }

    /// Shows `board`, which is folded up to `covers` (and was read after `wanted` was asked). Gives it back if so much came
    /// meanwhile that some was dropped: then more of the log has to be read.
    pub(crate) fn open(&self, board: B, covers: u64, wanted: u64) -> Result<(), B> {
        {
            let mut content = lock(&self.content);
            let Content::Loading(loading) = &mut *content else { return Ok(()) };
            if loading.since != wanted {
                return Err(board);
            }
            let events = std::mem::take(&mut loading.events);
            let mut live = Live::new(board, covers.max(wanted));
            live.fold(events);
            *content = Content::Live(live);
        }
        self.phase.send_replace(Phase::Live);
        self.wake();
        Ok(())
    }

    /// Ends the room: its subscribers are told so.
    pub(crate) fn end(&self, ending: Ending) {
        *lock(&self.content) = Content::Over(ending);
        self.phase.send_replace(Phase::Over(ending));
        self.wake();
    }

    /// Follows the room's phase.
    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Folds what came, and tells the audience if that changed anything. Returns how many were told.
    pub(crate) fn publish(&self) -> usize {
        let changed = match &mut *lock(&self.content) {
            Content::Live(live) => live.publish(),
            Content::Loading(_) | Content::Over(_) => false,
        };
        if changed { self.wake() } else { 0 }
    }

    /// What a connection lacks.
    pub(crate) fn pull(&self, pull: &Pull) -> Pulled {
        match &mut *lock(&self.content) {
            Content::Loading(_) => Pulled::Nothing,
            Content::Live(live) => live.pull(pull),
            Content::Over(ending) => Pulled::Over(*ending),
        }
    }

    /// Adds someone to be woken; the number is for [`Room::leave`].
    pub(crate) fn enter(&self, wake: Arc<Notify>) -> u64 {
        let mut audience = lock(&self.audience);
        audience.next += 1;
        audience.empty_since = None;
        let number = audience.next;
        audience.wakes.insert(number, wake);
        number
    }

    /// Takes someone out again.
    pub(crate) fn leave(&self, number: u64) {
        let mut audience = lock(&self.audience);
        audience.wakes.remove(&number);
        if audience.wakes.is_empty() {
            audience.empty_since = Some(Instant::now());
        }
    }

    /// Since when nobody has watched.
    pub(crate) fn empty_since(&self) -> Option<Instant> {
        lock(&self.audience).empty_since
    }

    fn wake(&self) -> usize {
        let audience = lock(&self.audience);
        audience.wakes.values().for_each(|wake| wake.notify_one());
        audience.wakes.len()
    }
}

impl Loading {
    fn offer(&mut self, event: &Arc<Recorded>) {
        if self.events.len() == limits::LOADING_EVENTS_MAX {
            self.since = self.events.last().map_or(self.since, |last| last.position);
            self.events.clear();
        }
        self.events.push(Arc::clone(event));
    }
}

impl<B: Board> Live<B> {
    fn new(board: B, covers: u64) -> Live<B> {
        Live {
            board,
            covers,
            changed_at: covers,
            told_at: covers,
            floor: covers,
            ring: VecDeque::new(),
            pending: Vec::new(),
            shared: HashMap::new(),
        }
    }

    fn offer(&mut self, event: &Arc<Recorded>) {
        self.pending.push(Arc::clone(event));
        if self.pending.len() >= limits::PENDING_EVENTS_MAX {
            self.fold_pending();
        }
    }

    /// Folds what waits. True if the audience has something to pull that it wasn't told of.
    fn publish(&mut self) -> bool {
        self.fold_pending();
        let news = self.changed_at > self.told_at;
        self.told_at = self.changed_at;
        news
    }

    fn fold_pending(&mut self) {
        let events = std::mem::take(&mut self.pending);
        self.fold(events);
    }

    fn fold(&mut self, events: Vec<Arc<Recorded>>) {
        if events.is_empty() {
            return;
        }
        for event in events {
            if event.position <= self.covers {
                continue; // read from the log already
            }
            let Live { board, ring, .. } = self;
            if board.apply(&event, &mut |mark| ring.push_back((event.position, mark))) {
                self.changed_at = event.position;
            }
            self.covers = event.position;
        }
        self.forget();
        self.shared.clear();
    }

    /// Drops the oldest marks beyond the bound. Who hasn't seen all of a dropped position gets a snapshot.
    fn forget(&mut self) {
        let surplus = self.ring.len().saturating_sub(self.board.marks_max());
        for (position, _) in self.ring.drain(..surplus) {
            self.floor = position;
        }
    }

    fn pull(&mut self, pull: &Pull) -> Pulled {
        if pull.first && !self.pending.is_empty() {
            // A client may have seen, on another instance, what here still waits to be folded: never show it less.
            self.fold_pending();
        }
        if self.pending.is_empty() {
            self.covers = self.covers.max(pull.followed);
        }
        let from = pull.from.filter(|from| *from >= self.floor);
        let has_all = pull.from.is_some_and(|from| from >= self.changed_at);
        if has_all && !pull.first {
            return Pulled::Nothing;
        }
        self.frame(pull, from)
    }

    fn frame(&mut self, pull: &Pull, from: Option<u64>) -> Pulled {
        let key = (pull.id, from);
        let wish = if pull.first || from.is_none() { pull.wish } else { Wish::default() };
        let sharable = wish.is_common();
        if sharable && let Some((frame, covers)) = self.shared.get(&key) {
            return Pulled::Frame(frame.clone(), *covers);
        }
        let frame = Utf8Bytes::from(self.encode(pull.id, from, wish));
        if sharable && self.shared.len() < limits::SHARED_FRAMES_MAX {
            self.shared.insert(key, (frame.clone(), self.covers));
        }
        Pulled::Frame(frame, self.covers)
    }

    fn encode(&self, id: u32, from: Option<u64>, wish: Wish) -> String {
        let kind = if from.is_some() { "delta" } else { "snapshot" };
        let mut json = String::with_capacity(256);
        write!(json, r#"{{"type":"{kind}","id":{id},"position":{}"#, self.covers).expect("a string can be written to");
        match from {
            Some(from) => self.board.delta(&self.marks_after(from), wish, &mut json),
            None => self.board.snapshot(wish, &mut json),
        }
        json.push('}');
        json
    }

    fn marks_after(&self, from: u64) -> Vec<u64> {
        let start = self.ring.partition_point(|(position, _)| *position <= from);
        let mut marks: Vec<u64> = self.ring.range(start..).map(|(_, mark)| *mark).collect();
        marks.sort_unstable();
        marks.dedup();
        marks
    }
}

#[cfg(test)]
mod tests;
