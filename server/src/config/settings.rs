//! Every setting, once: its section, name, type, default, range and explanation. The configuration struct, the TOML reader,
//! the environment, `--set`, the sample file and its test are all made from this one list.

#![allow(rustdoc::bare_urls, reason = "the texts are for the sample file, which is no Markdown")]

use super::value::{LogFormat, Ranged, Raw, Value};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// One setting, as data.
pub struct Setting {
    /// Its TOML table.
    pub section: &'static str,
    /// Its key in the table.
    pub key: &'static str,
    /// What it does, in lines.
    pub doc: &'static [&'static str],
    /// What it accepts, to follow "expected ".
    pub accepts: fn() -> String,
    /// The default as TOML.
    pub default: fn() -> String,
    /// Reads a value into the configuration; false if it is not acceptable.
    pub set: fn(&mut Settings, &Raw) -> bool,
}

impl Setting {
    /// `section.key`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that sets it.
    pub fn env(&self) -> String {
        format!("LYCEUM_{}_{}", self.section, self.key).to_uppercase()
    }
}

/// One TOML table, as data.
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in lines.
    pub doc: &'static [&'static str],
}

macro_rules! settings {
    ($(
        $(#[doc = $section_doc:literal])*
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])*
                $key:ident: $Type:ty $(where ($range:expr))? = $default:expr,
            )*
        }
    )*) => {
        $(
            $(#[doc = $section_doc])*
            #[derive(Clone, PartialEq, Debug)]
            pub struct $Section {
                $( $(#[doc = $doc])* pub $key: $Type, )*
            }
            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $key: $default, )* }
                }
            }
        )*

        /// Everything that can be configured, by section.
        #[derive(Clone, PartialEq, Debug, Default)]
        pub struct Settings {
            $( $(#[doc = $section_doc])* pub $section: $Section, )*
        }

        /// The sections, in the order of the sample file.
        pub static SECTIONS: &[Section] = &[ $(
            Section { name: stringify!($section), doc: &[ $($section_doc),* ] },
        )* ];

        /// The settings, in the order of the sample file.
        pub static SETTINGS: &[Setting] = &[ $( $(
            Setting {
                section: stringify!($section),
                key: stringify!($key),
                doc: &[ $($doc),* ],
                accepts: || {
                    #[allow(unused_mut)]
                    let mut words = <$Type as Value>::accepts().to_owned();
                    $( words.push_str(&format!(" from {} to {}", $range.start(), $range.end())); )?
                    words
                },
                default: || { let default: $Type = $default; default.to_toml() },
                set: |settings, raw| {
                    let Some(value) = <$Type as Value>::read(raw) else { return false };
                    $( if !Ranged::within(&value, &$range) { return false; } )?
                    settings.$section.$key = value;
                    true
                },
            },
        )* )* ];
    };
}

