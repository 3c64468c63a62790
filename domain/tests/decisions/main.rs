//! Given what happened, when something is asked, then this happens: every command of every aggregate, refusals included.

mod account;
mod best;
mod bookings;
mod common;
mod friends;
mod hall;
mod holds;
mod line;
mod line_random;
mod lobby;
mod model;
mod party;
mod payments;
mod random;
mod sale;
mod shares;
mod show;
mod snapshots;
mod wallet;
mod world;
