// A Firefox, driven by Marionette, the protocol of WebDriver that it speaks by itself over TCP: `[0, id, command, parameters]` and
// `[1, id, error, result]` as JSON, each with its length before it. One window; as much of a page as tests need.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./until.mjs";

/** As `scripts/lib.sh` looks for it. */
const program =
  process.env.FIREFOX ??
  ["/usr/bin/firefox-esr", "/usr/bin/firefox"].find((path) => existsSync(path)) ??
  "firefox";

const preferences = {
  "marionette.port": 0,
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.autoplay.default": 0,
  // Sound without a sound card.
  "media.cubeb.force_mock_context": true,
  "media.autoplay.blocking_policy": 0,
  "media.autoplay.block-webaudio": false,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  // The SDK asks for version 1 of the protocol first, each time; Firefox would wait longer each time after it failed.
  "network.websocket.delay-failed-reconnects": false,
  "app.update.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
};

export class Firefox {
  #process;
  #socket;
  #profile = mkdtempSync(join(tmpdir(), "lyceum-firefox-"));
  #lastId = 0;
  #waiting = new Map();
  #received = Buffer.alloc(0);

  /** Starts one; its only page is the object itself. */
  static async open() {
    const firefox = new Firefox();
    try {
      await firefox.#start();
    } catch (error) {
      await firefox.close();
      throw error;
    }
    return firefox;
  }

  async #start() {
    const lines = Object.entries(preferences).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${value});`,
    );
    writeFileSync(join(this.#profile, "user.js"), lines.join("\n"));
    const program = process.env.FIREFOX ?? "firefox-esr";
    this.#process = spawn(
      program,
      ["--headless", "--marionette", "--no-remote", "--profile", this.#profile],
      {
        stdio: "ignore",
      },
    );
    let failure;
    this.#process.once("error", (error) => (failure = error));
    const port = await until(() => {
      if (failure !== undefined) throw failure;
      return this.#port();
    }, "Firefox listens");
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (bytes) => this.#receive(bytes));
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => this.#giveUp());
    await this.#asks("WebDriver:NewSession", {
      capabilities: { alwaysMatch: { timeouts: { script: 120_000 } } },
    });
  }

  /** Marionette writes the port that it was given into the profile's preferences. */
  #port() {
    try {
      const line = readFileSync(join(this.#profile, "MarionetteActivePort"), "utf8");
      return Number(line);
    } catch {
      return undefined;
    }
  }

  goto(url) {
    return this.#asks("WebDriver:Navigate", { url });
  }

  /** Runs `action(argument)` in the page and gives what it gives, as Playwright's page does. */
  async evaluate(action, argument) {
    const script = `
      const done = arguments[arguments.length - 1];
      (async () => (${action})(JSON.parse(arguments[0])))()
        .then((value) => done({ value: JSON.stringify(value) }), (error) => done({ error: String(error) }));`;
    const args = [JSON.stringify(argument ?? null)];
    const { value: answer } = await this.#asks("WebDriver:ExecuteAsyncScript", {
      script,
      args,
      sandbox: null,
    });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value === undefined ? undefined : JSON.parse(answer.value);
  }

  async screenshot({ path }) {
    const { value } = await this.#asks("WebDriver:TakeScreenshot", { full: false });
    writeFileSync(path, Buffer.from(value, "base64"));
  }

  async close() {
    const child = this.#process;
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL");
      await ended;
    }
    this.#socket?.destroy();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  #asks(command, parameters) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const message = JSON.stringify([0, id, command, parameters]);
    this.#socket.write(`${Buffer.byteLength(message)}:${message}`);
    return answer;
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const colon = this.#received.indexOf(":");
      const end = colon + 1 + Number(this.#received.subarray(0, Math.max(colon, 0)).toString());
      if (colon < 0 || this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end).toString());
      this.#received = this.#received.subarray(end);
      // The first message is a greeting.
      if (!Array.isArray(message)) continue;
      const [, id, error, result] = message;
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === null) resolve(result);
      else reject(new Error(`${error.error}: ${error.message}`));
    }
  }

  #giveUp() {
    for (const { reject } of this.#waiting.values()) reject(new Error("Firefox is gone"));
    this.#waiting.clear();
  }
}
