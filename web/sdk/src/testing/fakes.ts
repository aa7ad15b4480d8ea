/** Stand-ins for the browser, the server and LiveKit's room, so that a whole class fits into a unit test. */
import { ConnectionQuality, ConnectionState, RoomEvent, Track, TrackEvent, type Room } from "livekit-client";
import type { DisconnectReason, LocalTrack, RemoteParticipant } from "livekit-client";
import type { DeviceDriver } from "../own-device.js";
import type { Socket } from "../state/connection.js";

export function fakeStorage(): Storage {
  const items = new Map<string, string>();
  return {
    get length() {
      return items.size;
    },
    clear: () => items.clear(),
    getItem: (key) => items.get(key) ?? null,
    key: (index) => [...items.keys()][index] ?? null,
    removeItem: (key) => void items.delete(key),
    setItem: (key, value) => void items.set(key, value),
  };
}

type Listener = (...args: unknown[]) => void;

class Emitter {
  private readonly listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): this {
    this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    return this;
  }

  off(event: string, listener: Listener): this {
    this.listeners.set(
      event,
      (this.listeners.get(event) ?? []).filter((other) => other !== listener),
    );
    return this;
  }

  removeAllListeners(event: string): this {
    this.listeners.delete(event);
    return this;
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(event) ?? []) listener(...args);
  }
}

export class FakeTrack extends Emitter {
  isMuted = false;

  constructor(
    readonly source: Track.Source,
    readonly mediaStreamTrack = { readyState: "live", getSettings: () => ({ deviceId: "default" }) },
  ) {
    super();
  }

  mute() {
    this.isMuted = true;
    this.emit(TrackEvent.Muted);
    return Promise.resolve(this);
  }

  unmute() {
    this.isMuted = false;
    this.emit(TrackEvent.Unmuted);
    return Promise.resolve(this);
  }

  stop() {
    this.mediaStreamTrack.readyState = "ended";
  }
}

const sources = {
  microphone: Track.Source.Microphone,
  camera: Track.Source.Camera,
  screen: Track.Source.ScreenShare,
};

/** Devices that open at once, unless told to fail or to wait. */
export class FakeDevices implements DeviceDriver {
  readonly opened: FakeTrack[] = [];
  failWith: Error | null = null;
  waitFor: Promise<void> = Promise.resolve();

  async open(kind: keyof typeof sources) {
    await this.waitFor;
    if (this.failWith !== null) throw this.failWith;
    const track = new FakeTrack(sources[kind]);
    this.opened.push(track);
    return [track as unknown as LocalTrack];
  }

  rewrap(track: LocalTrack) {
    const old = track as unknown as FakeTrack;
    const renewed = new FakeTrack(old.source, old.mediaStreamTrack);
    renewed.isMuted = old.isMuted;
    this.opened.push(renewed);
    return renewed as unknown as LocalTrack;
  }
}

class FakeLocalParticipant {
  isSpeaking = false;
  attributes: Record<string, string> = {};
  connectionQuality = ConnectionQuality.Good;
  permissions: unknown = undefined;
  readonly trackPublications = new Map<string, { track: FakeTrack }>();

  publishTrack(track: FakeTrack) {
    this.trackPublications.set(track.source, { track });
    return Promise.resolve();
  }

  unpublishTrack(track: FakeTrack) {
    this.trackPublications.delete(track.source);
    return Promise.resolve();
  }

  published(source: Track.Source): FakeTrack | undefined {
    return this.trackPublications.get(source)?.track;
  }
}

export class FakeRoom extends Emitter {
  state = ConnectionState.Disconnected;
  canPlaybackAudio = true;
  token: string | null = null;
  /** How often LiveKit's client was asked to resume, and to restart ICE on the socket it has. */
  resumes = 0;
  iceRestarts = { own: 0, byServer: 0 };
  readonly engine = {
    client: {
      sendSimulateScenario: () => {
        this.iceRestarts.byServer += 1;
        return Promise.resolve();
      },
    },
    pcManager: {
      triggerIceRestart: () => {
        this.iceRestarts.own += 1;
        return Promise.resolve();
      },
    },
  };
  readonly localParticipant = new FakeLocalParticipant();
  readonly remoteParticipants = new Map<string, RemoteParticipant>();

  constructor(private readonly refuses: boolean) {
    super();
  }

  connect(_url: string, token: string) {
    if (this.refuses) return Promise.reject(new Error("no connection"));
    this.token = token;
    this.state = ConnectionState.Connected;
    return Promise.resolve();
  }

  disconnect() {
    this.state = ConnectionState.Disconnected;
    return Promise.resolve();
  }

  simulateScenario() {
    this.resumes += 1;
    this.losesConnection();
    return Promise.resolve();
  }

  // What the network does to it:

  arrives(person: RemoteParticipant) {
    this.remoteParticipants.set(person.identity, person);
    this.emit(RoomEvent.ParticipantConnected, person);
  }

