/**
 * A class as seen from one browser tab. `Classroom` joins by an invite, keeps your devices, and offers one immutable
 * state to watch. It owns coming back: LiveKit's client repairs short breaks, and when that fails (the server was
 * restarted, the token ran out) this joins again as the same person and publishes what was on. It draws nothing.
 */
import { CandidateProtocol, SimulateScenario } from "@livekit/protocol";
import {
  ConnectionError,
  ConnectionErrorReason,
  ConnectionState,
  DisconnectReason,
  Room,
  RoomEvent,
  ScreenSharePresets,
  SignalRequestError,
  Track,
  TrackEvent,
  VideoPresets,
  type RemoteTrackPublication,
  type RoomEventCallbacks,
} from "livekit-client";
import { giveUpAfterMs, retryDelayMs } from "./backoff.js";
import type { DeviceKind } from "./devices.js";
import { ClassroomError } from "./errors.js";
import { browserDevices } from "./browser-devices.js";
import { LineWatch, answersReceived, bytesReceived, type Stuck } from "./line-watch.js";
import type { Bye, ByeCode } from "./state/wire.js";
import { acceptInvite, type Pass, type Role } from "./invite.js";
import { recallTab, rememberTab } from "./memory.js";
import { watchNetworks } from "./networks.js";
import { OwnDevice, type DeviceDriver, type Outlet, type OwnDeviceState } from "./own-device.js";
import { StateConnection, StateEnded, type Socket } from "./state/connection.js";
import { networkOf, peopleOf, roleOf, sameFields, type Network, type Person } from "./people.js";

export type EndReason = "left" | "removed" | "elsewhere" | "class_over" | "refused" | "gave_up";

export type Connection =
  | { readonly phase: "outside" }
  | { readonly phase: "joining" }
  /** In the lobby, until somebody lets us in. */
  | { readonly phase: "waiting" }
  | { readonly phase: "inside" }
  /** `sinceMs`: when the class was lost, in ms since the epoch. `attempt` counts the tries to join again. */
  | { readonly phase: "reconnecting"; readonly sinceMs: number; readonly attempt: number }
  | { readonly phase: "ended"; readonly reason: EndReason; readonly message: string };

export interface Me {
  readonly identity: string | null;
  readonly name: string;
  readonly role: Role | null;
  readonly speaking: boolean;
  readonly network: Network;
  readonly microphone: OwnDeviceState;
  readonly camera: OwnDeviceState;
  readonly screen: OwnDeviceState;
}

export interface ClassroomState {
  readonly connection: Connection;
  readonly room: string;
  /** A learner invite to hand on; empty until the class was joined. */
  readonly shareInvite: string;
  readonly me: Me;
  /** Everybody else, in order of arrival. */
  readonly people: readonly Person[];
  /** The browser holds sound back until the person presses something: offer `startAudio`. */
  readonly audioBlocked: boolean;
  /** Sound only: no pictures of others are received. */
  readonly picturesPaused: boolean;
  readonly speakerId: string | null;
}

export interface JoinOptions {
  invite: string;
  name: string;
}

export interface ClassroomOptions {
  /** Name of the class, as in `/c/{room}`. */
  room: string;
  /** Origin of the server's API; empty for the server that served the page. */
  apiUrl?: string;
  /** Where the tab remembers the class across a reload; `null` for nowhere. */
  storage?: Storage | null;
  /** Seams for tests. */
  createRoom?: (speakerId: string | null) => Room;
  createStateSocket?: (url: string) => Socket;
  driver?: DeviceDriver;
  fetch?: typeof fetch;
  watchNetworks?: typeof watchNetworks;
  random?: () => number;
}

