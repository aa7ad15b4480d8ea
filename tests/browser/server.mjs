// A real `lyceum serve` on ports of its own, with its data in a folder of its own, that can be killed and started again.
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputFolder, root, until } from "./until.mjs";

const binary = process.env.SERVER_BINARY ?? join(root, "target/debug/lyceum");
const apiKey = "devkey";
const apiSecret = "secret";

export class Server {
  #process;
  #dataFolder = mkdtempSync(join(tmpdir(), "lyceum-"));
  #logPath;

  /** `name` names its log among those of other suites. */
  static async start(name = "server") {
    const server = new Server();
    server.#logPath = join(outputFolder, `${name}.log`);
    writeFileSync(server.#logPath, "");
    for (let attempt = 1; ; attempt++) {
      server.httpPort = await freePort();
      server.tcpPort = await freePort();
      server.url = `http://localhost:${server.httpPort}`;
      server.signalUrl = `ws://localhost:${server.httpPort}`;
      try {
        await server.start();
        return server;
      } catch (error) {
        // Somebody else may take a port between its being free and its being taken.
        if (attempt === 3 || !server.log().includes("Address already in use")) throw error;
        writeFileSync(server.#logPath, "");
      }
    }
  }

  async start() {
    const log = createWriteStream(this.#logPath, { flags: "a" });
    await new Promise((opened) => log.once("open", opened));
    const child = spawn(binary, ["serve", "--dev"], {
      stdio: ["ignore", log, log],
      env: {
        ...process.env,
        LYCEUM_HTTP_BIND: `127.0.0.1:${this.httpPort}`,
        LYCEUM_MEDIA_UDP_PORT: "0",
        LYCEUM_MEDIA_TCP_BIND: `127.0.0.1:${this.tcpPort}`,
        LYCEUM_STORE_DIR: this.#dataFolder,
      },
    });
    this.#process = child;
    try {
      await until(async () => {
        if (child.exitCode !== null) throw new Error("the server ended");
        const ready = await fetch(`${this.url}/readyz`).catch(() => undefined);
        return ready?.ok;
      }, "the server is ready");
    } catch (error) {
      // Nothing would end it otherwise, and the test's process would wait for it.
      await this.kill();
      throw new Error(`the server did not start:\n${this.log()}`, { cause: error });
    }
  }

  /** As a power cut would end it: nothing is flushed or said. */
  kill() {
    return this.#end("SIGKILL");
  }

  async stop() {
    await this.#end("SIGTERM");
    rmSync(this.#dataFolder, { recursive: true, force: true });
  }

  log() {
    return readFileSync(this.#logPath, "utf8");
  }

  /** Makes a room; gives the links by which an instructor and a learner come in. */
  async createRoom(name) {
    const { invites } = await this.#api("/api/v1/rooms", { roomCreate: true }, { name });
    const link = (invite) => `${this.url}/c/${name}#${invite}`;
    return { instructor: link(invites.instructor), learner: link(invites.learner) };
  }

  /** Places people of the room's class in a Space. */
  move(room, persons, space) {
    return this.#api(`/api/v1/rooms/${room}/moves`, { roomAdmin: true, room }, { persons, space });
  }

  /** The log of the room's running class. */
  async events(room) {
    const { sessions } = await this.#api("/api/v1/sessions", { roomList: true });
    const session = sessions.find((session) => session.room === room && session.ended_at_ms === undefined);
    const path = `/api/v1/sessions/${session.session_id}/events?from=1`;
    return (await this.#api(path, { roomAdmin: true, room })).events;
  }

  async #api(path, grants, body) {
    const answer = await fetch(this.url + path, {
      method: body ? "POST" : "GET",
      headers: {
        authorization: `Bearer ${accessToken({ video: grants })}`,
        "content-type": "application/json",
      },
      body: body && JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return answer.json();
  }

  #end(signal) {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    return ended;
  }
}

/** An access token in LiveKit's form; `claims` such as `name`, `attributes` and `video`, the grants. */
export function accessToken({ identity = "tests", ttl = 3600, ...claims }) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const payload = { iss: apiKey, sub: identity, exp: Math.floor(Date.now() / 1000) + ttl, ...claims };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(payload)}`;
  return `${signed}.${createHmac("sha256", apiSecret).update(signed).digest("base64url")}`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
