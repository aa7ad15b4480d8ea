//! A record store by itself, for conformance tests and benchmarks: `serve ADDRESS DATABASE`, where the database is a path or a
//! `postgresql://` address. It has one key, `tester` with the password `secret`, which may do everything.

use axum::Router;
use lyceum_lrs::{Access, Authenticator, Config, Credentials, Database, Scopes, Store, router};
use std::sync::Arc;

struct OneKey;

impl Authenticator for OneKey {
    fn authenticate(&self, credentials: Credentials<'_>) -> Option<Access> {
        let known = credentials == Credentials::Basic { user: "tester", password: "secret" };
        let authority = Access::account("http://localhost/xapi", "tester");
        known.then(|| Access { tenant: "default".to_owned(), authority, scopes: Scopes::ALL })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(database)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve ADDRESS DATABASE".into());
    };
    let database = match database.starts_with("postgres") {
        true => Database::Postgres(database),
        false => Database::Sqlite(database.into()),
    };
    let store = tokio::task::spawn_blocking(|| Store::open(database)).await??;
    let app = Router::new().nest("/xapi", router(store, Arc::new(OneKey), Config::default()));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