/** How long LiveKit's client may repair a break by itself before this joins afresh, in milliseconds. */
const repairLimitMs = 15_000;
/** How long a resume may take once the server can be reached, before this joins afresh, in milliseconds. */
const resumeLimitMs = 2_500;
/** How long leaving an old room may hold up joining again, in milliseconds. */
const farewellLimitMs = 1_500;
/** How long a page that seems to be unloaded waits before it returns to the class, in milliseconds. */
const unloadPauseMs = 2_000;
/** How long the state socket may take, the lobby not counted, in milliseconds. */
const classTimeoutMs = 15_000;
/** How long making the connection for sound and video may take, in milliseconds. */
const peerConnectionTimeoutMs = 15_000;

export class Classroom {
  /** What people do in the class beside sound and pictures; the same object from the door to the end. */
  readonly class: StateConnection;
  private readonly listeners = new Set<() => void>();
  private readonly devices: Record<DeviceKind, OwnDevice>;
  private readonly storage: Storage | null;
  private readonly apiUrl: string;
  private readonly createRoom: (speakerId: string | null) => Room;
  private readonly fetchFn: typeof fetch;
  private readonly random: () => number;

  private current: ClassroomState;
  private flushing = false;
  private liveRoom: Room | null = null;
  private unbind: () => void = () => undefined;
  private invitation: JoinOptions | null = null;
  private pass: Pass | null = null;
  /** The last access token; the server knows the person by it even after it has run out. */
  private token: string | null = null;
  private repairTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly watch: LineWatch;
  private wakeUp: (() => void) | null = null;
  /** An access token that the state socket has not tried yet. */
  private untried: string | null = null;
  /** Settled when the last end of the class has let go of room and devices. */
  private goodbye: Promise<void> = Promise.resolve();
  /** Counts joins, so that what an abandoned one still does is told apart. */
  private generation = 0;

  constructor(options: ClassroomOptions) {
    this.apiUrl = options.apiUrl ?? "";
    this.storage = options.storage === undefined ? sessionStorageOrNull() : options.storage;
    this.createRoom = options.createRoom ?? createLiveKitRoom;
    this.fetchFn = options.fetch ?? ((...args) => fetch(...args));
    this.random = options.random ?? Math.random;
    this.class = new StateConnection({
      url: () => this.serverUrl(),
      token: () => this.stateToken(),
      name: options.room,
      storage: this.storage,
      random: this.random,
      ...(options.createStateSocket === undefined ? {} : { createSocket: options.createStateSocket }),
    });
    this.class.subscribe(() => this.handleClass());
    this.watch = new LineWatch({
      received: () => this.received(),
      echo: () => (this.class.connected ? this.class.ping() : askOnSocket(this.liveRoom)),
      reach: (signal) => this.fetchFn(`${this.apiUrl}/`, { method: "HEAD", cache: "no-store", signal }),
      watchNetworks: options.watchNetworks ?? watchNetworks,
      isStuck: (how) => this.handleStuck(how),
    });
    const driver = options.driver ?? browserDevices;
    const changed = () => this.scheduleFlush();
    this.devices = {
      microphone: new OwnDevice("microphone", driver, changed),
      camera: new OwnDevice("camera", driver, changed),
      screen: new OwnDevice("screen", driver, changed),
    };
    this.current = {
      connection: { phase: "outside" },
      room: options.room,
      shareInvite: "",
      me: {
        identity: null,
        name: "",
        role: null,
        speaking: false,
        network: "unknown",
        microphone: this.devices.microphone.state,
        camera: this.devices.camera.state,
        screen: this.devices.screen.state,
      },
      people: [],
      audioBlocked: false,
      picturesPaused: false,
      speakerId: null,
    };
    this.takeUpMemory();
  }

  get state(): ClassroomState {
    return this.current;
  }

  /** LiveKit's room, for debugging and statistics; another one after the class was lost and joined again. */
  get room(): Room | null {
    return this.liveRoom;
  }

  /** The invite this tab last joined with; `null` if it has not yet. */
  get rememberedInvite(): string | null {
    return this.invitation?.invite ?? null;
  }

