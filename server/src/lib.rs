//! The live-class server: the IO shell around the pure cores. It owns sockets, threads, disk, clock, configuration and the
//! command line, and decides nothing about a class.

pub mod config;
pub mod http;
pub mod media;
pub mod net;
pub mod store;
pub mod token;
