//! The built program, run as people run it, against databases, NATS servers and processes of each test's own.

mod apart;
mod cards;
mod chaos;
mod copies;
mod crash;
mod crowd;
mod nodes;
mod openapi;
mod presence;
mod rush;
mod support;
mod tools;
mod usage;
