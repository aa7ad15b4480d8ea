//! The media side of a person who only listens: the subscriber peer, over real UDP.

use crate::harness::{PATIENCE, Person};
use livekit_protocol::SessionDescription;
use livekit_protocol::signal_request::Message as Ask;
use livekit_protocol::signal_response::Message as Say;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

/// A connected subscriber peer.
pub struct Ears {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
}

impl Ears {
    /// Answers the server's first offer and connects: ICE and DTLS.
    pub async fn open(person: &mut Person) -> Ears {
        let offer = person.hears(|say| if let Say::Offer(offer) = say { Some(offer) } else { None }).await;
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = RtcConfig::new().set_crypto_provider(crypto).build(Instant::now());
        rtc.add_local_candidate(Candidate::builder().udp().host(address).build().unwrap());
        let offered = SdpOffer::from_sdp_string(&offer.sdp).unwrap();
        let sdp = rtc.sdp_api().accept_offer(offered).unwrap().to_sdp_string();
        let answer = SessionDescription { r#type: "answer".to_owned(), sdp, id: offer.id, ..Default::default() };
        person.says(Ask::Answer(answer)).await;

        let mut ears = Ears { rtc, socket, address };
        let connected = async {
            while !ears.rtc.is_connected() {
                ears.turn().await;
            }
        };
        tokio::time::timeout(PATIENCE, connected).await.expect("media connects");
        ears
    }

    /// Sends what is due and takes one datagram, if one comes soon.
    async fn turn(&mut self) {
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(_) => break,
                Output::Transmit(transmit) if transmit.proto == Protocol::Udp => {
                    self.socket.send_to(&transmit.contents, transmit.destination).await.unwrap();
                }
                Output::Transmit(_) | Output::Event(_) => {}
            }
        }
        let mut buffer = [0; 2048];
        let received = tokio::time::timeout(Duration::from_millis(10), self.socket.recv_from(&mut buffer)).await;
        if let Ok(Ok((length, source))) = received {
            let contents = buffer[..length].try_into().unwrap();
            let receive = Receive { proto: Protocol::Udp, source, destination: self.address, contents };
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
        }
    }
}
