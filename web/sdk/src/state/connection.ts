/**
 * The state socket of one person in one class: comes in, stays in, comes back. What the class is lies in `store`; what this
 * person does goes through `command`. It draws nothing, needs no browser, and knows no media.
 *
 * A lost connection is tried again until `leave`, quickly at first. Whoever comes back says how far they had come, and is told what they
 * missed; commands without an answer are sent again.
 */
import { retryDelayMs } from "../backoff.js";
import type { Commands } from "../generated/class.js";
import { ServerClock } from "./clock.js";
import { Drafts, type Answers } from "./drafts.js";
import { deviceId } from "./ids.js";
import { Listeners } from "./listeners.js";
import { Outbox, type Outcome, type Pending } from "./outbox.js";
import { Store } from "./store.js";
import {
  readMessage,
  type Bye,
  type ByeCode,
  type ClientMessage,
  type CommandType,
  type DocClosed,
  type DocPulse,
  type ServerMessage,
  type Signal,
  type Welcome,
} from "./wire.js";

export type StateStatus =
  | { readonly phase: "outside" }
  | { readonly phase: "joining" }
  /** In the lobby, until somebody lets us in. */
  | { readonly phase: "waiting" }
  | { readonly phase: "inside" }
  /** `sinceMs`: when the connection was lost, in ms since the epoch. */
  | { readonly phase: "reconnecting"; readonly sinceMs: number; readonly attempt: number }
  | { readonly phase: "ended"; readonly code: ByeCode; readonly message: string };

/** What of a WebSocket is used, so that others than the browser's will do. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  onerror: (() => void) | null;
  /** Binary messages come as `ArrayBuffer`s. */
  binaryType?: string;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

/** What `@lyceum/sdk/documents` uses of the socket: documents travel on it as binary messages, which mean nothing here. */
export interface DocumentLine {
  /** Whether we are in the class and the server is talking to us. */
  isOpen(): boolean;
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Closes a document on the socket of the moment. */
  close(name: string): void;
  /** Returns how to stop. */
  listen(listener: DocumentListener): () => void;
}

export interface DocumentListener {
  /** A socket on which documents can be opened; nothing is open on it yet. */
  opened(): void;
  lost(): void;
  heard(message: Uint8Array): void;
  closed(message: DocClosed): void;
  pulse(documents: Readonly<Record<string, DocPulse>>): void;
}

export interface StateOptions {
  /** Where the server is, such as `wss://class.example.org`; `http` and `https` will do as well. */
  url: string | (() => string);
  /** An access token, or how to get one: asked for whenever the one at hand is not taken (any more). */
  token: string | (() => Promise<string>);
  /** Names what the tab keeps in its storage; the room, for instance. */
  name?: string;
  /** Where commands without an answer outlive a reload; `null` for nowhere. */
  storage?: Storage | null;
  client?: { sdk?: string; version?: string; os?: string; browser?: string };
  /** Seams for tests, and for places without a global WebSocket. */
  createSocket?: (url: string) => Socket;
  random?: () => number;
}

export interface CommandOptions {
  /** The revision (`rev`) of what the command changes, as it was seen last; contested commands need it. */
  expect?: number;
  /** How long it may wait for an answer, in milliseconds. */
  ttlMs?: number;
}

type IsEmpty<T> = Record<string, never> extends T ? true : false;
/** The payload may be left out where it is empty. */
export type CommandArguments<T extends CommandType> =
  IsEmpty<Commands[T]> extends true
    ? [payload?: Commands[T], options?: CommandOptions]
    : [payload: Commands[T], options?: CommandOptions];

/** What went on, for debugging and tests. */
export interface StateCounters {
  welcomes: number;
  snapshots: number;
  deltas: number;
  pulses: number;
  /** Hashes that were not the server's. */
  divergences: number;
  /** Messages that the server could not read. */
  errors: number;
}

