//! Who the fans are and what each will do, all decided by the seed before anything begins.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// Friends that a leader brings along, at most: a party of four is what the limit of seats per person allows for one.
const FRIENDS_MAX: usize = 3;

/// One in so many takes the best seats there are.
const BEST_ONE_IN: u64 = 4;

/// Shares of the crowd, in percent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// Come in parties.
    pub(crate) parties: u8,
    /// Let a hold or a booking lapse.
    pub(crate) lapses: u8,
    /// Cancel what they paid.
    pub(crate) cancels: u8,
    /// Send commands twice, under the same key.
    pub(crate) retries: u8,
    /// Lose their live connection on the way.
    pub(crate) reconnects: u8,
}

/// Who a fan comes with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Company {
    /// Nobody.
    Alone,
    /// These fans, whom this one invites.
    Leads(Vec<usize>),
    /// The fan who invites this one.
    Follows(usize),
}

/// How far a fan means to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aim {
    /// Pays and keeps the tickets.
    Pay,
    /// Pays, thinks again, cancels.
    PayThenCancel,
    /// Holds seats and forgets them.
    ForgetHold,
    /// Books seats and forgets to pay.
    ForgetPayment,
}

/// One fan's part.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Which fan, from 0.
    pub(crate) index: usize,
    /// Who comes along.
    pub(crate) company: Company,
    /// Seats wanted.
    pub(crate) seats: usize,
    /// How far it goes.
    pub(crate) aim: Aim,
    /// Sends commands twice.
    pub(crate) retries: bool,
    /// Loses the live connection while choosing.
    pub(crate) reconnects: bool,
    /// Comes into the lobby before the opening.
    pub(crate) early: bool,
    /// Asks for one seat more than it may have, to be told so.
    pub(crate) overreaches: bool,
    /// Takes the best seats that the system has, instead of choosing on the map.
    pub(crate) takes_best: bool,
    /// Asks for the hold's time to be extended.
    pub(crate) extends: bool,
    /// Comes in a party that pays by shares.
    pub(crate) shares: bool,
    /// Seeds the choices that depend on what it sees.
    pub(crate) seed: u64,
}

impl Script {
    /// The fan's own dice.
    pub(crate) fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}

/// The parts of so many fans. The same seed gives the same parts.
pub(crate) fn write(fans: usize, seed: u64, shares: Shares) -> Vec<Script> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut scripts: Vec<Script> = (0..fans).map(|index| solo(index, shares, &mut dice)).collect();
    let mut in_parties: Vec<usize> = (0..fans).collect();
    in_parties.shuffle(&mut dice);
    in_parties.truncate(fans * usize::from(shares.parties) / 100);
    let mut rest = in_parties.as_slice();
    while rest.len() >= 2 {
        let size = dice.random_range(2..=1 + FRIENDS_MAX).min(rest.len());
        let (party, others) = rest.split_at(size);
        gather(&mut scripts, party);
        rest = others;
    }
    scripts
}

fn solo(index: usize, shares: Shares, dice: &mut StdRng) -> Script {
    let mut script = Script {
        index,
        company: Company::Alone,
        seats: [1, 1, 1, 2, 2, 2, 2, 3, 4][dice.random_range(0..9)],
        aim: aim(shares, dice),
        retries: percent(shares.retries, dice),
        reconnects: percent(shares.reconnects, dice),
        early: percent(60, dice),
        overreaches: percent(2, dice),
        extends: percent(5, dice),
        takes_best: false,
        shares: false,
        seed: dice.random(),
    };
    script.takes_best = script.seed % BEST_ONE_IN == 1;
    script
}

fn aim(shares: Shares, dice: &mut StdRng) -> Aim {
    if percent(shares.lapses, dice) {
        return if dice.random() { Aim::ForgetHold } else { Aim::ForgetPayment };
    }
    if percent(shares.cancels, dice) { Aim::PayThenCancel } else { Aim::Pay }
}

fn percent(share: u8, dice: &mut StdRng) -> bool {
    dice.random_range(0..100) < share
}

/// The first of them leads; a seat for each. Every other party pays by shares.
fn gather(scripts: &mut [Script], party: &[usize]) {
    let (leader, friends) = (party[0], &party[1..]);
    let shares = scripts[leader].seed.is_multiple_of(2);
    for &friend in friends {
        scripts[friend].company = Company::Follows(leader);
    }
    party.iter().for_each(|&member| scripts[member].shares = shares);
    scripts[leader].company = Company::Leads(friends.to_vec());
    scripts[leader].seats = party.len();
    scripts[leader].overreaches = false;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares { parties: 25, lapses: 6, cancels: 10, retries: 10, reconnects: 10 };

    #[test]
    fn the_same_seed_gives_the_same_parts() {
        let told = |seed| format!("{:?}", write(300, seed, SHARES));
        assert_eq!(told(42), told(42));
        assert_ne!(told(42), told(43));
    }

    #[test]
    fn everyone_in_a_party_has_one_leader_and_a_seat() {
        let scripts = write(1000, 7, SHARES);
        let followers = scripts.iter().filter(|script| matches!(script.company, Company::Follows(_))).count();
        let mut led = 0;
        for script in &scripts {
            if let Company::Leads(friends) = &script.company {
                assert_eq!(script.seats, friends.len() + 1);
                assert!(friends.iter().all(|&friend| scripts[friend].company == Company::Follows(script.index)));
                led += friends.len();
            }
        }
        assert_eq!(led, followers);
        assert!(followers > 100, "a quarter of 1,000 fans comes in parties, most of them as friends");
    }

    #[test]
    fn the_crowd_has_all_kinds_of_people() {
        let scripts = write(1000, 1, SHARES);
        for aim in [Aim::Pay, Aim::PayThenCancel, Aim::ForgetHold, Aim::ForgetPayment] {
            assert!(scripts.iter().any(|script| script.aim == aim), "{aim:?}");
        }
    }
}
