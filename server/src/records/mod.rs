//! The record store in this server: where it keeps its records, and who may come in. An API key's name and secret are Basic credentials
//! that may do everything in their tenant; a token that the key signed may do what its claim `scope` names. What happens in classes is
//! recorded by the [`Outbox`].

mod cursors;
mod outbox;

pub use cursors::Cursors;
pub use outbox::Outbox;

use crate::config::Config;
use crate::store::ERASED;
use crate::token::Keyring;
use axum::http::header;
use axum::response::IntoResponse;
use lyceum_lrs::{Access, Authenticator, Credentials, Database, Scopes, Store, StoreError};
use lyceum_profile::{SERVER_ACCOUNT, Settings, Texts};
use lyceum_xapi::Json;
use std::sync::{Arc, LazyLock};

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
    let home_page = home_page(config);
    let served = lyceum_lrs::Config {
        base_path: BASE_PATH.to_owned(),
        max_body_bytes: config.lrs.max_body_bytes,
        max_page: config.lrs.max_page_statements,
        ..lyceum_lrs::Config::default()
    };
    lyceum_lrs::router(store, Arc::new(Keys { keyring, home_page }), served)
}

/// Where accounts and activities are.
fn home_page(config: &Config) -> String {
    match config.http.public_url.trim_end_matches('/') {
        "" => "http://localhost".to_owned(),
        url => url.to_owned(),
    }
}

/// Who vouches for what is recorded of classes: this server.
fn authority(config: &Config) -> Json {
    Access::account(&home_page(config), SERVER_ACCOUNT)
}

/// How logs become statements with this configuration.
pub fn projection_settings(config: &Config, tenant_key: [u8; 32]) -> Settings {
    let lrs = &config.lrs;
    Settings {
        home_page: home_page(config),
        tenant_key,
        texts: Texts { chat: lrs.record_messages, polls: lrs.record_questions, answers: lrs.record_answers },
        erased: ERASED.to_owned(),
        attended_percent: u8::try_from(lrs.attended_percent).ok().filter(|percent| *percent > 0),
    }
}

/// The xAPI Profile that the statements follow, for everybody.
pub async fn profile() -> impl IntoResponse {
    static PROFILE: LazyLock<String> = LazyLock::new(lyceum_profile::document);
    ([(header::CONTENT_TYPE, "application/ld+json")], PROFILE.as_str())
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
