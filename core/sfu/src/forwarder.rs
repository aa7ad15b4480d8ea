//! Turns the packets of one published track into one continuous RTP stream for one subscriber: sequence numbers without
//! gaps of our own making, timestamps that follow real time, VP8 picture ids that count up, whatever layer, mute or pause
//! lies behind them. It decides per packet; which layer it should aim for is told to it.

use crate::peer::{Format, Rotation};
use std::sync::Arc;
use std::time::Instant;

/// A packet as it came from a publisher, already decrypted and parsed.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Extended sequence number of its layer's stream.
    pub seq: u64,
    /// RTP timestamp in the codec's clock.
    pub ts: u32,
    /// Last packet of a frame (video) or first of a talk spurt (audio).
    pub marker: bool,
    /// Payload without the RTP header.
    pub payload: Arc<[u8]>,
    /// When it arrived.
    pub arrived: Instant,
    /// Sender's clock for `ts` in microseconds, if a sender report has told it.
    pub sender_us: Option<u64>,
    /// Begins a frame that decodes by itself; true for every audio packet.
    pub starts_keyframe: bool,
    /// Fields of the VP8 payload descriptor.
    pub vp8: Option<Vp8>,
    /// What the payload is.
    pub format: Format,
    /// The plain frame inside a RED payload.
    pub primary: Option<Arc<[u8]>>,
    /// How a phone was held (3GPP TS 26.114, coordination of video orientation).
    pub rotation: Option<Rotation>,
}

/// The fields of a VP8 payload descriptor (RFC 7741) that a subscriber must see counting on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Vp8 {
    pub picture_id: Option<u16>,
    /// Whether `picture_id` takes 15 bits on the wire (7 otherwise).
    pub long_picture_id: bool,
    pub tl0: Option<u8>,
    pub key_idx: Option<u8>,
}

/// What a packet becomes for this subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rewritten {
    pub seq: u64,
    pub ts: u32,
    pub vp8: Option<Vp8>,
}

/// What to do with a packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Forward(Rewritten),
    Drop,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Forwarder {
    clock_hz: u32,
    /// The layer that should be sent; `None` while nothing should.
    target: Option<usize>,
    /// The layer that is being sent.
    current: Option<Current>,
    /// Where the outgoing stream stands; survives pauses and switches.
    sent: Option<Sent>,
}

#[derive(Clone, Debug)]
struct Current {
    layer: usize,
    /// Newest incoming sequence number.
    newest: u64,
    /// Parts of the incoming numbering and what is subtracted from each; ascending by `from`.
    maps: Vec<SeqMap>,
    /// Added to incoming timestamps.
    ts_shift: u32,
    picture_shift: u16,
    tl0_shift: u8,
    key_shift: u8,
}

#[derive(Clone, Copy, Debug)]
struct SeqMap {
    from: u64,
    /// `out = in - from + out_from`
    out_from: u64,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    seq: u64,
    ts: u32,
    arrived: Instant,
    sender_us: Option<u64>,
    vp8: Option<Vp8>,
}

/// How many renumberings of one layer are remembered for late packets.
const MAPS_MAX: usize = 32;
/// First outgoing sequence number. Small, so that the receiver's rollover counter is 0 (RFC 3711, 3.3.1), and above zero so that
/// packets that come late at the very start still fit.
const FIRST_SEQ: u64 = 1_000;

impl Forwarder {
    pub(crate) fn new(clock_hz: u32) -> Self {
        Self { clock_hz, target: None, current: None, sent: None }
    }

    /// The layer that is being sent now.
    pub(crate) fn current_layer(&self) -> Option<usize> {
        self.current.as_ref().map(|current| current.layer)
    }

    /// Whether it waits for a key frame of its target.
    pub(crate) fn awaits_keyframe(&self) -> bool {
        self.target.is_some() && self.target != self.current_layer()
    }

    /// The layer to aim for. The switch happens at that layer's next key frame; until then the current layer goes on. `None` pauses at
    /// once. Returns whether a key frame is needed.
    pub(crate) fn aim(&mut self, target: Option<usize>) -> bool {
        self.target = target;
        if target.is_none() {
            self.current = None;
        }
        self.awaits_keyframe()
    }