  /** Calls back after every change of `state`; returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Enters the class. Throws a `ClassroomError` that says why not. */
  async join(options: JoinOptions): Promise<void> {
    const { phase } = this.current.connection;
    if (phase !== "outside" && phase !== "ended") throw new Error(`join() while ${phase}`);
    if (this.invitation?.invite !== options.invite) this.token = null;
    this.invitation = options;
    const generation = ++this.generation;
    this.setConnection({ phase: "joining" });
    try {
      await this.goodbye;
      await this.connect(generation);
    } catch (error) {
      if (generation === this.generation) this.setConnection({ phase: "outside" });
      throw error;
    }
  }

  /** Whether this tab was in the class when the page was last unloaded, with this invite or without a new one. */
  static wasInside(room: string, invite: string | null, storage = sessionStorageOrNull()): boolean {
    const memory = recallTab(storage, room);
    return memory?.inside === true && (invite === null || invite === memory.invite);
  }

  /** Goes back to the class this tab was in, with the devices as they were; keeps trying if the server is away. */
  comeBack(): void {
    const memory = recallTab(this.storage, this.current.room);
    if (memory === null) return;
    this.invitation = { invite: memory.invite, name: memory.name };
    this.token = memory.token;
    if (memory.microphoneOn) void this.devices.microphone.set(true);
    if (memory.cameraOn) void this.devices.camera.set(true);
    void this.joinAgainUntilInside(Date.now());
  }

  /** From the end of a class back into it, as the same person. */
  async joinAgain(): Promise<void> {
    if (this.invitation === null) throw new Error("joinAgain() before join()");
    await this.join(this.invitation);
  }

  async leave(): Promise<void> {
    await this.end("left", "You left the class.");
  }

  async setMicrophone(on: boolean): Promise<void> {
    await this.setDevice("microphone", on);
  }

  async setCamera(on: boolean): Promise<void> {
    await this.setDevice("camera", on);
  }

  async setScreenShare(on: boolean): Promise<void> {
    await this.setDevice("screen", on);
  }

  async chooseMicrophone(deviceId: string): Promise<void> {
    await this.devices.microphone.choose(deviceId);
    this.remember();
  }

  async chooseCamera(deviceId: string): Promise<void> {
    await this.devices.camera.choose(deviceId);
    this.remember();
  }

  /** Not every browser lets a page choose the speaker; where it does not, the choice does not change. */
  async chooseSpeaker(deviceId: string): Promise<void> {
    const before = this.current.speakerId;
    this.patch({ speakerId: deviceId });
    await this.liveRoom
      ?.switchActiveDevice("audiooutput", deviceId)
      .catch(() => this.patch({ speakerId: before }));
    this.remember();
  }

  /** Sound only, to spare a weak network or a data plan. */
  setPicturesPaused(paused: boolean): void {
    this.patch({ picturesPaused: paused });
    this.subscribeToPictures();
    this.remember();
    this.scheduleFlush();
  }

  /** Call from a click or key press: browsers start sound only then. Whether it did shows in `audioBlocked`. */
  async startAudio(): Promise<void> {
    await this.liveRoom?.startAudio().catch(() => undefined);
    this.scheduleFlush();
  }

  /** Stops waiting for the next try to join again, and tries. */
  tryNow(): void {
    this.class.tryNow();
    if (this.current.connection.phase !== "reconnecting") return;
    if (this.wakeUp === null) this.takeOver();
    else this.wakeUp();
  }

  // ---- Joining ----

  private async connect(generation: number): Promise<void> {
    if (this.invitation === null) throw new Error("no invitation");
    await this.leaveOldRoom();
    const pass = await acceptInvite(
      this.apiUrl,
      { invite: this.invitation.invite, name: this.invitation.name, returning: this.token },
      this.fetchFn,
    );
    if (generation !== this.generation) return;
    this.pass = pass;
    this.token = pass.token;
    await this.enterClass(pass);
    if (generation !== this.generation) return;
    const room = this.createRoom(this.current.speakerId);
    this.liveRoom = room;
    this.unbind = this.bind(room);
    try {
      await room.connect(this.serverUrl(), pass.token, { peerConnectionTimeout: peerConnectionTimeoutMs });
    } catch (cause) {
      if (generation === this.generation) await this.leaveOldRoom();
      throw asConnectError(cause);
    }
    if (generation !== this.generation) {
      void room.disconnect(false);
      return;
    }
    this.enter(room);
  }