/** How long a command waits for its answer, in milliseconds. */
const ttlMs = 30_000;
const ttlByType: Partial<Record<CommandType, number>> = { "hand.raise": 60_000 };
/** How long an answer to a poll is worth sending after the close: the server keeps it for the teacher then. */
const afterCloseMs = 10 * 60_000;
/** An answer to a poll that has no time to close. */
const longestTtlMs = 24 * 3_600_000;

/** How long opening a socket and being welcomed may take, in milliseconds. */
const welcomeWithinMs = 10_000;
/** How often the clock is asked for, in milliseconds. */
const pingEveryMs = 10_000;
const firstPings = 3;
/** The server says something every five seconds. After so much silence it is asked, and then given up, in milliseconds. */
const suspiciousMs = 7_000;
const lostAfterMs = 11_000;
const pongWithinMs = 5_000;
/** How long an answer may take where the way seems to be broken, in milliseconds. */
const checkedWithinMs = 1_500;
/** "After a second or two": when a `bye` says that coming again makes sense, in milliseconds. */
const afterByeMs = 1_000;

export class StateConnection {
  readonly store = new Store();
  readonly clock = new ServerClock();
  readonly counters: StateCounters = {
    welcomes: 0,
    snapshots: 0,
    deltas: 0,
    pulses: 0,
    divergences: 0,
    errors: 0,
  };

  private current: StateStatus = { phase: "outside" };
  private socket: Socket | null = null;
  /** On the socket of the moment. */
  private welcomed = false;
  private resumeToken: string | null = null;
  private readonly device: string;
  private fresh = false;
  private attempt = 0;
  private lostAt = 0;
  private distrust = 0;
  private heardAt = 0;
  private pings = new Map<number, { answered: () => void; failed: (error: Error) => void }>();
  private lastPing = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private welcomeTimer: ReturnType<typeof setTimeout> | undefined;
  private pulseTimer: ReturnType<typeof setInterval> | undefined;
  private stopListening: () => void = () => undefined;

  private lastBye_: Bye | null = null;
  private readonly outbox: Outbox;
  private readonly drafts: Drafts;
  private readonly statusChanged = new Listeners();
  private readonly signalled = new Listeners<[Signal]>();
  private readonly answered = new Listeners<[Pending, Outcome]>();
  private readonly pendingChanged = new Listeners();
  private readonly documentListeners = new Set<DocumentListener>();
  /** Whether those who listen have been told that the line is open. */
  private documentsOpen = false;

  /** For `@lyceum/sdk/documents`. */
  readonly documents: DocumentLine = {
    isOpen: () => this.documentsOpen,
    send: (message) => this.transmit(message),
    close: (name) => this.send({ t: "doc_close", doc: name }),
    listen: (listener) => {
      this.documentListeners.add(listener);
      return () => void this.documentListeners.delete(listener);
    },
  };

  constructor(private readonly options: StateOptions) {
    const storage = options.storage === undefined ? sessionStorageOrNull() : options.storage;
    const name = options.name ?? (typeof options.url === "string" ? options.url : "class");
    this.device = rememberedDevice(storage, `lyceum.device.${name}`);
    this.outbox = new Outbox(
      storage,
      `lyceum.outbox.${name}`,
      (pending, outcome) => this.answered.tell(pending, outcome),
      () => this.pendingChanged.tell(),
    );
    this.drafts = new Drafts((poll, answers) => void this.sendDraft(poll, answers));
    this.store.onEvent((event) => {
      if (event.type === "poll.closing") this.drafts.flush(event.payload.poll);
      if (event.type === "poll.closed") this.drafts.drop(event.payload.poll);
    });
  }

  get status(): StateStatus {
    return this.current;
  }

  /** Why the server closed the last connection; `null` once it has welcomed us again. */
  get lastBye(): Bye | null {
    return this.lastBye_;
  }

  /** Commands without an answer, oldest first; the same list as long as there are no others. */
  get pending(): readonly Pending[] {
    return this.outbox.pending;
  }

  /** Calls back whenever `pending` is another list; returns how to stop. */
  onPending(listener: () => void): () => void {
    return this.pendingChanged.add(listener);
  }

