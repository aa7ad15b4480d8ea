//! The record store in this server: where it keeps its records, and who may come in. An API key's name and secret are Basic credentials
//! that may do everything in their tenant; a token that the key signed may do what its claim `scope` names.

use crate::config::Config;
use crate::token::Keyring;
use lyceum_lrs::{Access, Authenticator, Credentials, Database, Scopes, Store, StoreError};
use std::sync::Arc;

/// Where it is mounted.
pub const BASE_PATH: &str = "/xapi";

/// The file in the data directory, where no other database is configured.
const FILE: &str = "records.sqlite";

/// Opens the record store that is configured.
pub async fn open(config: &Config) -> Result<Store, StoreError> {
    let database = match config.lrs.database_url.as_str() {
        "" => Database::Sqlite(config.store.dir.join(FILE)),
        url => Database::Postgres(url.to_owned()),
    };
    let opened = tokio::task::spawn_blocking(|| Store::open(database)).await;
    opened.map_err(|error| StoreError::Bug(format!("it could not be opened: {error}")))?
}

/// Its resources.
pub fn router(store: Store, keyring: Arc<Keyring>, config: &Config) -> axum::Router {
    let home_page = match config.http.public_url.trim_end_matches('/') {
        "" => "http://localhost".to_owned(),
        url => url.to_owned(),
    };
    let served = lyceum_lrs::Config {
        base_path: BASE_PATH.to_owned(),
        max_body_bytes: config.lrs.max_body_bytes,
        max_page: config.lrs.max_page_statements,
        ..lyceum_lrs::Config::default()
    };
    lyceum_lrs::router(store, Arc::new(Keys { keyring, home_page }), served)
}

struct Keys {
    keyring: Arc<Keyring>,
    /// Where the accounts of authorities are.
    home_page: String,
}

impl Authenticator for Keys {
    fn authenticate(&self, credentials: Credentials<'_>) -> Option<Access> {
        match credentials {
            Credentials::Basic { user, password } => {
                let key = self.keyring.key(user)?;
                // In constant time, so that nobody can guess the secret letter by letter.
                let right =
                    aws_lc_rs::constant_time::verify_slices_are_equal(key.secret.as_bytes(), password.as_bytes());
                right.ok()?;
                let authority = Access::account(&self.home_page, user);
                Some(Access { tenant: key.tenant.clone(), authority, scopes: Scopes::ALL })
            }
            Credentials::Bearer(token) => {
                let verified = self.keyring.verify(token).ok()?;
                let application = Access::account(&self.home_page, &verified.key);
                let authority = match verified.claims.identity() {
                    "" => application,
                    person => Access::on_behalf(application, Access::account(&self.home_page, person)),
                };
                let scopes = Scopes::parse(&verified.claims.scope);
                Some(Access { tenant: verified.tenant.0, authority, scopes })
            }
        }
    }
}
