//! TLS from files. New connections use the newest certificate that could be read; open ones keep theirs. A file that is broken
//! while it is being replaced changes nothing.

use crate::config::Tls;
use crate::metrics::Metrics;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ServerConfig, version};

/// The certificate in use; shared by all listeners.
#[derive(Debug)]
pub struct Certificate {
    settings: Tls,
    loaded: RwLock<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    files: Files,
    key: Arc<CertifiedKey>,
}

/// The bytes of both files, to see a change whatever the clock of the file system says.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// Reads both files; the error says which is wrong and how.
    pub fn load(settings: &Tls) -> Result<Arc<Self>, String> {
        let files = read(settings)?;
        let key = parse(settings, &files)?;
        Ok(Arc::new(Self { settings: settings.clone(), loaded: RwLock::new(Loaded { files, key }) }))
    }

    /// The TLS side of a listener.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Looks at the files for ever, and takes what is new and good.
    pub async fn keep_fresh(self: Arc<Self>, metrics: Arc<Metrics>) {
        let mut tick = tokio::time::interval(Duration::from_millis(self.settings.reload_check_ms));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut complained_of = None;
        loop {
            tick.tick().await;
            match self.reload() {
                Ok(false) => complained_of = None,
                Ok(true) => {
                    complained_of = None;
                    metrics.tls_reloads.add(1);
                    tracing::info!("the TLS certificate was read again");
                }
                // Once per kind of failure: a broken file stays broken for many looks.
                Err(error) if complained_of.as_ref() != Some(&error) => {
                    metrics.tls_reload_failures.add(1);
                    tracing::error!(%error, "the TLS files changed but cannot be used; the old certificate stays in use");
                    complained_of = Some(error);
                }
                Err(_) => {}
            }
        }
    }

    fn reload(&self) -> Result<bool, String> {
        let files = read(&self.settings)?;
        if self.loaded.read().unwrap_or_else(PoisonError::into_inner).files == files {
            return Ok(false);
        }
        let key = parse(&self.settings, &files)?;
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Loaded { files, key };
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.loaded.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

fn read(settings: &Tls) -> Result<Files, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(Files { cert: read(&settings.cert_file)?, key: read(&settings.key_file)? })
}

fn parse(settings: &Tls, files: &Files) -> Result<Arc<CertifiedKey>, String> {
    let (cert_file, key_file) = (settings.cert_file.display(), settings.key_file.display());
    let chain = CertificateDer::pem_slice_iter(&files.cert)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{cert_file} is no PEM certificate chain: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{cert_file} holds no certificate in PEM"));
    }
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|error| format!("{key_file} holds no private key in PEM: {error}"))?;
    let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
        .map_err(|error| format!("the certificate of {cert_file} and the key of {key_file} cannot be used: {error}"))?;
    Ok(Arc::new(certified))
}