  private enter(room: Room): void {
    clearTimeout(this.repairTimer);
    this.watch.start();
    this.plugDevices(outletOf(room));
    this.setConnection({ phase: "inside" });
    this.subscribeToPictures();
  }

  /** The class comes before its media: who waits in the lobby sees and hears nothing yet. */
  private async enterClass(pass: Pass): Promise<void> {
    const { phase } = this.class.status;
    // Whoever is in the class and has only lost the media, or both, need not come in again.
    if (phase === "inside" || phase === "reconnecting") return;
    this.untried = pass.token;
    this.class.connect();
    const tooLate = setTimeout(() => {
      if (this.class.status.phase === "joining") this.class.disconnect();
    }, classTimeoutMs);
    try {
      await this.class.untilInside();
    } catch (cause) {
      throw asEnterError(cause, this.class.lastBye);
    } finally {
      clearTimeout(tooLate);
    }
  }

  /** The one of the pass at first; if the server does not take it any more, a fresh one for the same person. */
  private async stateToken(): Promise<string> {
    const { untried } = this;
    this.untried = null;
    if (untried !== null) return untried;
    if (this.invitation === null) throw new Error("no invitation");
    const pass = await acceptInvite(
      this.apiUrl,
      { invite: this.invitation.invite, name: this.invitation.name, returning: this.token },
      this.fetchFn,
    );
    this.token = pass.token;
    return pass.token;
  }

  /** The lobby, and the server's last word about us. Breaks of the state socket alone are its own business. */
  private handleClass(): void {
    const { status } = this.class;
    const { phase } = this.current.connection;
    // A class that is full is said to be full; whether to try again is the person's choice.
    if (phase === "joining" && status.phase === "joining" && this.class.lastBye?.code === "limit") {
      this.class.disconnect();
      return;
    }
    const comesIn = phase === "joining" || phase === "waiting" || phase === "reconnecting";
    if (status.phase === "waiting" && comesIn) this.setConnection({ phase: "waiting" });
    else if (status.phase === "inside" && phase === "waiting") this.setConnection({ phase: "joining" });
    if (status.phase !== "ended" || (phase !== "inside" && phase !== "reconnecting")) return;
    if (status.code !== "left") void this.end(reasonOf(status.code), status.message);
  }

  private serverUrl(): string {
    return (
      this.pass?.serverUrl ??
      (this.apiUrl === "" ? globalThis.location.origin : this.apiUrl).replace(/^http/, "ws")
    );
  }

  /** Tells the room before this one goodbye, and makes the captures fit for the next. */
  private async leaveOldRoom(): Promise<void> {
    const room = this.liveRoom;
    if (room === null) return;
    this.liveRoom = null;
    this.watch.stop();
    this.unbind();
    this.unbind = () => undefined;
    this.plugDevices(null);
    await Promise.race([room.disconnect(false), delay(farewellLimitMs)]).catch(() => undefined);
    for (const device of Object.values(this.devices)) device.renew();
  }

  // ---- Coming back ----

  private async joinAgainUntilInside(sinceMs: number, firstPauseMs = 0): Promise<void> {
    const generation = ++this.generation;
    clearTimeout(this.repairTimer);
    this.setConnection({ phase: "reconnecting", sinceMs, attempt: 1 });
    if (firstPauseMs > 0) await this.pause(firstPauseMs);
    for (let attempt = 1; generation === this.generation; attempt += 1) {
      this.setConnection({ phase: "reconnecting", sinceMs, attempt });
      try {
        await this.connect(generation);
        return;
      } catch (error) {
        if (generation !== this.generation) return;
        if (error instanceof ClassroomError && !error.retryable) {
          await this.end("refused", error.message);
          return;
        }
        if (Date.now() - sinceMs > giveUpAfterMs) {
          await this.end("gave_up", "We could not bring you back. Check your network, then join again.");
          return;
        }
      }
      await this.pause(retryDelayMs(attempt, this.random()));
    }
  }

