//! A Learning Record Store: the Experience API 2.0 (IEEE 9274.1.1) and 1.0.3 over HTTP, with records on SQLite or PostgreSQL. It gives a
//! [`Store`] and an axum [`axum::Router`]; who may come in is for the embedder to say, by an [`Authenticator`].

mod auth;
mod db;
mod http;
mod store;

pub use auth::{Access, Authenticator, Credentials, Scopes};
pub use db::Database;
pub use http::{Config, router};
pub use store::{Store, StoreError, StoreStats};