    /// Decides what `packet`, received on `layer`, becomes.
    pub(crate) fn forward(&mut self, layer: usize, packet: &Packet) -> Verdict {
        if self.target == Some(layer) && self.current_layer() != Some(layer) && packet.starts_keyframe {
            self.switch(layer, packet);
        }
        let Some(current) = self.current.as_mut().filter(|current| current.layer == layer) else {
            return Verdict::Drop;
        };
        let in_order = packet.seq > current.newest || self.sent.is_none();
        if packet.payload.is_empty() && packet.seq > current.newest {
            current.skip(packet.seq);
            return Verdict::Drop;
        }
        let Some(seq) = current.map(packet.seq) else {
            return Verdict::Drop;
        };
        current.newest = current.newest.max(packet.seq);
        let ts = packet.ts.wrapping_add(current.ts_shift);
        let vp8 = packet.vp8.map(|vp8| current.shift_vp8(vp8));
        if in_order || self.sent.is_some_and(|sent| seq > sent.seq) {
            self.sent = Some(Sent {
                seq,
                ts,
                arrived: packet.arrived,
                sender_us: packet.sender_us,
                vp8: vp8.or(self.sent.and_then(|sent| sent.vp8)),
            });
        }
        Verdict::Forward(Rewritten { seq, ts, vp8 })
    }

    fn switch(&mut self, layer: usize, packet: &Packet) {
        let (out_from, ts_shift, picture_shift, tl0_shift, key_shift) = match self.sent {
            None => (FIRST_SEQ, 0, 0, 0, 0),
            Some(sent) => {
                let ts = sent.ts.wrapping_add(self.elapsed_ticks(&sent, packet));
                let (picture, tl0, key) = vp8_shift(sent.vp8, packet.vp8);
                (sent.seq + 1, ts.wrapping_sub(packet.ts), picture, tl0, key)
            }
        };
        self.current = Some(Current {
            layer,
            // The switching packet itself must count as new.
            newest: packet.seq.saturating_sub(1),
            maps: vec![SeqMap { from: packet.seq, out_from }],
            ts_shift,
            picture_shift,
            tl0_shift,
            key_shift,
        });
    }

    /// How far media time moved between the last packet sent and `packet`, at least one tick: by the sender's clock if both are known,
    /// otherwise by arrival.
    fn elapsed_ticks(&self, sent: &Sent, packet: &Packet) -> u32 {
        let by_arrival_us = packet.arrived.saturating_duration_since(sent.arrived).as_micros() as u64;
        let elapsed_us = match (sent.sender_us, packet.sender_us) {
            (Some(before), Some(now)) if now > before && now - before < by_arrival_us + 2_000_000 => now - before,
            _ => by_arrival_us,
        };
        let ticks = u128::from(elapsed_us) * u128::from(self.clock_hz) / 1_000_000;
        (ticks as u32).max(1)
    }
}

impl Current {
    /// The outgoing number, or `None` if the packet is from before this subscriber's stream began.
    fn map(&self, seq: u64) -> Option<u64> {
        let map = self.maps.iter().rev().find(|map| seq >= map.from)?;
        Some(seq - map.from + map.out_from)
    }

    /// Leaves `seq`, which is newer than all before, out of the outgoing numbering.
    fn skip(&mut self, seq: u64) {
        let Some(out) = self.map(seq) else { return };
        self.newest = seq;
        self.maps.push(SeqMap { from: seq + 1, out_from: out });
        if self.maps.len() > MAPS_MAX {
            self.maps.remove(0);
        }
    }

    fn shift_vp8(&self, vp8: Vp8) -> Vp8 {
        let mask = if vp8.long_picture_id { 0x7fff } else { 0x7f };
        Vp8 {
            picture_id: vp8.picture_id.map(|id| id.wrapping_add(self.picture_shift) & mask),
            tl0: vp8.tl0.map(|tl0| tl0.wrapping_add(self.tl0_shift)),
            key_idx: vp8.key_idx.map(|key| key.wrapping_add(self.key_shift) & 0x1f),
            ..vp8
        }
    }
}

