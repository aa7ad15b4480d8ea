/**
 * A server of the state socket that fits into a unit test: one class in which hands go up, messages are written and a poll is answered,
 * and a network between it and its clients that can be told what to lose. It computes its hash in its own way.
 */
import type { Socket } from "../state/connection.js";
import type { Snapshot } from "../state/wire.js";
import type { FakeDocuments } from "./fake-documents.js";

interface Told {
  seq: number;
  event: Record<string, unknown>;
  changes: { in: string; id: string; is: unknown }[];
}

interface Received {
  t: string;
  id?: string;
  type?: string;
  payload?: Record<string, unknown>;
  token?: string;
  device?: string;
  session?: string;
  seq?: number;
  at?: number;
  doc?: string;
}

/** How long a message is on its way, in milliseconds. */
const latencyMs = 5;

export class FakeClass {
  session = "RM_1";
  /** How far the server's clock is ahead, in milliseconds. */
  aheadMs = 0;
  /** What this server remembers to tell those who come back. */
  deltaReach = 1_000;
  isDown = false;
  /** Who comes in waits. */
  lobby = false;
  seq = 1;
  readonly entities: Snapshot = { session: { "": { rev: 1, locked: false } } };
  readonly log: Told[] = [];
  readonly sockets: FakeSocket[] = [];
  readonly hellos: Received[] = [];
  /** Commands in the order in which they came, each time. */
  readonly received: Received[] = [];
  private readonly outcomes = new Map<string, Record<string, unknown>>();
  /** What the network does to the n-th thing from here on; `null` is nothing. */
  fate:
    | ((what: { from: "client" | "server"; message: Received }) => "lose" | "cut" | "deliver and cut" | null)
    | null = null;

  /** What is behind binary messages, if anything is. */
  documents: FakeDocuments | null = null;

  readonly createSocket = (url: string): Socket => {
    const socket = new FakeSocket(this, url);
    this.sockets.push(socket);
    return socket;
  };

  get socket(): FakeSocket | undefined {
    return this.sockets.find((socket) => socket.isOpen && socket.person !== null);
  }

  // ---- What happens in the class ----

  /** Something happens, and everybody here is told. */
  happens(type: string, payload: Record<string, unknown>, changes: Told["changes"], cause?: string): number {
    this.seq += 1;
    for (const { in: collection, id, is } of changes) {
      const entities = (this.entities[collection] ??= {});
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
      if (is === null) delete entities[id];
      else entities[id] = is;
    }
    const event = {
      seq: this.seq,
      at: this.now(),
      mono_ms: 0,
      type,
      payload,
      ...(cause ? { cause: { id: cause } } : {}),
    };
    const told = { seq: this.seq, event, changes };
    this.log.push(told);
    for (const socket of this.sockets) if (socket.person !== null) socket.tell({ t: "ev", event, changes });
    return this.seq;
  }

  admits(person: string): void {
    this.happens("participant.admitted", { person }, [
      { in: "participants", id: person, is: participant(person, this.seq + 1) },
      { in: "grants", id: person, is: { epoch: 1, caps: ["hand.raise", "chat.send"], overrides: {} } },
    ]);
  }

  pulses(): void {
    for (const socket of this.sockets) {
      if (socket.person !== null)
        socket.tell({
          t: "pulse",
          seq: this.seq,
          hash: this.hash(),
          now: this.now(),
          ...(this.documents === null ? {} : { docs: this.documents.pulse(socket) }),
        });
    }
  }

  saysBye(code: string, retry: boolean): void {
    for (const socket of this.sockets.filter((socket) => socket.person !== null)) {
      socket.tell({ t: "bye", code, message: `because of ${code}`, retry });
      socket.endSoon();
    }
  }

  /** All connections break without a word. */
  cut(): void {
    for (const socket of this.sockets) socket.breaks();
  }

  now(): number {
    return Date.now() + this.aheadMs;
  }

  /** As docs/protocol.md says it, in whole numbers of any size. */
  hash(): string {
    const bytes = new TextEncoder();
    let sum = 0n;
    for (const [collection, entities] of Object.entries(this.entities)) {
      for (const [id, entity] of Object.entries(entities)) {
        let hash = 2_166_136_261n;
        for (const byte of bytes.encode(`${collection}/${id}=${sortedJson(entity)}`)) {
          hash = ((hash ^ BigInt(byte)) * 16_777_619n) % 4_294_967_296n;
        }
        sum += hash;
      }
    }
    return (sum % 4_294_967_296n).toString(16).padStart(8, "0");
  }

  // ---- What clients say ----

  handle(socket: FakeSocket, message: Received): void {
    switch (message.t) {
      case "hello":
        this.welcomes(socket, message);
        return;
      case "ping":
        socket.tell({ t: "pong", id: message.id, at: message.at, received: this.now(), sent: this.now() });
        return;
      case "doc_close":
        this.documents?.closes(socket, message.doc ?? "");
        return;
      case "leave":
        socket.tell({ t: "bye", code: "left", message: "goodbye", retry: false });
        socket.endSoon();
        return;
      case "cmd":
        this.received.push(message);
        socket.tell(this.answer(message, socket.person ?? ""));
        return;
    }
  }