  /** Calls back after each change of `status`; returns how to stop. */
  subscribe(listener: () => void): () => void {
    return this.statusChanged.add(listener);
  }

  /** Reactions, and whatever else is kept nowhere. */
  onSignal(listener: (signal: Signal) => void): () => void {
    return this.signalled.add(listener);
  }

  /** Each outcome, also of commands from before a reload. */
  onOutcome(listener: (pending: Pending, outcome: Outcome) => void): () => void {
    return this.answered.add(listener);
  }

  /** Comes in, and stays in until `leave` or a `bye` for good. */
  connect(): void {
    if (this.current.phase !== "outside" && this.current.phase !== "ended") return;
    this.attempt = 0;
    this.lastBye_ = null;
    // Who comes in now may be somebody else.
    this.fresh = true;
    this.setStatus({ phase: "joining" });
    this.listenToNetwork();
    void this.open();
  }

  /** Settles once we are inside; rejects with a `StateEnded` if that cannot be. The lobby may take long. */
  async untilInside(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        const status = this.current;
        if (status.phase === "inside") resolve();
        else if (status.phase === "ended") reject(new StateEnded(status.code, status.message));
        else if (status.phase === "outside") reject(new StateEnded("left", "You left the class."));
        else return false;
        return true;
      };
      if (look()) return;
      const stop = this.subscribe(() => {
        if (look()) stop();
      });
    });
  }

  /**
   * Does something in the class. The promise always comes to the one outcome of the command and never throws; a lost
   * connection only makes it later.
   */
  command<T extends CommandType>(type: T, ...[payload, options]: CommandArguments<T>): Promise<Outcome> {
    if (this.current.phase === "ended") {
      const message = "You are not in the class any more.";
      return Promise.resolve({ status: "rejected", code: "gone", message, sent: false });
    }
    const body = payload ?? ({} as Commands[T]);
    if (type === "poll.respond") this.drafts.drop((body as Commands["poll.respond"]).poll);
    return this.outbox.add({
      type,
      payload: body,
      expect: options?.expect,
      epoch: this.store.grant?.epoch,
      expiresAt: options?.ttlMs === undefined ? this.expiryOf(type, body) : Date.now() + options.ttlMs,
    });
  }

  /** Keeps an answer that is not submitted yet, a second after its last change. Anonymous polls keep none. */
  saveDraft(poll: number, answers: Answers): void {
    if (this.store.one("polls", poll)?.spec.anonymity === "anonymous") return;
    this.drafts.change(poll, answers);
  }

  /** Settles once the server has answered on this socket; rejects if it does not, or if there is none. */
  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.welcomed) {
        reject(new Error("not connected"));
        return;
      }
      const id = ++this.lastPing;
      const timer = setTimeout(() => done(() => reject(new Error("no answer"))), pongWithinMs);
      const done = (tell: () => void) => {
        clearTimeout(timer);
        this.pings.delete(id);
        tell();
      };
      this.pings.set(id, { answered: () => done(resolve), failed: (error) => done(() => reject(error)) });
      this.send({ t: "ping", id, at: Date.now() });
    });
  }

  /** The server's address for requests beside the socket, without a slash at the end. */
  get origin(): string {
    const { url } = this.options;
    return (typeof url === "string" ? url : url()).replace(/^ws/, "http").replace(/\/+$/, "");
  }

  /** The token of the last welcome, which requests beside the socket take as well; `null` before the first. */
  get bearer(): string | null {
    return this.resumeToken;
  }

  /** Whether the server is talking to us at the moment. */
  get connected(): boolean {
    return this.welcomed;
  }

  /** Says goodbye: this device leaves the class at once. */
  leave(): void {
    if (this.current.phase === "outside" || this.current.phase === "ended") return;
    this.drafts.flush();
    if (this.current.phase === "waiting") void this.command("lobby.withdraw");
    if (this.welcomed) this.send({ t: "leave" });
    this.end("left", "You left the class.");
  }

  /** Lets go of the socket without a goodbye: the place in the class is kept for a while. */
  disconnect(): void {
    this.outbox.stop();
    this.drafts.dropAll();
    this.letGo();
    this.stopListening();
    this.setStatus({ phase: "outside" });
  }

  /** Does not wait any longer with the next try. */
  tryNow(): void {
    if (this.current.phase !== "reconnecting" && this.current.phase !== "joining") return;
    if (this.socket !== null) return;
    clearTimeout(this.retryTimer);
    void this.open();
  }

  /** The way may be broken: if the server does not answer soon, does not wait for the socket to find out. */
  checkLine(): void {
    const { socket } = this;
    if (socket === null) {
      this.tryNow();
      return;
    }
    const askedAt = Date.now();
    void this.ping().catch(() => undefined);
    setTimeout(() => {
      if (this.heardAt < askedAt) this.handleLoss(socket);
    }, checkedWithinMs);
  }

  // ---- Coming in and coming back ----

  private async open(): Promise<void> {
    clearTimeout(this.retryTimer);
    this.retryTimer = undefined;
    let token = this.resumeToken;
    if (token === null) {
      const generation = ++this.openings;
      try {
        token = typeof this.options.token === "string" ? this.options.token : await this.options.token();
      } catch {
        if (generation === this.openings) this.tryAgainLater();
        return;
      }
      if (generation !== this.openings || this.socket !== null || !this.isWanted()) return;
    }
    const hello = this.hello(token);
    let socket: Socket;
    try {
      socket = (this.options.createSocket ?? createWebSocket)(this.address());
    } catch (error) {
      this.end("invalid", error instanceof Error ? error.message : "The address of the class is no address.");
      return;
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    this.welcomed = false;
    this.welcomeTimer = setTimeout(() => this.handleLoss(socket), welcomeWithinMs);
    socket.onopen = () => {
      if (this.socket === socket) this.send(hello);
    };
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.handleData(socket, data);
    };
    socket.onclose = () => this.handleLoss(socket);
    socket.onerror = () => undefined;
  }

  private openings = 0;

  private address(): string {
    const { url } = this.options;
    return socketUrl(typeof url === "string" ? url : url());
  }

  private hello(token: string): ClientMessage {
    const { session, seq } = this.store;
    const { client } = this.options;
    const known = session === null || this.fresh ? {} : { session, seq };
    return {
      t: "hello",
      token,
      device: this.device,
      client: { sdk: "lyceum-js", version: "0.1.0", ...client },
      ...known,
    };
  }

  private isWanted(): boolean {
    return this.current.phase !== "outside" && this.current.phase !== "ended";
  }

  private handleLoss(socket: Socket): void {
    if (this.socket !== socket) return;
    this.letGo();
    if (!this.isWanted()) return;
    this.tryAgainLater();
  }

  private tryAgainLater(leastMs = 0): void {
    if (!this.isWanted()) return;
    if (this.current.phase !== "reconnecting" && this.current.phase !== "joining") this.lostAt = Date.now();
    this.attempt += 1;
    const random = (this.options.random ?? Math.random)();
    // The first try after a loss comes at once; spread all the same, since a server that restarts loses everybody.
    const wait = this.attempt === 1 ? random * 200 : retryDelayMs(this.attempt - 1, random);
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(() => void this.open(), leastMs > 0 ? leastMs * (1 + random) + wait : wait);
    if (this.current.phase === "joining") this.setStatus({ phase: "joining" });
    else this.setStatus({ phase: "reconnecting", sinceMs: this.lostAt, attempt: this.attempt });
  }

  private letGo(): void {
    const socket = this.socket;
    this.socket = null;
    this.welcomed = false;
    if (this.documentsOpen) {
      this.documentsOpen = false;
      this.tellDocuments((listener) => listener.lost());
    }
    this.openings += 1;
    clearTimeout(this.welcomeTimer);
    clearTimeout(this.retryTimer);
    clearInterval(this.pulseTimer);
    this.outbox.close();
    for (const ping of [...this.pings.values()]) ping.failed(new Error("the connection was lost"));
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    try {
      socket.close(1000);
    } catch {
      // It was closed already.
    }
  }

  private end(code: ByeCode, message: string): void {
    this.letGo();
    this.stopListening();
    this.drafts.dropAll();
    this.outbox.clear(message);
    this.resumeToken = null;
    this.setStatus({ phase: "ended", code, message });
  }

  private setStatus(status: StateStatus): void {
    this.current = status;
    this.statusChanged.tell();
  }

  // ---- What the server says ----

  private handleData(socket: Socket, data: unknown): void {
    this.heardAt = Date.now();
    if (data instanceof ArrayBuffer) {
      this.tellDocuments((listener) => listener.heard(new Uint8Array(data)));
      return;
    }
    const message = readMessage(data);
    if (message === null) return;
    try {
      this.handle(message);
    } catch {
      // A message that does not fit what is here: everything anew says more than any repair.
      this.handleDivergence(socket);
    }
  }

  private handle(message: ServerMessage): void {
    switch (message.t) {
      case "welcome":
        this.handleWelcome(message);
        return;
      case "ev":
        this.store.applyEvent(message);
        if (this.current.phase === "waiting" && this.store.admitted) {
          this.setStatus({ phase: "inside" });
          this.openDocuments();
        }
        return;
      case "ack":
        this.outbox.handleAck(message);
        return;
      case "signal":
        this.signalled.tell(message);
        return;
      case "pulse":
        this.counters.pulses += 1;
        if (this.store.applyPulse(message.seq, message.hash)) this.distrust = 0;
        else if (this.socket !== null) this.handleDivergence(this.socket);
        if (message.docs !== undefined) {
          const { docs } = message;
          this.tellDocuments((listener) => listener.pulse(docs));
        }
        return;
      case "doc_closed":
        this.tellDocuments((listener) => listener.closed(message));
        return;
      case "pong":
        this.clock.answered(message.at, message.received, message.sent);
        this.pings.get(message.id)?.answered();
        return;
      case "error":
        this.counters.errors += 1;
        return;
      case "bye":
        this.handleBye(message);
        return;
    }
  }

  private handleWelcome(welcome: Welcome): void {
    clearTimeout(this.welcomeTimer);
    this.counters.welcomes += 1;
    this.lastBye_ = null;
    if (welcome.snapshot === undefined) this.counters.deltas += 1;
    else this.counters.snapshots += 1;
    this.clock.heard(welcome.now);
    this.store.applyWelcome(welcome);
    this.resumeToken = welcome.token;
    this.fresh = false;
    this.attempt = 0;
    this.welcomed = true;
    this.outbox.open(`${welcome.session}/${welcome.you}`, (message) => this.send(message));
    this.watchLine();
    this.setStatus({ phase: this.store.admitted ? "inside" : "waiting" });
    if (this.store.admitted) this.openDocuments();
  }

  private openDocuments(): void {
    // Whoever was told of the welcome may have left.
    if (!this.welcomed || this.documentsOpen) return;
    this.documentsOpen = true;
    this.tellDocuments((listener) => listener.opened());
  }

  private tellDocuments(tell: (listener: DocumentListener) => void): void {
    for (const listener of [...this.documentListeners]) tell(listener);
  }

  private handleBye(bye: Bye): void {
    const { code, message, retry } = bye;
    this.lastBye_ = bye;
    // The token of an earlier welcome may have run out while an access token is still good, or can be had.
    if (code === "unauthorized" && this.resumeToken !== null) {
      this.resumeToken = null;
      this.letGo();
      this.tryAgainLater();
    } else if (retry) {
      this.letGo();
      this.tryAgainLater(afterByeMs);
    } else {
      this.end(code, message);
    }
  }

  /** What is here is not what the server has: everything comes anew. It is shown as it is until then. */
  private handleDivergence(socket: Socket): void {
    this.counters.divergences += 1;
    this.distrust += 1;
    this.fresh = true;
    if (this.socket !== socket) return;
    this.letGo();
    this.tryAgainLater(this.distrust > 1 ? retryDelayMs(this.distrust, 0.5) : 0);
  }

  // ---- Being alive ----

  private watchLine(): void {
    clearInterval(this.pulseTimer);
    this.heardAt = Date.now();
    let asked = 0;
    let askedAt = 0;
    const ask = () => {
      asked += 1;
      askedAt = Date.now();
      void this.ping().catch(() => undefined);
    };
    ask();
    let lookedAt = Date.now();
    this.pulseTimer = setInterval(() => {
      const now = Date.now();
      // The device slept: whatever was asked before says nothing, and the socket is asked first.
      const slept = now - lookedAt > suspiciousMs;
      lookedAt = now;
      if (slept) {
        this.clock.forget();
        this.heardAt = now - suspiciousMs;
      }
      const silentMs = now - this.heardAt;
      if (silentMs >= lostAfterMs) {
        if (this.socket !== null) this.handleLoss(this.socket);
        return;
      }
      const due = asked < firstPings ? 1_000 : pingEveryMs;
      if (slept || now - askedAt >= due || (silentMs >= suspiciousMs && now - askedAt >= 1_000)) ask();
    }, 1_000);
    // A timer that keeps Node.js running for no other reason would be a surprise; the socket does that.
    (this.pulseTimer as { unref?: () => void }).unref?.();
  }

  private send(message: ClientMessage): void {
    this.transmit(JSON.stringify(message));
  }

  private transmit(message: string | Uint8Array<ArrayBuffer>): void {
    try {
      this.socket?.send(message);
    } catch {
      // The socket is closing, which `onclose` tells.
    }
  }

  private listenToNetwork(): void {
    this.stopListening();
    if (typeof window === "undefined") return;
    const over = new AbortController();
    window.addEventListener("online", () => this.tryNow(), { signal: over.signal });
    window.addEventListener("pagehide", () => this.drafts.flush(), { signal: over.signal });
    this.stopListening = () => over.abort();
  }

  // ---- Answers to polls ----

  private sendDraft(poll: number, answers: Answers): Promise<Outcome> {
    return this.outbox.add({
      type: "poll.save_draft",
      payload: { poll, answers },
      expect: undefined,
      epoch: this.store.grant?.epoch,
      expiresAt: this.expiryOf("poll.save_draft", { poll, answers }),
      replaces: (pending) =>
        pending.type === "poll.save_draft" && (pending.payload as Commands["poll.save_draft"]).poll === poll,
    });
  }

  private expiryOf<T extends CommandType>(type: T, payload: Commands[T]): number {
    if (type !== "poll.respond" && type !== "poll.save_draft") return Date.now() + (ttlByType[type] ?? ttlMs);
    const poll = this.store.one("polls", (payload as Commands["poll.respond"]).poll);
    const until =
      poll?.accept_until ?? (poll?.closes_at == null ? null : poll.closes_at + poll.spec.grace_ms);
    if (until === null) return Date.now() + longestTtlMs;
    return Math.max(this.clock.localTime(until) + afterCloseMs, Date.now() + ttlMs);
  }
}

/** Why somebody is not in the class: the server's last word. */
export class StateEnded extends Error {
  override readonly name = "StateEnded";

  constructor(
    readonly code: ByeCode,
    message: string,
  ) {
    super(message);
  }
}

function socketUrl(url: string): string {
  return `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/classroom/v1`;
}

function createWebSocket(url: string): Socket {
  if (typeof globalThis.WebSocket !== "function") {
    throw new Error("There is no WebSocket here. Give `createSocket`, or use Node.js 22 or newer.");
  }
  return new WebSocket(url) as unknown as Socket;
}

/** The same for this tab after a reload, so that it takes its own connection over. */
function rememberedDevice(storage: Storage | null, key: string): string {
  try {
    const known = storage?.getItem(key);
    if (typeof known === "string" && known !== "") return known;
    const made = deviceId();
    storage?.setItem(key, made);
    return made;
  } catch {
    return deviceId();
  }
}

function sessionStorageOrNull(): Storage | null {
  try {
    return (globalThis as { sessionStorage?: Storage }).sessionStorage ?? null;
  } catch {
    // Storage is switched off for this page.
    return null;
  }
}
