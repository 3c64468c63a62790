//! How shards spread over the nodes: evenly, with as few moves as that takes.

use socketing_domain::unit::SHARDS;
use socketing_event_store::shards::{Lease, Node};
use uuid::Uuid;

/// Shards that go to another node.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Move {
    pub(super) to: Uuid,
    pub(super) shards: Vec<u16>,
}

/// The most shards that a node should have: an even share, rounded up. A node that leaves should have none, unless nobody
/// stays.
fn share(node: &Node, nodes: &[Node]) -> usize {
    let staying = nodes.iter().filter(|node| !node.leaving).count();
    match staying {
        0 => usize::from(SHARDS),
        _ if node.leaving => 0,
        staying => usize::from(SHARDS).div_ceil(staying),
    }
}

fn owned(node: Uuid, leases: &[Lease]) -> impl Iterator<Item = u16> {
    leases.iter().filter(move |lease| lease.owner == Some(node)).map(|lease| lease.at.shard)
}

/// How many more shards a node may have.
fn room(node: &Node, nodes: &[Node], leases: &[Lease]) -> usize {
    share(node, nodes).saturating_sub(owned(node.id, leases).count())
}

/// How many shards that nobody living has this node should take.
pub(super) fn wanted(me: Uuid, nodes: &[Node], leases: &[Lease]) -> usize {
    let lives = |owner: Option<Uuid>| nodes.iter().any(|node| owner == Some(node.id));
    let free = leases.iter().filter(|lease| !lives(lease.owner)).count();
    nodes.iter().find(|node| node.id == me).map_or(0, |node| room(node, nodes, leases)).min(free)
}

/// What this node has too much of, for the nodes that have too little.
pub(super) fn surplus(me: Uuid, nodes: &[Node], leases: &[Lease]) -> Vec<Move> {
    let Some(mine) = nodes.iter().find(|node| node.id == me) else { return Vec::new() };
    let mut surplus = owned(me, leases).skip(share(mine, nodes));
    let others = nodes.iter().filter(|node| node.id != me);
    let moves = others.map(|node| Move { to: node.id, shards: surplus.by_ref().take(room(node, nodes, leases)).collect() });
    moves.filter(|given| !given.shards.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use socketing_event_store::shards::Epoch;

    fn node(nth: u128, leaving: bool) -> Node {
        Node { id: Uuid::from_u128(nth), address: String::new(), leaving, reads_packs: true }
    }

    /// Leases by their owners' numbers; 0 is nobody.
    fn leases(owner: impl Fn(u16) -> u128) -> Vec<Lease> {
        let lease = |shard| Lease { at: Epoch { shard, epoch: 1 }, owner: Some(owner(shard)).filter(|&nth| nth > 0).map(Uuid::from_u128) };
        (0..SHARDS).map(lease).collect()
    }

    fn count(node: u128, leases: &[Lease]) -> usize {
        owned(Uuid::from_u128(node), leases).count()
    }

    /// Lets every node look and act in turn, until nothing changes.
    fn settle(nodes: &[Node], mut leases: Vec<Lease>) -> Vec<Lease> {
        for _round in 0..4 {
            for node in nodes {
                let wanted = wanted(node.id, nodes, &leases);
                let free = leases.iter_mut().filter(|lease| !nodes.iter().any(|node| lease.owner == Some(node.id)));
                free.take(wanted).for_each(|lease| lease.owner = Some(node.id));
                for given in surplus(node.id, nodes, &leases) {
                    given.shards.iter().for_each(|&shard| leases[usize::from(shard)].owner = Some(given.to));
                }
            }
        }
        leases
    }

    #[test]
    fn the_first_takes_all_and_those_who_join_get_their_share() {
        let alone = settle(&[node(1, false)], leases(|_| 0));
        assert_eq!(count(1, &alone), 128);
        let two = settle(&[node(1, false), node(2, false)], alone);
        assert_eq!((count(1, &two), count(2, &two)), (64, 64));
        let three = settle(&[node(1, false), node(2, false), node(3, false)], two);
        assert_eq!((count(1, &three), count(2, &three), count(3, &three)), (43, 43, 42));
    }

    #[test]
    fn nothing_moves_once_it_is_even() {
        let nodes = [node(1, false), node(2, false), node(3, false)];
        let even = settle(&nodes, leases(|_| 0));
        assert_eq!(settle(&nodes, even.clone()), even);
    }

    #[test]
    fn the_dead_are_replaced_by_those_who_live() {
        let nodes = [node(1, false), node(2, false)];
        let after = settle(&nodes, leases(|shard| u128::from(shard % 3) + 1));
        assert_eq!((count(1, &after), count(2, &after), count(3, &after)), (64, 64, 0));
    }

    #[test]
    fn who_leaves_gives_all_to_those_who_stay_and_keeps_all_if_nobody_does() {
        let nodes = [node(1, true), node(2, false), node(3, false)];
        let after = settle(&nodes, leases(|shard| u128::from(shard % 3) + 1));
        assert_eq!((count(1, &after), count(2, &after), count(3, &after)), (0, 64, 64));
        let alone = [node(1, true)];
        assert_eq!(count(1, &settle(&alone, leases(|_| 1))), 128);
    }

    #[test]
    fn who_is_not_alive_gives_and_takes_nothing() {
        let nodes = [node(2, false)];
        let leases = leases(|_| 1);
        assert_eq!(wanted(Uuid::from_u128(1), &nodes, &leases), 0);
        assert!(surplus(Uuid::from_u128(1), &nodes, &leases).is_empty());
        assert_eq!(wanted(Uuid::from_u128(2), &nodes, &leases), 128);
    }
}