  private welcomes(socket: FakeSocket, hello: Received): void {
    this.hellos.push(hello);
    const person = hello.token?.replace(/^resume-/, "") ?? "";
    if (person === "stranger" || hello.token === "resume-old") {
      socket.tell({ t: "bye", code: "unauthorized", message: "who?", retry: false });
      return;
    }
    for (const other of this.sockets) {
      if (other !== socket && other.device === hello.device && other.person !== null) other.person = null;
    }
    socket.device = hello.device ?? "";
    const isKnown = this.entities.participants?.[person] !== undefined;
    if (!isKnown && !this.lobby) this.admits(person);
    socket.person = person;
    const waits = !isKnown && this.lobby;
    const reach = this.seq - this.deltaReach;
    const goesOn = hello.session === this.session && hello.seq !== undefined && hello.seq >= reach;
    const events = this.log.filter(({ seq }) => seq > (hello.seq ?? 0));
    socket.tell({
      t: "welcome",
      session: this.session,
      room: "maths",
      you: person,
      state: waits ? "waiting" : "admitted",
      connection: waits ? null : `PA_${this.hellos.length}`,
      seq: this.seq,
      now: this.now(),
      token: `resume-${person}`,
      ...(goesOn
        ? { delta: { events: events.map(({ event, changes }) => ({ event, changes })) } }
        : { snapshot: waits ? { waiting: { [person]: { name: person } } } : this.entities }),
    });
  }

  private answer({ id = "", type = "", payload = {} }: Received, person: string): Record<string, unknown> {
    const earlier = this.outcomes.get(id);
    if (earlier !== undefined) return { t: "ack", id, repeated: true, enforced: true, ...earlier };
    const outcome = this.decide(id, type, payload, person);
    this.outcomes.set(id, outcome);
    return { t: "ack", id, enforced: true, ...outcome };
  }

  private decide(
    id: string,
    type: string,
    payload: Record<string, unknown>,
    person: string,
  ): Record<string, unknown> {
    const did = (seq: number) => ({ status: "accepted", first: seq, last: seq });
    const next = this.seq + 1;
    switch (type) {
      case "hand.raise": {
        if (this.entities.hands?.[person] !== undefined) return { status: "accepted" };
        const hand = {
          since: next,
          since_at: this.now(),
          intent: payload.intent ?? "question",
          called: 0,
          away: false,
        };
        return did(
          this.happens("hand.raised", { person, ...payload }, [{ in: "hands", id: person, is: hand }], id),
        );
      }
      case "hand.lower":
        return did(
          this.happens("hand.lowered", { persons: [person] }, [{ in: "hands", id: person, is: null }], id),
        );
      case "chat.send": {
        const message = { author: person, body: payload.body, at: this.now(), status: "posted" };
        return did(
          this.happens("chat.posted", payload, [{ in: "messages", id: String(next), is: message }], id),
        );
      }
      case "poll.respond": {
        const response = { status: "counted", answers: payload.answers, points: null };
        const at = `${String(payload.poll)}:${person}`;
        const seq = this.happens("poll.responded", payload, [{ in: "responses", id: at, is: response }], id);
        return { ...did(seq), response: "counted" };
      }
      case "poll.save_draft":
        return { status: "accepted" };
      case "policy.set":
        return { status: "rejected", code: "conflict", message: "somebody was faster", current: 7 };
      default:
        return { status: "rejected", code: "forbidden", message: "not permitted" };
    }
  }
}

export class FakeSocket implements Socket {
  onopen: Socket["onopen"] = null;
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  isOpen = true;
  person: string | null = null;
  device = "";

  constructor(
    private readonly server: FakeClass,
    readonly url: string,
  ) {
    setTimeout(() => (server.isDown ? this.breaks() : this.onopen?.()), latencyMs);
  }

  send(data: string | Uint8Array): void {
    if (typeof data !== "string") {
      this.carries("client", { t: "binary" }, () => this.server.documents?.hears(this, data));
      return;
    }
    const message = JSON.parse(data) as Received;
    this.carries("client", message, () => this.server.handle(this, message));
  }

  tell(message: Record<string, unknown>): void {
    const text = JSON.stringify(message);
    this.carries("server", message as unknown as Received, () => this.onmessage?.({ data: text }));
  }

  /** A binary message. */
  tellBytes(bytes: Uint8Array): void {
    const data = Uint8Array.from(bytes).buffer;
    this.carries("server", { t: "binary" }, () => this.onmessage?.({ data }));
  }

  close(): void {
    this.isOpen = false;
    this.person = null;
    this.server.documents?.lost(this);
  }

  endSoon(): void {
    setTimeout(() => this.breaks(), latencyMs * 2);
  }

  breaks(): void {
    if (!this.isOpen) return;
    this.close();
    setTimeout(() => this.onclose?.(), 1);
  }

  private carries(from: "client" | "server", message: Received, arrive: () => void): void {
    if (!this.isOpen) return;
    const fate = this.server.fate?.({ from, message }) ?? null;
    if (fate === "cut") this.breaks();
    if (fate === "lose" || fate === "cut") return;
    setTimeout(() => {
      if (this.isOpen) arrive();
      if (fate === "deliver and cut") this.breaks();
    }, latencyMs);
  }
}

function participant(person: string, rev: number) {
  return {
    name: `${person} 🌍 é`,
    role: "learner",
    rev,
    presence: "online",
    deadline: null,
    joined_at: 1_000,
    space: "main",
    visit: null,
    intent: { mic: "listen_only", camera: false, screen: false },
    floor_until: null,
    consent: null,
  };
}

/** With keys in the order of code points, by splitting into them. */
function sortedJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  const points = (text: string) => Array.from(text, (char) => char.codePointAt(0) ?? 0);
  const keys = Object.keys(value).sort((a, b) => {
    const [left, right] = [points(a), points(b)];
    const at = left.findIndex((point, index) => point !== right[index]);
    return at === -1 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
  });
  const entity = value as Record<string, unknown>;
  return `{${keys.map((key) => `${JSON.stringify(key)}:${sortedJson(entity[key])}`).join(",")}}`;
}
