//! The live-class server: the IO shell around the pure cores. It owns sockets, threads, disk, clock, configuration and the
//! command line, and decides nothing about a class.

pub mod api;
pub mod app;
pub mod classroom;
pub mod cli;
pub mod config;
pub mod control;
pub mod documents;
pub mod files;
pub mod http;
pub mod log;
pub mod media;
pub mod metrics;
pub mod net;
pub mod records;
pub mod rtc;
pub mod server;
pub mod store;
pub mod token;
pub mod twirp;