  /** Waits for the next try; `tryNow`, and a network that is back, cut it short. */
  private async pause(ms: number): Promise<void> {
    const over = new AbortController();
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      const timer = setTimeout(resolve, ms);
      over.signal.addEventListener("abort", () => clearTimeout(timer));
      if (typeof window !== "undefined") {
        window.addEventListener("online", () => resolve(), { signal: over.signal });
      }
    });
    over.abort();
    this.wakeUp = null;
  }

  /** LiveKit has noticed a break and repairs it; we only watch the clock. */
  private handleBreak(): void {
    if (this.current.connection.phase !== "inside") return;
    this.plugDevices(null);
    this.watch.isSearching();
    this.setConnection({ phase: "reconnecting", sinceMs: Date.now(), attempt: 0 });
    clearTimeout(this.repairTimer);
    this.repairTimer = setTimeout(() => this.takeOver(), repairLimitMs);
  }

  /** What has come so far from others, and in answer to what one sends. */
  private received(): Promise<(number | null)[]> {
    return Promise.all([receivedFromOthers(this.liveRoom), receivedByOwn(this.liveRoom)]);
  }

  /** The server can be reached, and nothing comes: LiveKit's client would find out only after its own time-outs. */
  private handleStuck({ forMs, socketAnswers }: Stuck): void {
    const { phase } = this.current.connection;
    if (phase !== "inside" && forMs >= resumeLimitMs) {
      this.takeOver();
    } else if (phase === "inside" && !socketAnswers) {
      this.class.checkLine();
      // The way that LiveKit's client offers to begin a resume.
      void this.liveRoom?.simulateScenario("signal-reconnect").catch(() => undefined);
    } else {
      void restartIce(this.liveRoom).catch(() => undefined);
    }
  }

  private takeOver(): void {
    const { connection } = this.current;
    const repairing = connection.phase === "reconnecting" && connection.attempt === 0;
    if (repairing) void this.joinAgainUntilInside(connection.sinceMs);
  }

  private handleDisconnected(reason: DisconnectReason | undefined): void {
    const { connection } = this.current;
    // While joining, the promise of `room.connect` tells the same.
    const repairing = connection.phase === "reconnecting" && connection.attempt === 0;
    if (connection.phase !== "inside" && !repairing) return;
    switch (reason) {
      case DisconnectReason.DUPLICATE_IDENTITY:
        void this.end("elsewhere", "You joined this class in another window. This one has stopped.");
        return;
      case DisconnectReason.PARTICIPANT_REMOVED:
        void this.end("removed", "You were removed from the class.");
        return;
      case DisconnectReason.ROOM_DELETED:
      case DisconnectReason.ROOM_CLOSED:
        void this.end("class_over", "The class is over.");
        return;
      case DisconnectReason.CLIENT_INITIATED:
        // Not by `leave()`, which unbinds first: the page is being unloaded, or was frozen in the background.
        // If it lives on after the pause, it returns.
        void this.joinAgainUntilInside(Date.now(), unloadPauseMs);
        return;
      default:
        void this.joinAgainUntilInside(repairing ? connection.sinceMs : Date.now());
    }
  }

  private async end(reason: EndReason, message: string): Promise<void> {
    this.generation += 1;
    clearTimeout(this.repairTimer);
    this.wakeUp?.();
    this.setConnection({ phase: "ended", reason, message });
    // A goodbye is the person's alone: whoever gives up keeps the place for a while.
    if (reason === "left" || reason === "elsewhere") this.class.leave();
    else this.class.disconnect();
    this.patch({ people: [] });
    this.goodbye = this.letGo();
    await this.goodbye;
  }

  private async letGo(): Promise<void> {
    const screen = this.devices.screen.set(false);
    await this.leaveOldRoom();
    await screen;
    for (const device of Object.values(this.devices)) device.release();
  }

  // ---- LiveKit's events ----

  private bind(room: Room): () => void {
    const refresh = () => this.scheduleFlush();
    const handleBreak = () => this.handleBreak();
    const undo: (() => void)[] = [];
    const on = <Name extends keyof RoomEventCallbacks>(name: Name, handler: RoomEventCallbacks[Name]) => {
      room.on(name, handler);
      undo.push(() => room.off(name, handler));
    };
    on(RoomEvent.SignalReconnecting, handleBreak);
    on(RoomEvent.Reconnecting, handleBreak);
    on(RoomEvent.Reconnected, () => this.enter(room));
    on(RoomEvent.Disconnected, (reason) => this.handleDisconnected(reason));
    on(RoomEvent.ParticipantConnected, refresh);
    on(RoomEvent.ParticipantDisconnected, refresh);
    on(RoomEvent.ParticipantNameChanged, refresh);
    on(RoomEvent.ParticipantAttributesChanged, refresh);
    on(RoomEvent.ParticipantPermissionsChanged, refresh);
    on(RoomEvent.ActiveSpeakersChanged, refresh);
    on(RoomEvent.ConnectionQualityChanged, refresh);
    on(RoomEvent.AudioPlaybackStatusChanged, refresh);
    on(RoomEvent.TrackPublished, (publication) => {
      this.subscribeAsWanted(publication);
      refresh();
    });
    on(RoomEvent.TrackUnpublished, refresh);
    on(RoomEvent.TrackMuted, refresh);
    on(RoomEvent.TrackUnmuted, refresh);
    on(RoomEvent.TrackSubscribed, (track) => {
      // Sound plays from an element that is in no page; pictures are attached by whoever shows them.
      if (track.kind === Track.Kind.Audio) track.attach();
      refresh();
    });
    on(RoomEvent.TrackUnsubscribed, (track) => {
      if (track.kind === Track.Kind.Audio) track.detach();
      refresh();
    });
    return () => {
      for (const off of undo) off();
      for (const person of room.remoteParticipants.values()) {
        for (const publication of person.audioTrackPublications.values()) publication.track?.detach();
      }
    };
  }

  private subscribeToPictures(): void {
    for (const person of this.liveRoom?.remoteParticipants.values() ?? []) {
      for (const publication of person.trackPublications.values()) this.subscribeAsWanted(publication);
    }
  }

  private subscribeAsWanted(publication: RemoteTrackPublication): void {
    const wanted = !this.current.picturesPaused;
    if (publication.kind === Track.Kind.Video && publication.isDesired !== wanted)
      publication.setSubscribed(wanted);
  }

  // ---- Devices ----

  private async setDevice(kind: DeviceKind, on: boolean): Promise<void> {
    const change = this.devices[kind].set(on);
    this.remember();
    await change;
  }

  private plugDevices(outlet: Outlet | null): void {
    for (const device of Object.values(this.devices)) device.plug(outlet);
  }

  // ---- State ----

  private setConnection(connection: Connection): void {
    this.patch({ connection });
    this.remember();
    this.scheduleFlush();
  }

  private patch(change: Partial<ClassroomState>): void {
    this.current = { ...this.current, ...change };
    this.notify();
  }

  /** Many LiveKit events arrive together; one reading of the room answers them all. */
  private scheduleFlush(): void {
    if (this.flushing) return;
    this.flushing = true;
    queueMicrotask(() => {
      this.flushing = false;
      this.flush();
    });
  }

  private flush(): void {
    const room = this.liveRoom;
    const before = this.current;
    const inside = before.connection.phase === "inside" && room?.state === ConnectionState.Connected;
    const me: Me = {
      identity: this.pass?.identity ?? null,
      name: this.pass?.name ?? this.invitation?.name ?? "",
      role: (inside ? roleOf(room.localParticipant) : null) ?? this.pass?.role ?? null,
      speaking: inside && room.localParticipant.isSpeaking,
      network: inside ? networkOf(room.localParticipant) : "unknown",
      microphone: this.freshDevice("microphone"),
      camera: this.freshDevice("camera"),
      screen: this.freshDevice("screen"),
    };
    const ended = before.connection.phase === "ended";
    const next: ClassroomState = {
      ...before,
      shareInvite: this.pass?.shareInvite ?? "",
      me: sameFields(me, before.me) ? before.me : me,
      people: ended
        ? before.people
        : peopleOf(room?.remoteParticipants.values() ?? [], before.people, !inside),
      audioBlocked: inside && !room.canPlaybackAudio,
    };
    if (sameFields(next, before)) return;
    this.current = next;
    if (me.microphone.on !== before.me.microphone.on || me.camera.on !== before.me.camera.on) this.remember();
    this.notify();
  }

  private freshDevice(kind: DeviceKind): OwnDeviceState {
    const state = this.devices[kind].state;
    const before = this.current.me[kind];
    return sameFields(state, before) ? before : state;
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }

  // ---- What the tab remembers ----

  private takeUpMemory(): void {
    const memory = recallTab(this.storage, this.current.room);
    if (memory === null) return;
    this.token = memory.token;
    this.invitation = { invite: memory.invite, name: memory.name };
    this.current = {
      ...this.current,
      speakerId: memory.speakerId,
      picturesPaused: memory.picturesPaused,
      me: { ...this.current.me, name: memory.name },
    };
    void this.devices.microphone.choose(memory.microphoneId);
    void this.devices.camera.choose(memory.cameraId);
  }

  private remember(): void {
    if (this.invitation === null) return;
    const { phase } = this.current.connection;
    // Before the first entry there is nothing to return to; the join that is under way will remember.
    if (phase === "outside" || phase === "joining") return;
    rememberTab(this.storage, this.current.room, {
      inside: phase !== "ended",
      invite: this.invitation.invite,
      name: this.pass?.name ?? this.invitation.name,
      token: this.token,
      microphoneOn: this.devices.microphone.state.on,
      cameraOn: this.devices.camera.state.on,
      picturesPaused: this.current.picturesPaused,
      microphoneId: this.devices.microphone.state.deviceId,
      cameraId: this.devices.camera.state.deviceId,
      speakerId: this.current.speakerId,
    });
  }
}