settings! {
    /// The web page, the REST interface and the signalling sockets.
    http: Http {
        /// Addresses to listen on. Off loopback browsers give out cameras and microphones only over HTTPS: see `[tls]`.
        bind: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 7880))],
        /// The address under which people reach the page, such as "https://class.example.org". It is used in printed
        /// invite links; empty: made from `bind`.
        public_url: String = String::new(),
        /// Open HTTP and WebSocket connections at a time; one more is answered 503 and closed.
        max_connections: usize where (1..=1_000_000) = 10_000,
        /// Largest body of a REST request, in bytes.
        max_body_bytes: usize where (1024..=67_108_864) = 65_536,
        /// Largest request head (request line and headers together), in bytes.
        max_head_bytes: usize where (8192..=1_048_576) = 65_536,
        /// How long a client may take for the TLS handshake, for a request head, and between two parts of a body, in seconds.
        head_timeout_s: u64 where (1..=120) = 10,
        /// How long a connection is kept for the next request, in seconds.
        idle_timeout_s: u64 where (1..=3600) = 75,
    }

    /// TLS from files. Both are read again when either changes, without dropping anybody.
    tls: Tls {
        /// Certificate chain in PEM, own certificate first. Empty: plain HTTP.
        cert_file: PathBuf = PathBuf::new(),
        /// Private key in PEM.
        key_file: PathBuf = PathBuf::new(),
        /// How often the files are looked at for a change, in milliseconds.
        reload_check_ms: u64 where (100..=3_600_000) = 10_000,
    }

    /// Audio and video.
    media: Media {
        /// Address of the UDP sockets.
        udp_bind: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        /// UDP port of the first media thread; each further thread takes the next port. 0: any free ports (for tests).
        udp_port: u16 = 7882,
        /// Address for media over TCP, for networks that block UDP.
        tcp_bind: Option<SocketAddr> = Some(SocketAddr::from(([0, 0, 0, 0], 7881))),
        /// Addresses that clients are told to send media to. Behind NAT: the public address. Empty: found from this
        /// machine's routes.
        advertise: Vec<IpAddr> = Vec::new(),
        /// Media threads; 0: one per processor core.
        shards: usize where (0..=256) = 0,
    }

    /// Where the log of every class is kept.
    store: Store {
        /// Folder of the database; made if it is missing.
        dir: PathBuf = PathBuf::from("data"),
    }

    /// Slides that people bring: PDF files and pictures.
    files: Files {
        /// Largest file, in bytes.
        max_bytes: u64 where (1_024..=200_000_000) = 52_428_800,
        /// What the files of one tenant may take on disk, in bytes; 0: no limit.
        tenant_bytes: u64 where (0..=1_125_899_906_842_624u64) = 10_737_418_240,
    }

    /// Learning records (xAPI), at `/xapi`.
    lrs: Lrs {
        /// A PostgreSQL server, such as "postgresql://lyceum:password@localhost/lyceum". Empty: SQLite in the folder of `[store]`.
        database_url: String = String::new(),
        /// Largest body of a request, statements and attachments together, in bytes.
        max_body_bytes: usize where (65_536..=268_435_456) = 16_777_216,
        /// Most statements of one page.
        max_page_statements: usize where (1..=10_000) = 500,
        /// Whether what happens in classes is recorded. When it is turned on, the classes that were held before are recorded as well.
        record_classes: bool = true,
        /// Whether the words of messages, and of questions to the class, stand in the records. They stand there in the clear, and stay
        /// when the person is erased.
        record_messages: bool = false,
        /// Likewise what polls and quizzes ask and offer,
        record_questions: bool = false,
        /// and what people answer in words.
        record_answers: bool = false,
        /// For how much of a class, in percent, a learner must be connected to have attended it with success. 0: it is not judged.
        attended_percent: u16 where (0..=100) = 0,
    }

    /// Classes. `max_participants`, `empty_timeout_s` and `departure_timeout_s` can also be set room by room.
    rooms: Rooms {
        /// Whether joining a room that nobody has created creates it.
        auto_create: bool = true,
        /// How many people may be in a class at a time; 0: no limit.
        max_participants: u32 where (0..=100_000) = 500,
        /// How long a class waits for its first person before it ends, in seconds.
        empty_timeout_s: u64 where (1..=604_800) = 300,
        /// How long a class waits after its last person is gone before it ends, in seconds.
        departure_timeout_s: u64 where (1..=604_800) = 300,
        /// How long a person whose connection is lost is shown as reconnecting before they are offline, in seconds.
        presence_grace_s: u64 where (1..=3600) = 60,
        /// For how long the tracks of somebody who lost their connection stay published, so that their device can go on with them.
        /// After that it joins afresh, which takes a little longer. 0 is not at all.
        resume_window_s: u64 where (0..=600) = 30,
        /// Tracks that one device may publish at a time.
        max_tracks: u32 where (1..=1000) = 16,
        /// Classes that may run at a time.
        max_sessions: usize where (1..=1_000_000) = 1_000,
        /// An administrator may unmute somebody's track. Otherwise only its publisher opens a microphone or a camera.
        remote_unmute: bool = false,
    }

    /// The signalling socket `/rtc` and the state socket `/classroom/v1`.
    signal: Signal {
        /// Largest message from a client, in bytes.
        max_message_bytes: usize where (1024..=16_777_216) = 2_097_152,
        /// Messages that may wait for a slow client; one more closes its socket.
        queue_messages: usize where (8..=65_536) = 512,
        /// Messages that may wait for one class. Clients are slowed when it is full.
        session_queue_messages: usize where (16..=1_048_576) = 4_096,
        /// How often the server pings, in seconds.
        ping_interval_s: u64 where (1..=300) = 10,
        /// How long a client may be silent before its socket counts as lost, in seconds.
        silence_timeout_s: u64 where (2..=600) = 30,
        /// How long a join may wait for its answer, in seconds. Clients give up after five.
        join_timeout_s: u64 where (1..=60) = 5,
        /// Joins per minute from one address (IPv4) or network (IPv6 /64); 0: no limit. A school may share one address,
        /// and behind a reverse proxy everybody does.
        max_joins_per_min: u32 where (0..=1_000_000) = 3_000,
    }

    /// What one client may ask for. Asking for more is refused with the protocol's own codes, and changes nothing.
    limits: Limits {
        /// Longest name of a person, track or stream, and longest identity, in characters.
        name_chars: usize where (16..=4096) = 256,
        /// Longest metadata of a person or room, in bytes.
        metadata_bytes: usize where (0..=4_194_304) = 524_288,
        /// Most attributes of a person, keys and values together, in bytes.
        attributes_bytes: usize where (0..=1_048_576) = 65_536,
        /// Longest message on a data channel, in bytes.
        data_message_bytes: usize where (1024..=64_000) = 64_000,
        /// Longest session description, in bytes.
        sdp_bytes: usize where (16_384..=1_048_576) = 262_144,
        /// Sockets open in one class, hidden ones included.
        connections: usize where (1..=100_000) = 3_000,
        /// Tracks that one client may receive at a time.
        subscriptions: usize where (1..=100_000) = 1_000,
        /// Signals of one client per second, in the long run.
        signals_per_s: u32 where (1..=10_000) = 100,
        /// Signals of one client at once, after a pause.
        signals_burst: u32 where (1..=100_000) = 500,
        /// Data messages of one client per second, in the long run.
        data_messages_per_s: u32 where (1..=100_000) = 1_000,
        /// Data of one client per second in bytes, in the long run.
        data_bytes_per_s: u32 where (1024..=1_000_000_000) = 8_000_000,
    }

    /// Tokens that this server signs.
    tokens: Tokens {
        /// How long an access token lives, in seconds. Clients get a fresh one while they are connected.
        access_ttl_s: u64 where (60..=2_592_000) = 21_600,
        /// How long an invite link works, in seconds.
        invite_ttl_s: u64 where (60..=31_536_000) = 1_209_600,
    }

    /// Log lines on standard error. They hold no secrets, tokens or query strings.
    log: Log {
        /// What is logged: error, warn, info, debug or trace, for all or per module ("info,lyceum::rtc=debug").
        filter: String = "info".to_owned(),
        /// "pretty" for people, "json" for machines, "auto": pretty on a terminal.
        format: LogFormat = LogFormat::Auto,
    }
}