/// What to add to the new source's ids so that they continue after `sent`.
fn vp8_shift(sent: Option<Vp8>, next: Option<Vp8>) -> (u16, u8, u8) {
    let (Some(sent), Some(next)) = (sent, next) else {
        return (0, 0, 0);
    };
    let picture = match (sent.picture_id, next.picture_id) {
        (Some(sent), Some(next)) => sent.wrapping_add(1).wrapping_sub(next),
        _ => 0,
    };
    let tl0 = match (sent.tl0, next.tl0) {
        (Some(sent), Some(next)) => sent.wrapping_add(1).wrapping_sub(next),
        _ => 0,
    };
    let key = match (sent.key_idx, next.key_idx) {
        (Some(sent), Some(next)) => sent.wrapping_add(1).wrapping_sub(next),
        _ => 0,
    };
    (picture, tl0, key)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Somewhere a virtual clock has to begin.
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const HZ: u32 = 90_000;

    #[test]
    fn a_layer_switch_waits_for_a_key_frame_and_continues_without_a_gap() {
        let start = Instant::now();
        let mut low = Source::new(start, 65_500, 4_000_000_000, 127);
        let mut high = Source::new(start, 10, 77, 3);
        let mut forwarder = Forwarder::new(HZ);
        let mut seen = Receiver::default();

        assert!(forwarder.aim(Some(0)));
        for i in 0..10 {
            seen.receives(forwarder.forward(0, &low.packet(i == 0)));
            high.packet(false);
        }
        assert!(forwarder.aim(Some(1)));
        for _ in 0..5 {
            seen.receives(forwarder.forward(0, &low.packet(false)));
            assert_eq!(forwarder.forward(1, &high.packet(false)), Verdict::Drop);
        }
        seen.receives(forwarder.forward(1, &high.packet(true)));
        assert_eq!(forwarder.current_layer(), Some(1));
        assert_eq!(forwarder.forward(0, &low.packet(false)), Verdict::Drop);
        seen.receives(forwarder.forward(1, &high.packet(false)));

        assert_eq!(seen.seqs, (FIRST_SEQ..FIRST_SEQ + 17).collect::<Vec<_>>());
        seen.asserts_time_moves_forward();
        seen.asserts_picture_ids_count_up();
    }

    #[test]
    fn after_a_mute_the_stream_continues_where_it_stood() {
        let start = Instant::now();
        let mut source = Source::new(start, 5, 5, 0);
        let mut forwarder = Forwarder::new(HZ);
        let mut seen = Receiver::default();
        forwarder.aim(Some(0));
        seen.receives(forwarder.forward(0, &source.packet(true)));
        forwarder.aim(None);
        for _ in 0..100 {
            assert_eq!(forwarder.forward(0, &source.packet(true)), Verdict::Drop);
        }
        forwarder.aim(Some(0));
        assert_eq!(forwarder.forward(0, &source.packet(false)), Verdict::Drop, "no key frame yet");
        seen.receives(forwarder.forward(0, &source.packet(true)));
        assert_eq!(seen.seqs, vec![FIRST_SEQ, FIRST_SEQ + 1]);
        seen.asserts_time_moves_forward();
    }

    #[test]
    fn a_lost_packet_stays_a_gap_and_a_late_one_fills_it() {
        let start = Instant::now();
        let mut source = Source::new(start, 100, 0, 0);
        let mut forwarder = Forwarder::new(HZ);
        forwarder.aim(Some(0));
        let first = forwarder.forward(0, &source.packet(true));
        let late = source.packet(false);
        let third = forwarder.forward(0, &source.packet(false));
        let second = forwarder.forward(0, &late);
        let seqs: Vec<_> = [first, second, third].into_iter().map(seq_of).collect();
        assert_eq!(seqs, vec![FIRST_SEQ, FIRST_SEQ + 1, FIRST_SEQ + 2]);
    }

    #[test]
    fn padding_leaves_no_hole() {
        let start = Instant::now();
        let mut source = Source::new(start, 100, 0, 0);
        let mut forwarder = Forwarder::new(HZ);
        let mut seen = Receiver::default();
        forwarder.aim(Some(0));
        seen.receives(forwarder.forward(0, &source.packet(true)));
        for _ in 0..50 {
            let mut padding = source.packet(false);
            padding.payload = Arc::from([]);
            assert_eq!(forwarder.forward(0, &padding), Verdict::Drop);
            seen.receives(forwarder.forward(0, &source.packet(false)));
        }
        assert_eq!(seen.seqs, (FIRST_SEQ..FIRST_SEQ + 51).collect::<Vec<_>>());
    }

    #[test]
    fn packets_from_before_the_switch_are_not_sent() {
        let start = Instant::now();
        let mut source = Source::new(start, 100, 0, 0);
        let mut forwarder = Forwarder::new(HZ);
        forwarder.aim(Some(0));
        let early = source.packet(false);
        forwarder.forward(0, &source.packet(true));
        assert_eq!(forwarder.forward(0, &early), Verdict::Drop);
    }

    proptest! {
        /// Whatever layers, key frames, mutes, pauses and padding: what is sent in order is numbered without a gap, its time
        /// never goes back, and picture ids count up by one a frame.
        #[test]
        fn a_subscriber_sees_one_continuous_stream(steps in proptest::collection::vec(step(), 1..400)) {
            let start = Instant::now();
            let mut sources = [
                Source::new(start, 65_530, u32::MAX - 9_000, 0x7ff0),
                Source::new(start, 3, 1_000, 5),
                Source::new(start, 40_000, 2_000_000_000, 900),
            ];
            let mut forwarder = Forwarder::new(HZ);
            let mut seen = Receiver::default();
            for step in steps {
                match step {
                    Step::Aim(layer) => { forwarder.aim(layer); }
                    Step::Mute => {
                        forwarder.aim(None);
                        forwarder.aim(Some(1));
                    }
                    Step::Frame { key, padding } => {
                        for (layer, source) in sources.iter_mut().enumerate() {
                            let mut packet = source.packet(key[layer]);
                            if padding {
                                packet.payload = Arc::from([]);
                                packet.starts_keyframe = false;
                            }
                            if let verdict @ Verdict::Forward(_) = forwarder.forward(layer, &packet) {
                                seen.receives(verdict);
                            }
                        }
                    }
                }
            }
            let expected: Vec<u64> = (FIRST_SEQ..).take(seen.seqs.len()).collect();
            prop_assert_eq!(&seen.seqs, &expected);
            seen.asserts_time_moves_forward();
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Aim(Option<usize>),
        Mute,
        Frame { key: [bool; 3], padding: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => proptest::option::of(0..3usize).prop_map(Step::Aim),
            1 => Just(Step::Mute),
            8 => (any::<[bool; 3]>(), proptest::bool::weighted(0.1)).prop_map(|(key, padding)| Step::Frame { key, padding }),
        ]
    }

    /// One layer: a packet a frame, 33 ms apart.
    struct Source {
        at: Instant,
        seq: u64,
        ts: u32,
        picture_id: u16,
    }

    impl Source {
        fn new(at: Instant, seq: u64, ts: u32, picture_id: u16) -> Self {
            Self { at, seq, ts, picture_id }
        }

        fn packet(&mut self, key: bool) -> Packet {
            self.at += Duration::from_millis(33);
            self.seq += 1;
            self.ts = self.ts.wrapping_add(2_970);
            self.picture_id = (self.picture_id + 1) & 0x7fff;
            Packet {
                seq: self.seq,
                ts: self.ts,
                marker: true,
                payload: Arc::from([1u8, 2, 3]),
                arrived: self.at,
                sender_us: None,
                starts_keyframe: key,
                vp8: Some(Vp8 {
                    picture_id: Some(self.picture_id),
                    long_picture_id: true,
                    tl0: Some(self.seq as u8),
                    key_idx: None,
                }),
                format: Format { codec: crate::api::Codec::Vp8, h264: None, red: false },
                primary: None,
                rotation: None,
            }
        }
    }

    #[derive(Default)]
    struct Receiver {
        seqs: Vec<u64>,
        ts: Vec<u32>,
        pictures: Vec<u16>,
    }

    impl Receiver {
        fn receives(&mut self, verdict: Verdict) {
            let Verdict::Forward(packet) = verdict else { panic!("dropped") };
            self.seqs.push(packet.seq);
            self.ts.push(packet.ts);
            self.pictures.extend(packet.vp8.and_then(|vp8| vp8.picture_id));
        }

        fn asserts_time_moves_forward(&self) {
            for pair in self.ts.windows(2) {
                let step = pair[1].wrapping_sub(pair[0]);
                assert!(step > 0 && step < 90_000 * 60 * 10, "from {} to {}", pair[0], pair[1]);
            }
        }

        fn asserts_picture_ids_count_up(&self) {
            for pair in self.pictures.windows(2) {
                assert_eq!((pair[0] + 1) & 0x7fff, pair[1]);
            }
        }
    }

    fn seq_of(verdict: Verdict) -> u64 {
        match verdict {
            Verdict::Forward(packet) => packet.seq,
            Verdict::Drop => panic!("dropped"),
        }
    }
}