function outletOf(room: Room): Outlet {
  const me = room.localParticipant;
  const source: Record<DeviceKind, Track.Source> = {
    microphone: Track.Source.Microphone,
    camera: Track.Source.Camera,
    screen: Track.Source.ScreenShare,
  };
  return {
    allows(kind) {
      const { permissions } = me;
      if (permissions === undefined) return true;
      const sources = permissions.canPublishSources.map((allowed) => Track.sourceFromProto(allowed));
      return permissions.canPublish && (sources.length === 0 || sources.includes(source[kind]));
    },
    isPublished(track) {
      for (const publication of me.trackPublications.values()) if (publication.track === track) return true;
      return false;
    },
    async publish(track) {
      const mutedBefore = track.isMuted;
      await me.publishTrack(track);
      // LiveKit cannot tell the server of a mute before the publication has an id. Told again now.
      if (track.isMuted !== mutedBefore)
        track.emit(track.isMuted ? TrackEvent.Muted : TrackEvent.Unmuted, track);
    },
    async unpublish(track) {
      await me.unpublishTrack(track, false);
    },
  };
}

function createLiveKitRoom(speakerId: string | null): Room {
  return new Room({
    adaptiveStream: true,
    dynacast: true,
    disconnectOnPageLeave: true,
    // Captures belong to the devices above; they outlive a room.
    stopLocalTrackOnUnpublish: false,
    // Lyceum speaks the protocol with two peer connections; asking for one first would cost a round trip.
    singlePeerConnection: false,
    reconnectPolicy: {
      nextRetryDelayInMs: ({ retryCount, elapsedMs }) =>
        elapsedMs > repairLimitMs
          ? null
          : retryCount === 0
            ? Math.random() * 150
            : Math.min(200 * 2 ** retryCount, 2_000) * (0.75 + Math.random() * 0.5),
    },
    publishDefaults: {
      simulcast: true,
      videoCodec: "vp8",
      videoSimulcastLayers: [VideoPresets.h180, VideoPresets.h360],
      screenShareEncoding: ScreenSharePresets.h1080fps15.encoding,
    },
    ...(speakerId === null ? {} : { audioOutput: { deviceId: speakerId } }),
  });
}

