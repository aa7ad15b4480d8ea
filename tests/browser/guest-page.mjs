// Runs in a guest's page, after LiveKit's SDK: joining, and remembering everything that the SDK tells. What a test asks the page
// to do finds `room`, `heard` and `LivekitClient` there.
export function guestPage() {
  const { Participant, Room, RoomEvent, Track, TrackPublication } = LivekitClient;

  /** What the SDK told of the room since it was joined, in order. */
  window.heard = [];

  window.joins = async ({ url, token, options = {}, connect, passphrase }) => {
    heard.length = 0;
    document.body.replaceChildren();
    if (passphrase !== undefined) options.encryption = await encryption(passphrase);
    window.room = new Room(options);
    window.joinedWith = token;
    window.__lyceum = { room };
    for (const event of Object.values(RoomEvent)) {
      room.on(event, (...what) => heard.push({ event, what: what.map(plain) }));
    }
    room.on(RoomEvent.TrackSubscribed, (track) => document.body.append(track.attach()));
    room.on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()));
    if (passphrase !== undefined) await room.setE2EEEnabled(true);
    await room.connect(url, token, connect);
  };

  async function encryption(passphrase) {
    const keyProvider = new LivekitClient.ExternalE2EEKeyProvider();
    await keyProvider.setKey(passphrase);
    return { keyProvider, worker: new Worker("/livekit-client.e2ee.worker.js") };
  }

  /** Something that a test can be given: people as their identities, tracks as their sources, bytes as text. */
  function plain(value) {
    if (value instanceof Participant) return value.identity;
    if (value instanceof TrackPublication || value instanceof Track) return value.source;
    if (value instanceof Uint8Array) return new TextDecoder().decode(value);
    if (value instanceof Error) return value.message;
    if (Array.isArray(value)) return value.map(plain);
    try {
      return JSON.parse(JSON.stringify(value ?? null));
    } catch {
      return String(value);
    }
  }

  /** What was told of one event: one list of values for each time. */
  window.told = (event) => heard.filter((news) => news.event === event).map((news) => news.what);

  window.person = (identity) => room.remoteParticipants.get(identity);

  /** The publication of a source (`microphone`, `camera`, `screen_share`) by somebody else. */
  window.publication = (identity, source) =>
    [...(person(identity)?.trackPublications.values() ?? [])].find(
      (publication) => publication.source === source,
    );

  /** The lines of the description by which this page receives. */
  window.subscriberLines = () => room.engine.pcManager.subscriber._pc.remoteDescription.sdp.match(/^m=.*$/gm);

  /** The statistics of one kind of what is received (`inbound-rtp`) or sent (`outbound-rtp`) of a track. */
  window.stats = async (track, type) => {
    const report = await (track?.receiver ?? track?.sender)?.getStats();
    return [...(report?.values() ?? [])].filter((entry) => entry.type === type);
  };
}
