//! The parts and the whole on real servers. One program, so that everything is linked once.

mod cards;
mod draw;
mod executor;
mod executor_load;
mod feed;
mod http_accounts;
mod http_cards;
mod http_commands;
mod http_journey;
mod http_parties;
mod http_plans;
mod http_seats;
mod live_connections;
mod live_people;
mod live_rooms;
mod live_seats;
mod log;
mod pool;
mod processes;
mod projections_queries;
mod projections_rows;
mod projections_runner;
mod recovery;
mod relay;
mod retention;
mod shards;