/** Failures of the network, in contrast to those of the class. */
const lostOnTheWay: ReadonlySet<ConnectionErrorReason> = new Set([
  ConnectionErrorReason.ServerUnreachable,
  ConnectionErrorReason.WebSocket,
]);

function asConnectError(cause: unknown): ClassroomError {
  if (cause instanceof ConnectionError && lostOnTheWay.has(cause.reason as ConnectionErrorReason)) {
    return new ClassroomError(
      "unreachable",
      "We cannot reach the class. Check your network, then try again.",
      { cause },
    );
  }
  return new ClassroomError(
    "no_connection",
    "The class answered, but sound and video could not be connected. A firewall may block them. Try again, or use another network.",
    { cause },
  );
}

function reasonOf(code: ByeCode): EndReason {
  switch (code) {
    case "not_admitted":
      return "removed";
    case "session_ended":
      return "class_over";
    case "superseded":
      return "elsewhere";
    case "left":
      return "left";
    default:
      return "refused";
  }
}

function asEnterError(cause: unknown, bye: Bye | null): ClassroomError {
  if (bye?.code === "limit") return new ClassroomError("room_full", bye.message, { cause });
  if (!(cause instanceof StateEnded) || cause.code === "left") {
    return new ClassroomError(
      "unreachable",
      "We cannot reach the class. Check your network, then try again.",
      { cause },
    );
  }
  switch (reasonOf(cause.code)) {
    case "removed":
      return new ClassroomError("not_admitted", cause.message, { cause });
    case "class_over":
    case "elsewhere":
      return new ClassroomError("class_over", cause.message, { cause });
    default:
      return new ClassroomError("refused", cause.message, { cause });
  }
}

