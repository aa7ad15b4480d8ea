//! ICE-TCP: clients whose network lets no UDP through connect to one port, and every datagram travels behind its length in two
//! bytes (RFC 4571). A connection must begin with an ICE check, soon; whether it is for a peer of ours, its shard decides.

use lyceum_sfu::{PeerId, is_stun, peer_of_stun};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The longest frame taken: no datagram of WebRTC is larger.
pub const FRAME_MAX_BYTES: usize = 2_048;
/// How soon a connection must send its first check.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(5);
/// ICE keeps sending checks; a connection without any is dead.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Frames that may wait for a slow connection; further ones are dropped as on any congested link.
const WAITING_FRAMES_MAX: usize = 512;
/// Connections at a time.
const CONNECTIONS_MAX: usize = 4_096;

/// Where frames of one connection go, with the peer that its first check names, if the name can be read without the shard's help.
pub type Deliver = Arc<dyn Fn(Option<PeerId>, SocketAddr, Vec<u8>) -> bool + Send + Sync>;

/// The open connections, by the client's address.
#[derive(Clone, Default)]
pub struct Connections(Arc<Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>>);

impl Connections {
    /// Sends one datagram. False if the connection is gone or too slow; the datagram is dropped.
    pub fn send(&self, to: SocketAddr, datagram: Vec<u8>) -> bool {
        let sender = self.lock().get(&to).cloned();
        sender.is_some_and(|sender| sender.try_send(datagram).is_ok())
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until dropped. `deliver` returns false if the peer does not exist.
pub async fn serve(listener: TcpListener, connections: Connections, deliver: Deliver) {
    loop {
        match listener.accept().await {
            Ok((stream, source)) => {
                if connections.len() >= CONNECTIONS_MAX {
                    tracing::warn!(%source, "ICE-TCP connection refused: {CONNECTIONS_MAX} are open");
                    continue;
                }
                let (connections, deliver) = (connections.clone(), deliver.clone());
                tokio::spawn(async move {
                    if let Err(error) = carry(stream, source, &connections, &deliver).await {
                        tracing::debug!(%source, %error, "ICE-TCP connection ended");
                    }
                    connections.lock().remove(&source);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: wait for some to be freed.
                tracing::warn!(%error, "ICE-TCP accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn carry(stream: TcpStream, source: SocketAddr, connections: &Connections, deliver: &Deliver) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let source_canonical = SocketAddr::new(source.ip().to_canonical(), source.port());
    let (mut reader, mut writer) = stream.into_split();
    let first = timeout(FIRST_FRAME_WITHIN, read_frame(&mut reader)).await??;
    if !is_stun(&first) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the first frame is no ICE check"));
    }
    let peer = peer_of_stun(&first);
    let (sender, mut waiting) = mpsc::channel::<Vec<u8>>(WAITING_FRAMES_MAX);
    connections.lock().insert(source_canonical, sender);
    let write = async {
        while let Some(datagram) = waiting.recv().await {
            let Ok(length) = u16::try_from(datagram.len()) else { continue };
            let mut frame = Vec::with_capacity(2 + datagram.len());
            frame.extend(length.to_be_bytes());
            frame.extend(datagram);
            writer.write_all(&frame).await?;
        }
        Ok(())
    };
    let read = async {
        let mut frame = first;
        loop {
            if !deliver(peer, source_canonical, frame) {
                return Err(io::Error::new(io::ErrorKind::NotConnected, "the peer is gone"));
            }
            frame = timeout(IDLE_MAX, read_frame(&mut reader)).await??;
        }
    };
    let ended = tokio::select! { ended = read => ended, ended = write => ended };
    connections.lock().remove(&source_canonical);
    ended
}

/// Reads one frame (RFC 4571).
///
/// # Errors
/// The connection's errors, and `InvalidData` for a frame longer than [`FRAME_MAX_BYTES`].
pub async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = usize::from(reader.read_u16().await?);
    if length > FRAME_MAX_BYTES {
        let problem = format!("a frame of {length} bytes; at most {FRAME_MAX_BYTES} are taken");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    let mut frame = vec![0; length];
    reader.read_exact(&mut frame).await?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_one_by_one_and_giants_refused() {
        let mut bytes: &[u8] = &[0, 2, 7, 8, 0, 0, 0, 1, 9, 0xff, 0xff, 1];
        assert_eq!(read_frame(&mut bytes).await.expect("a frame"), vec![7, 8]);
        assert_eq!(read_frame(&mut bytes).await.expect("an empty frame"), Vec::<u8>::new());
        assert_eq!(read_frame(&mut bytes).await.expect("a frame"), vec![9]);
        let error = read_frame(&mut bytes).await.expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[tokio::test]
    async fn a_stranger_is_not_listened_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let address = listener.local_addr().expect("its address");
        let connections = Connections::default();
        let deliver: Deliver = Arc::new(|_, _, _| panic!("nothing to deliver"));
        let server = tokio::spawn(serve(listener, connections.clone(), deliver));
        let mut stranger = TcpStream::connect(address).await.expect("connected");
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
        let mut rest = Vec::new();
        let _ = stranger.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "the connection is closed without a word");
        assert!(connections.is_empty());
        server.abort();
    }
}
