//! The record store from outside, by requests. Every test runs on SQLite and on PostgreSQL, which the tests start themselves.

#![allow(clippy::unwrap_used)]

mod access;
mod attachments;
mod documents;
mod postgres;
mod queries;
mod requests;
mod statements;
mod world;

/// Defines each test twice: on SQLite, and on PostgreSQL.
macro_rules! on_both {
    ($( $(#[doc = $doc:literal])* async fn $name:ident($world:ident) $body:block )*) => {
        mod on_sqlite {
            $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name(&crate::world::World::on_sqlite().await).await
            } )*
        }
        mod on_postgres {
            $( #[tokio::test(flavor = "multi_thread", worker_threads = 2)] async fn $name() {
                super::$name(&crate::world::World::on_postgres().await).await
            } )*
        }
        $( $(#[doc = $doc])* async fn $name($world: &crate::world::World) $body )*
    };
}
pub(crate) use on_both;
