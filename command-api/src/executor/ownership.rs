//! What this node knows of who owns which shard: its own leases with their epochs, and where the others' owners are.

use super::spread::{self, Move};
use socketing_domain::unit::SHARDS;
use socketing_event_store::shards::{Epoch, Lease, NODE_TTL, Node};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;
use uuid::Uuid;

/// Who owns a shard, as far as this node knows.
pub(super) enum Owner {
    /// This node.
    Here,
    /// Another one, that takes commands at this address.
    There(Arc<str>),
    /// Nobody: its owner died, or it is moving.
    Unknown,
}

/// This node's view of the shards. Cheap to clone.
#[derive(Clone)]
pub struct Ownership {
    node: Uuid,
    view: Arc<RwLock<View>>,
}

struct View {
    /// Until when our own heartbeat surely counts, by our clock. After that our leases may be another's.
    valid_until: Instant,
    /// When the look began that this view rests on.
    seen_at: Option<Instant>,
    /// Whether every living node reads packs.
    packs: bool,
    shards: Vec<Shard>,
}

#[derive(Clone, Default)]
struct Shard {
    /// The epoch of our lease, if it is ours.
    ours: Option<i64>,
    /// It is ours, but being given to another.
    parting: bool,
    /// The other node that has it.
    address: Option<Arc<str>>,
}

impl Ownership {
    pub(super) fn new(node: Uuid) -> Ownership {
        let shards = vec![Shard::default(); usize::from(SHARDS)];
        Ownership { node, view: Arc::new(RwLock::new(View { valid_until: Instant::now(), seen_at: None, packs: false, shards })) }
    }

    /// The node's name in the lease table.
    pub(super) fn owner(&self) -> Uuid {
        self.node
    }

    /// The epoch of our lease on a shard, if it is ours.
    pub(super) fn epoch(&self, shard: u16) -> Option<i64> {
        let view = self.view();
        let Shard { ours, parting, .. } = view.shards[usize::from(shard)];
        ours.filter(|_| !parting && Instant::now() < view.valid_until)
    }

    /// Who has a shard.
    pub(super) fn of(&self, shard: u16) -> Owner {
        if self.epoch(shard).is_some() {
            return Owner::Here;
        }
        match &self.view().shards[usize::from(shard)].address {
            Some(address) => Owner::There(address.clone()),
            None => Owner::Unknown,
        }
    }

    /// Whether outcomes may be packed: whoever may own a shard next finds them.
    pub(super) fn packs(&self) -> bool {
        self.view().packs
    }

    /// Any lease of ours, those that we part with included.
    pub(super) fn any_lease(&self) -> Option<Epoch> {
        let view = self.view();
        let mut leases = (0..SHARDS).zip(&view.shards);
        leases.find_map(|(shard, known)| known.ours.map(|epoch| Epoch { shard, epoch }))
    }

    /// How many shards are ours.
    pub(super) fn count(&self) -> usize {
        self.owned().len()
    }

    /// How many shards are at other living nodes.
    pub(super) fn elsewhere(&self) -> usize {
        self.view().shards.iter().filter(|shard| shard.address.is_some()).count()
    }

    /// The shards that are ours.
    pub(super) fn owned(&self) -> Vec<i16> {
        (0..SHARDS).filter(|&shard| self.epoch(shard).is_some()).map(|shard| shard as i16).collect()
    }

    /// Notes leases that are ours. Epochs only rise: a slower answer never hides a newer one.
    pub(super) fn add(&self, leases: &[Epoch]) {
        let mut view = self.change();
        for lease in leases {
            let shard = &mut view.shards[usize::from(lease.shard)];
            shard.ours = shard.ours.max(Some(lease.epoch));
            shard.address = None;
        }
    }

    /// Notes all leases that are ours, as of a moment at which nobody else could change that: the others were taken over.
    pub(super) fn replace(&self, leases: &[Epoch]) {
        for (shard, known) in self.change().shards.iter_mut().enumerate() {
            known.ours = known.ours.filter(|_| leases.iter().any(|lease| usize::from(lease.shard) == shard));
        }
        self.add(leases);
    }

    /// Notes that our heart beat: `asked_at` is before it was sent.
    pub(super) fn alive_since(&self, asked_at: Instant) {
        self.change().valid_until = asked_at + NODE_TTL;
    }

    /// A lease of ours turned out to be another's, and it can't be looked up which: none counts until our heart beats again.
    pub(super) fn doubt(&self) {
        self.change().valid_until = Instant::now();
    }

    /// Whether a look that began after this moment is in the view already.
    pub(super) fn seen_since(&self, moment: Instant) -> bool {
        self.view().seen_at.is_some_and(|seen_at| seen_at >= moment)
    }

    /// Takes in what the tables say; `asked_at` is before they were asked.
    pub(super) fn see(&self, asked_at: Instant, nodes: &[Node], leases: &[Lease]) {
        let mut view = self.change();
        view.seen_at = Some(asked_at);
        view.packs = nodes.iter().all(|node| node.reads_packs);
        let mut lost = 0;
        for lease in leases {
            let shard = &mut view.shards[usize::from(lease.at.shard)];
            let mine = lease.owner == Some(self.node);
            lost += usize::from(shard.ours.is_some() && !mine && !shard.parting);
            shard.ours = if mine { shard.ours.max(Some(lease.at.epoch)) } else { None };
            let owner = nodes.iter().find(|node| !mine && lease.owner == Some(node.id));
            shard.address = owner
                .map(|node| shard.address.take().filter(|known| **known == *node.address).unwrap_or_else(|| node.address.as_str().into()));
        }
        if lost > 0 {
            tracing::warn!(shards = lost, "leases were taken over");
        }
    }

    /// What this node has too much of, by the nodes that have too little.
    pub(super) fn surplus(&self, nodes: &[Node], leases: &[Lease]) -> Vec<Move> {
        spread::surplus(self.node, nodes, leases)
    }

    /// Stops deciding for shards that are about to be given away; or ends that, when it is known whose they are.
    pub(super) fn part_with(&self, shards: &[u16], parting: bool) {
        let mut view = self.change();
        shards.iter().for_each(|&shard| view.shards[usize::from(shard)].parting = parting);
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}