/** Where there is no state socket to be asked: asks for something that the server always refuses: an attribute of its own. The refusal is the answer. */
async function askOnSocket(room: Room | null): Promise<void> {
  if (room === null) throw new Error("no class");
  await room.localParticipant.setAttributes({ "lyceum.echo": "?" }).catch((error: unknown) => {
    const answered = error instanceof SignalRequestError && error.reasonName !== "TimeoutError";
    if (!answered) throw error;
  });
}

/** Looks for a new way for both connections on the socket that there is: for the one here, and by the server for the other. */
async function restartIce(room: Room | null): Promise<void> {
  const { client, pcManager } = room?.engine ?? {};
  const value = CandidateProtocol.UDP;
  await client?.sendSimulateScenario(
    new SimulateScenario({ scenario: { case: "switchCandidateProtocol", value } }),
  );
  await pcManager?.triggerIceRestart();
}

/** Where nobody sends anything, nothing is to be heard. */
async function receivedFromOthers(room: Room | null): Promise<number | null> {
  for (const person of room?.remoteParticipants.values() ?? []) {
    for (const { track } of person.trackPublications.values()) {
      if (track !== undefined) return bytesReceived(await track.getRTCStatsReport());
    }
  }
  return null;
}

async function receivedByOwn(room: Room | null): Promise<number | null> {
  for (const { track } of room?.localParticipant.trackPublications.values() ?? []) {
    if (track?.sender !== undefined) return answersReceived(await track.sender.getStats());
  }
  return null;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function sessionStorageOrNull(): Storage | null {
  try {
    return globalThis.sessionStorage;
  } catch {
    // Storage is switched off for this page.
    return null;
  }
}
