//! `lyceum serve`: runs the server until it is told to stop, and says at the start what a person needs to know.

use super::room::percent_encode;
use super::{ConfigFlags, complain, fail};
use crate::api::{NewRoom, create_room};
use crate::config::{Config, DEV_KEY, load};
use crate::control::now;
use crate::http::assets;
use crate::server::Server;
use crate::token::Claims;
use clap::Args;
use lyceum_session::TenantId;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// The room that `--dev` opens.
const DEMO_ROOM: &str = "demo";

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    config: ConfigFlags,
    /// Listen here; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    bind: Vec<String>,
    /// Keep the log of every class in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Tell clients to send media to this address; may be repeated
    #[arg(long, value_name = "IP")]
    advertise: Vec<String>,
    /// UDP port of the first media thread
    #[arg(long, value_name = "PORT")]
    udp_port: Option<String>,
    /// pretty, json or auto
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Let --dev listen where others can reach it, although everybody knows its secret
    #[arg(long)]
    allow_dev_keys_anywhere: bool,
}

impl Serve {
    /// The short flags as settings.
    fn settings(&self) -> Vec<(String, String)> {
        let list = |items: &[String]| Some(items.join(",")).filter(|joined| !joined.is_empty());
        let flags = [
            ("http.bind", list(&self.bind)),
            ("store.dir", self.data.clone()),
            ("media.advertise", list(&self.advertise)),
            ("media.udp_port", self.udp_port.clone()),
            ("log.format", self.log_format.clone()),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }
}

pub fn run(serve: Serve) -> ExitCode {
    let sources = serve.config.sources(serve.settings()).map(|mut sources| {
        sources.dev_keys_anywhere = serve.allow_dev_keys_anywhere;
        sources
    });
    let config = match sources.and_then(|sources| load(&sources)) {
        Ok(config) => config,
        Err(problems) => return complain(&problems),
    };
    if let Err(message) = crate::log::start(&config.log) {
        return fail(message);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().thread_name("control").enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("no threads could be started: {error}")),
    };
    runtime.block_on(serve_until_told(config))
}

async fn serve_until_told(config: Config) -> ExitCode {
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return fail(format!("signals cannot be received: {error}")),
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(error),
    };
    announce(&server).await;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("told to terminate"),
        _ = interrupt.recv() => tracing::info!("interrupted"),
    }
    tracing::info!("shutting down: classes go on at the next start");
    tokio::select! {
        () = server.shut_down() => tracing::info!("everything is stored"),
        _ = interrupt.recv() => tracing::warn!("interrupted again; what was told to anybody is stored all the same"),
    }
    ExitCode::SUCCESS
}

async fn announce(server: &Server) {
    let config = &server.app.config;
    let addresses: Vec<String> = server.addresses.iter().map(ToString::to_string).collect();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), http = addresses.join(", "), data = %config.store.dir.display(), "ready");
    let plain = config.tls.cert_file.as_os_str().is_empty();
    if plain && server.addresses.iter().any(|address| !address.ip().is_loopback()) {
        tracing::warn!(
            "plain HTTP: browsers give out cameras and microphones only on https:// pages and on localhost, so people at other \
             machines could only listen and watch. Set tls.cert_file and tls.key_file, or put a reverse proxy with a \
             certificate in front"
        );
    }
    if !assets::is_built() {
        tracing::warn!("this binary has no web app; build it by `make run`, or `npm ci && npm run build` in web/");
    }
    if config.dev {
        open_demo(server).await;
    }
}

/// For the page that shows learning records: reads them for a day.
fn records_token(server: &Server) -> Option<String> {
    let now_s = now().0 / 1000;
    let claims = Claims {
        iss: DEV_KEY.to_owned(),
        nbf: now_s,
        exp: now_s + 24 * 3600,
        scope: "statements/read".to_owned(),
        ..Claims::default()
    };
    server.app.keyring.sign(&claims).ok()
}

/// Opens the demo room and prints its links: not into the log, for an invite is a kind of secret.
async fn open_demo(server: &Server) {
    let tenant = server.app.keyring.key(DEV_KEY).map(|key| TenantId(key.tenant.clone()));
    let Some(tenant) = tenant else { return };
    let wanted = NewRoom { name: DEMO_ROOM.to_owned(), ..NewRoom::default() };
    match create_room(&server.app, &tenant, DEV_KEY, wanted).await {
        Ok(room) => {
            let place = format!("{}/c/{}", server.page_url(), percent_encode(&room.name));
            println!();
            println!("  Lyceum is running. Open the demo class:");
            println!();
            println!("    as teacher  {place}#{}", room.invites.instructor);
            println!();
            println!("    as learner  {place}#{}", room.invites.learner);
            println!();
            if let Some(token) = records_token(server) {
                println!("    learning records  {}/records#{token}", server.page_url());
                println!();
            }
            println!(
                "  LiveKit clients: {}, API key devkey, secret secret",
                server.page_url().replacen("http", "ws", 1)
            );
            println!();
        }
        Err(error) => tracing::error!(code = error.code, message = error.message, "the demo room could not be opened"),
    }
}