  losesConnection() {
    this.state = ConnectionState.Reconnecting;
    this.emit(RoomEvent.Reconnecting);
  }

  repairsConnection() {
    this.state = ConnectionState.Connected;
    this.emit(RoomEvent.Reconnected);
  }

  givesUp(reason?: DisconnectReason) {
    this.state = ConnectionState.Disconnected;
    this.remoteParticipants.clear();
    this.emit(RoomEvent.Disconnected, reason);
  }
}

interface FakePersonOptions {
  name?: string;
  role?: string;
  presence?: string;
  joinedAtMs?: number;
  /** How many bytes of their voice have come. */
  heard?: () => number;
}

export function fakePerson(identity: string, options: FakePersonOptions = {}): RemoteParticipant {
  const attributes: Record<string, string> = {};
  if (options.role !== undefined) attributes["lyceum.role"] = options.role;
  if (options.presence !== undefined) attributes["lyceum.presence"] = options.presence;
  const { heard } = options;
  const voice = heard && {
    source: Track.Source.Microphone,
    track: {
      detach: () => [],
      getRTCStatsReport: () =>
        Promise.resolve(new Map([["T", { type: "transport", bytesReceived: heard() }]])),
    },
  };
  return {
    identity,
    name: options.name,
    attributes,
    isSpeaking: false,
    connectionQuality: ConnectionQuality.Unknown,
    joinedAt: new Date(options.joinedAtMs ?? 0),
    trackPublications: new Map(voice && [["voice", voice]]),
    audioTrackPublications: new Map(voice && [["voice", voice]]),
    getTrackPublication: () => undefined,
  } as unknown as RemoteParticipant;
}

/** A state socket on which nothing happens but coming in, at once, or what the server has to say instead. */
class FakeStateSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;

  constructor(private readonly server: FakeServer) {
    queueMicrotask(() => (server.isDown ? this.onclose?.() : this.onopen?.()));
  }

  send(text: string) {
    const message = JSON.parse(text) as { t: string; token: string; type?: string };
    this.server.said.push(message.type ?? message.t);
    if (message.t === "hello") this.tells(this.server.stateAnswer ?? this.welcome(message.token));
  }

  close() {
    this.onclose = null;
  }

  tells(message: Record<string, unknown>) {
    queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(message) }));
  }

  private welcome(token: string) {
    const you = token.replace(/^resume /, "");
    const state = this.server.lobby ? "waiting" : "admitted";
    const place = { session: "RM_1", room: "physics", you, state, connection: null, seq: 1, now: Date.now() };
    return { t: "welcome", ...place, token: `resume ${you}`, snapshot: {} };
  }
}

/** The rooms a classroom made, one after the other, and a server that lets everybody in. */
export class FakeServer {
  readonly rooms: FakeRoom[] = [];
  readonly accepted: { invite: string; name: string; returning?: string }[] = [];
  /** What the server answers instead of a pass. */
  refusal: { status: number; code: string; message: string } | null = null;
  isDown = false;
  mediaBlocked = false;
  /** Who comes in has to wait. */
  lobby = false;
  /** What a hello is answered with instead of a welcome. */
  stateAnswer: Record<string, unknown> | null = null;
  readonly stateSockets: FakeStateSocket[] = [];
  /** What came in on state sockets. */
  readonly said: string[] = [];

  readonly createStateSocket = () => {
    const socket = new FakeStateSocket(this);
    this.stateSockets.push(socket);
    return socket;
  };

  /** Somebody who waits is let in. */
  admits(person: string): void {
    const changes = [{ in: "participants", id: person, is: { name: person } }];
    this.stateSockets.at(-1)?.tells({ t: "ev", event: { seq: 2, at: 0 }, changes });
  }

  saysBye(code: string, message: string): void {
    this.stateSockets.at(-1)?.tells({ t: "bye", code, message, retry: false });
  }

  readonly createRoom = () => {
    const room = new FakeRoom(this.mediaBlocked);
    this.rooms.push(room);
    return room as unknown as Room;
  };

  readonly fetch: typeof fetch = (_input, init) => {
    if (this.isDown) return Promise.reject(new TypeError("Failed to fetch"));
    if (init?.method === "HEAD") return Promise.resolve(new Response(null));
    if (this.refusal !== null) {
      const { status, ...body } = this.refusal;
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    }
    const request = JSON.parse(init?.body as string) as { invite: string; name: string; returning?: string };
    this.accepted.push(request);
    const pass = {
      room: "physics",
      identity: request.returning ?? `${request.name}-1`,
      name: request.name,
      role: "learner",
      token: request.returning ?? `${request.name}-1`,
      server_url: "ws://media",
      share_invite: "share",
    };
    return Promise.resolve(new Response(JSON.stringify(pass)));
  };

  get room(): FakeRoom {
    const room = this.rooms.at(-1);
    if (room === undefined) throw new Error("nobody has joined yet");
    return room;
  }
}
