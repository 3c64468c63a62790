//! The rooms of one topic: made by their first subscriber, fed by the follower, dropped a while after the last one left.

use crate::{
    limits,
    load::{LoadError, Source, Stored, load},
    room::{Ending, Phase, Room, lock},
};
use socketing_domain::{
    PerformanceId,
    event::{Recorded, StreamId},
};
use socketing_service::problem::chain;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// All rooms of one topic.
#[derive(Debug)]
pub(crate) struct Rooms<B> {
    map: Mutex<Map<B>>,
    source: Source,
    tasks: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Map<B> {
    rooms: HashMap<PerformanceId, Arc<Room<B>>>,
    /// The last event that was offered: a room made now gets all later ones.
    offered: u64,
}

/// A place in a room's audience. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Place<B: Stored> {
    pub(crate) room: Arc<Room<B>>,
    number: u64,
}

impl<B: Stored> Drop for Place<B> {
    fn drop(&mut self) {
        self.room.leave(self.number);
    }
}

impl<B: Stored> Rooms<B> {
    /// None yet. Rooms run as `tasks` until `stop`.
    pub(crate) fn new(source: Source, tasks: TaskTracker, stop: CancellationToken) -> Rooms<B> {
        Rooms { map: Mutex::new(Map { rooms: HashMap::new(), offered: 0 }), source, tasks, stop }
    }

    /// Enters a performance's room, which is made if there is none. `None` if there are too many.
    pub(crate) fn enter(self: &Arc<Self>, performance: PerformanceId, wake: Arc<Notify>) -> Option<Place<B>> {
        let mut map = lock(&self.map);
        let room = match map.rooms.get(&performance) {
            Some(room) => Arc::clone(room),
            None if map.rooms.len() >= limits::ROOMS_MAX => return None,
            None => self.make(&mut map, performance),
        };
        let number = room.enter(wake);
        Some(Place { room, number })
    }

    fn make(self: &Arc<Self>, map: &mut Map<B>, performance: PerformanceId) -> Arc<Room<B>> {
        let room = Arc::new(Room::loading(performance, map.offered));
        map.rooms.insert(performance, Arc::clone(&room));
        self.tasks.spawn(Arc::clone(self).run(Arc::clone(&room)));
        room
    }

    /// Takes the next events of the log, all up to `position`.
    pub(crate) fn offer(&self, events: &[Arc<Recorded>], position: u64) {
        let mut stirred: Vec<Arc<Room<B>>> = Vec::new();
        {
            let mut map = lock(&self.map);
            for event in events.iter().filter(|event| event.stream.aggregate_type() == B::STREAM) {
                let Some(room) = performance_of(event.stream).and_then(|performance| map.rooms.get(&performance)) else { continue };
                room.offer(event);
                if stirred.last().is_none_or(|last| !Arc::ptr_eq(last, room)) {
                    stirred.push(Arc::clone(room));
                }
            }
            map.offered = position;
        }
        stirred.iter().for_each(|room| room.stirred.notify_one());
    }

    /// Ends all rooms: what they show is of another history. Positions go on from `position`.
    pub(crate) fn end_all(&self, position: u64) {
        let rooms: Vec<_> = {
            let mut map = lock(&self.map);
            map.offered = position;
            map.rooms.drain().map(|(_, room)| room).collect()
        };
        rooms.iter().for_each(|room| room.end(Ending::Failed));
    }

    /// Ends the room of a performance.
    pub(crate) fn end(&self, performance: PerformanceId, ending: Ending) {
        let room = lock(&self.map).rooms.remove(&performance);
        if let Some(room) = room {
            room.end(ending);
        }
    }

    /// A room's life.
    async fn run(self: Arc<Self>, room: Arc<Room<B>>) {
        let loaded = tokio::select! {
            () = self.stop.cancelled() => return,
            loaded = load(&self.source, &room) => loaded,
        };
        if let Err(error) = loaded {
            self.fail(&room, &error);
            return;
        }
        let mut phase = room.phase();
        let mut look = Instant::now() + limits::LINGER;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = over(&mut phase) => return,
                () = room.stirred.notified() => rest::<B>(room.publish()).await,
                () = sleep_until(look) => {
                    if self.drop_deserted(&room) {
                        return;
                    }
                    look += limits::LINGER;
                }
            }
        }
    }

    fn fail(&self, room: &Arc<Room<B>>, error: &LoadError) {
        let ending = match error {
            LoadError::Unknown => Ending::Unknown,
            _ => {
                tracing::error!(topic = B::TOPIC, performance = %room.performance, error = %chain(error), "can't read a room");
                Ending::Failed
            }
        };
        self.forget(room);
        room.end(ending);
    }

    fn drop_deserted(&self, room: &Arc<Room<B>>) -> bool {
        // Under the map's lock nobody can enter meanwhile.
        let mut map = lock(&self.map);
        let deserted = room.empty_since().is_some_and(|since| since.elapsed() >= limits::LINGER);
        if deserted {
            map.rooms.remove(&room.performance);
            drop(map);
            room.end(Ending::Deserted);
        }
        deserted
    }

    /// Takes the room out of the map, if it is the one there.
    fn forget(&self, room: &Arc<Room<B>>) {
        let mut map = lock(&self.map);
        if map.rooms.get(&room.performance).is_some_and(|found| Arc::ptr_eq(found, room)) {
            map.rooms.remove(&room.performance);
        }
    }
}

async fn over(phase: &mut watch::Receiver<Phase>) {
    // An error says that the room is gone, which can't be while its task has it.
    let _over = phase.wait_for(|phase| matches!(phase, Phase::Over(_))).await;
}

/// The performance that a stream belongs to.
pub(crate) fn performance_of(stream: StreamId) -> Option<PerformanceId> {
    match stream {
        StreamId::Performance(id) | StreamId::WaitingRoom(id) | StreamId::Party(id, _) => Some(id),
        StreamId::Account(_) | StreamId::Wallet(_) | StreamId::Show(_) => None,
    }
}

/// Waits until the audience has about taken what it was told of. What comes meanwhile is one frame.
async fn rest<B: Stored>(told: usize) {
    let delivery = limits::DELIVERY_COST * u32::try_from(told).unwrap_or(u32::MAX);
    let pause = delivery.max(B::REST);
    if told == 0 {
        return;
    }
    if pause < Duration::from_millis(1) {
        // Shorter than a timer: let those who were woken run first.
        tokio::task::yield_now().await;
    } else {
        sleep(pause).await;
    }
}
