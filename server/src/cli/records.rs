//! `lyceum records`: what the log of a class becomes, made anew from the data directory. It writes nothing that a server would not,
//! and can be run beside one.

use super::{ConfigFlags, complain, fail};
use crate::config::{Config, load};
use crate::records::{Cursors, projection_settings};
use crate::store::{LogReader, StoreError};
use clap::Subcommand;
use lyceum_profile::Projector;
use lyceum_session::{SessionId, TenantId};
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

/// Events that are read at a time.
const EVENTS: usize = 500;

#[derive(Subcommand)]
pub enum Records {
    /// Print the statements of a class, one JSON object a line, as the record store got them
    Project {
        /// Which session, such as RM_aB3
        #[arg(long)]
        session: String,
        /// Whose (otherwise those of the configured API keys are tried)
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        flags: ConfigFlags,
    },
    /// Print the xAPI Profile that the statements follow
    Profile,
}

pub fn run(records: Records) -> ExitCode {
    match records {
        Records::Profile => {
            println!("{}", lyceum_profile::document());
            ExitCode::SUCCESS
        }
        Records::Project { session, tenant, flags } => {
            let config = match flags.sources(Vec::new()).and_then(|sources| load(&sources)) {
                Ok(config) => config,
                Err(problems) => return complain(&problems),
            };
            match project(&config, &session.into(), tenant.map(TenantId)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(error),
            }
        }
    }
}

/// Why a log is not printed.
#[derive(Debug, thiserror::Error)]
enum ProjectError {
    #[error("{0}; store.dir of the configuration says where the logs are, and a server must have run there")]
    Store(#[from] StoreError),
    #[error("there is no session {0} here; `lyceum room sessions` lists them")]
    NoSession(SessionId),
    #[error("{0}")]
    Log(#[from] lyceum_profile::OutOfOrder),
    #[error("the statements cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

fn project(config: &Config, session: &SessionId, tenant: Option<TenantId>) -> Result<(), ProjectError> {
    let logs = LogReader::open(&config.store.dir)?;
    let tenants: BTreeSet<TenantId> = match tenant {
        Some(tenant) => [tenant].into(),
        None => config.keys.values().map(|key| TenantId(key.tenant.clone())).collect(),
    };
    for tenant in &tenants {
        let mut projector = None;
        let mut out = BufWriter::new(std::io::stdout().lock());
        loop {
            let from = projector.as_ref().map_or_else(Default::default, Projector::seq).next();
            let events = logs.read(tenant, session, from, EVENTS)?;
            if events.is_empty() {
                break;
            }
            if projector.is_none() {
                let key = Cursors::open(&config.store.dir)?.tenant_key(tenant)?;
                projector = Some(Projector::new(projection_settings(config, key)));
            }
            for event in &events {
                let statements = projector.as_mut().map(|projector| projector.project(event)).transpose()?;
                for statement in statements.unwrap_or_default() {
                    writeln!(out, "{}", statement.to_text())?;
                }
            }
        }
        if projector.is_some() {
            return Ok(out.flush()?);
        }
    }
    Err(ProjectError::NoSession(session.clone()))
}
