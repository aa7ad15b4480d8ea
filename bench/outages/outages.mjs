// How long a class is silent after its network or its server was away: real pages, real outages, the server on a machine of its own.
// Needs root (network namespaces).
// `node bench/outages/outages.mjs [--runs 50] [--pages 5] [--kinds tunnel,cable,address,server] [--seconds 1,5,20] [--client ours|stock] [--web web/app/dist]`
//
// For a changed address it is also told when the browser had taken up its new network, and how long it took from there ("since it knows").
//
// One sample is one page after one outage: the time from the network's return (the cable is in, or the server answers) to the first
// audio packet that the page receives, and to the first of everybody else. `stock` pages use LiveKit's SDK alone, which notices late; for
// them it is also counted from their own attempt: the first socket of each that they begin after the return, or that opens after it.
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { accessToken } from "../../tests/browser/server.mjs";
import { Network } from "./network.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { chromium } = createRequire(join(root, "tests/browser/package.json"))("playwright-core");

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "50" },
    pages: { type: "string", default: "5" },
    kinds: { type: "string", default: "tunnel,cable,address,server" },
    seconds: { type: "string", default: "1,5,20" },
    client: { type: "string", default: "ours" },
    server: { type: "string", default: join(root, "target/release/lyceum") },
    web: { type: "string" },
  },
});
const patience = 60_000;

class School {
  #data = mkdtempSync(join(tmpdir(), "lyceum-outages-"));
  #process;

  constructor(network) {
    this.network = network;
    this.url = `http://${network.serverAddress}:7880`;
  }

  async opens() {
    const words = ["serve", "--dev", "--allow-dev-keys-anywhere", "--bind", `${this.network.serverAddress}:7880`];
    words.push("--advertise", this.network.serverAddress, "--data", this.#data);
    words.push("--set", `media.tcp_bind=${this.network.serverAddress}:7881`);
    this.#process = this.network.spawnServer(options.server, words, { stdio: ["ignore", "pipe", "pipe"] });
    let printed = "";
    for (const stream of [this.#process.stdout, this.#process.stderr]) stream.on("data", (text) => (printed += text));
    await until(() => {
      if (this.#process.exitCode !== null) throw new Error(`the server did not start:\n${printed}`);
      return this.#answers();
    }, "the server answers");
    this.link ??= await until(() => /learner\D*(http\S+)/i.exec(printed)?.[1], "the server prints a learner's link");
  }

  async isKilled() {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.kill("SIGKILL");
    await ended;
  }

  async closes() {
    await this.isKilled();
    rmSync(this.#data, { recursive: true, force: true });
  }

  #answers() {
    const script = `fetch("${this.url}/readyz").then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))`;
    try {
      this.network.runClient(process.execPath, ["-e", script]);
      return true;
    } catch {
      return false;
    }
  }
}

/** Runs in each page: when did the last audio packet of each remote track come? */
function watchAudio() {
  const Real = window.RTCPeerConnection;
  const connections = new Set();
  window.RTCPeerConnection = class extends Real {
    constructor(...words) {
      super(...words);
      connections.add(this);
    }
  };
  const seen = new Map();
  /** Times (Unix ms) at which remote tracks began to bring packets after `since`, earliest first. */
  window.audioSince = (since) => [...seen.values()].flatMap((times) => times.find((time) => time > since) ?? []).sort((a, b) => a - b);
  setInterval(async () => {
    for (const connection of connections) {
      if (connection.connectionState === "closed") connections.delete(connection);
      for (const report of (await connection.getStats()).values()) {
        if (report.type !== "inbound-rtp" || report.kind !== "audio") continue;
        const name = report.trackIdentifier;
        const track = seen.get(name) ?? Object.assign([], { packets: 0 });
        seen.set(name, track);
        if (report.packetsReceived > track.packets) {
          track.packets = report.packetsReceived;
          track.push(Date.now());
          if (track.length > 2_000) track.shift();
        }
      }
    }
  }, 50);
}

/** Runs in each page: when did the browser take up another network? A connection that nobody answers gathers again when it does. */
function watchNetworks() {
  const probe = new RTCPeerConnection();
  const times = [];
  probe.onicecandidate = ({ candidate }) => candidate && times.push(Date.now());
  probe.createDataChannel("");
  void probe.setLocalDescription();
  window.networkSince = (since) => times.find((time) => time > since) ?? null;
}

/** Runs in each page: when did it try to reach the class? */
function watchAttempts() {
  const Real = window.WebSocket;
  const attempts = [];
  window.WebSocket = class extends Real {
    constructor(...words) {
      super(...words);
      const attempt = { begun: Date.now(), opened: null };
      attempts.push(attempt);
      if (attempts.length > 100) attempts.shift();
      this.addEventListener("open", () => (attempt.opened = Date.now()));
    }
  };
  /** When the first attempt began that got through after `since`; not before that. */
  window.attemptSince = (since) => {
    const attempt = attempts.find(({ opened }) => opened !== null && opened > since);
    return attempt === undefined ? null : Math.max(attempt.begun, since);
  };
}

/** Runs in the page of a stock client. */
async function joinStock({ url, token }) {
  const room = new LivekitClient.Room();
  room.on(LivekitClient.RoomEvent.TrackSubscribed, (track) => track.attach());
  await room.connect(url, token);
  await room.localParticipant.setMicrophoneEnabled(true);
}

class Page {
  static async joins(browser, school, number) {
    const context = await browser.newContext({ viewport: { width: 500, height: 400 } });
    await context.addInitScript(watchNetworks);
    await context.addInitScript(watchAudio);
    await context.addInitScript(watchAttempts);
    const page = new Page();
    page.page = await context.newPage();
    await (options.client === "stock" ? page.#joinsStock(school, number) : page.#joinsOurs(school, number));
    return page;
  }

  async #joinsOurs(school, number) {
    if (options.web !== undefined) await this.#takesWebFrom(options.web, school);
    await this.page.goto(school.link);
    await this.page.getByTestId("name-input").fill(`Learner ${number}`);
    await this.page.getByTestId("audio-only").click();
    await this.page.getByTestId("class").waitFor({ timeout: patience });
  }

  /** The page as it was built into `folder`, in place of the one in the server: to compare two of them. */
  async #takesWebFrom(folder, school) {
    await this.page.route(`${school.url}/c/*`, (route) => route.fulfill({ path: join(folder, "index.html") }));
    await this.page.route(`${school.url}/assets/*`, (route) =>
      route.fulfill({ path: join(folder, new URL(route.request().url()).pathname) }),
    );
  }

  /** A page of the server's origin, since that one is trusted with devices. */
  async #joinsStock(school, number) {
    const sdk = join(root, "tests/browser/node_modules/livekit-client/dist/livekit-client.umd.js");
    const body = `<!doctype html><title>Stock</title><script>${readFileSync(sdk, "utf8")}</script>`;
    const address = `${school.url}/stock`;
    await this.page.route(address, (route) => route.fulfill({ contentType: "text/html", body }));
    await this.page.goto(address);
    await this.page.unroute(address);
    const token = accessToken({ identity: `learner-${number}`, ttl: 86_400, video: { roomJoin: true, room: "demo" } });
    await this.page.evaluate(joinStock, { url: school.url.replace("http", "ws"), token });
  }

  /** Waits until `others` tracks have brought packets after `since`; gives the delays in ms of the first and of the last of them. */
  async hearsAgain(since, others) {
    const times = await until(async () => {
      const times = await this.page.evaluate((since) => window.audioSince?.(since) ?? [], since);
      return times.length >= others && times;
    }, "everybody is heard again");
    const [attempt, network] = await this.page.evaluate((since) => [window.attemptSince(since), window.networkSince(since)], since);
    const delay = (time) => (time === null ? null : time - since);
    return { first: times[0] - since, all: times[others - 1] - since, attempt: delay(attempt) ?? 0, network: delay(network) };
  }
}

async function until(check, what) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience / 1000} s`);
    await sleep(50);
  }
}

/** Each makes an outage of so many seconds and gives the moment at which it was over. */
const outages = {
  async tunnel(school, seconds) {
    school.network.enterTunnel();
    await sleep(seconds * 1000);
    school.network.leaveTunnel();
    return Date.now();
  },
  async cable(school, seconds) {
    school.network.pullCable();
    await sleep(seconds * 1000);
    school.network.plugCable();
    return Date.now();
  },
  async address(school, seconds) {
    school.network.pullCable();
    await sleep(seconds * 1000);
    school.network.changeAddress();
    school.network.plugCable();
    return Date.now();
  },
  async server(school, seconds) {
    await school.isKilled();
    await sleep(seconds * 1000);
    await school.opens();
    return Date.now();
  },
};

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

function row(kind, seconds, name, samples, lost, load) {
  const sorted = samples.toSorted((a, b) => a - b);
  const of = (share) => String(percentile(sorted, share) ?? "-").padStart(6);
  const cells = [kind.padEnd(8), `${seconds} s`.padStart(5), name.padEnd(14), String(sorted.length).padStart(4), String(lost).padStart(4)];
  const loads = load.toSorted((a, b) => a - b);
  return `| ${[...cells, of(0.5), of(0.95), of(1), (percentile(loads, 0.5) ?? 0).toFixed(1).padStart(4)].join(" | ")} |`;
}

const network = Network.create();
const school = new School(network);
await school.opens();
const browser = await chromium.launch({
  executablePath: network.clientProgram(process.env.CHROMIUM ?? "/usr/bin/chromium"),
  ignoreDefaultArgs: ["--mute-audio"],
  args: [
    "--no-sandbox",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    // Nobody listens, and some machines take half a minute to find that they have no loudspeaker.
    "--disable-audio-output",
    // Pages that this gives to the browser have no address; else it would not let them speak to a private one.
    "--disable-features=LocalNetworkAccessChecks",
    `--unsafely-treat-insecure-origin-as-secure=${school.url}`,
    "--autoplay-policy=no-user-gesture-required",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ],
});
try {
  const count = Number(options.pages);
  const pages = [];
  for (let number = 1; number <= count; number++) pages.push(await Page.joins(browser, school, number));
  await Promise.all(pages.map((page) => page.hearsAgain(0, count - 1)));
  console.log(`${count} audio pages (${options.client}), ${cpus().length} × ${cpus()[0].model}; ms after the return`);
  console.log("| outage   | long  | heard again    |  n   | lost | p50    | p95    | max    | load |");
  console.log("| -------- | ----- | -------------- | ---- | ---- | ------ | ------ | ------ | ---- |");
  for (const kind of options.kinds.split(",")) {
    for (const seconds of options.seconds.split(",").map(Number)) {
      const first = [];
      const all = [];
      const own = [];
      const knew = [];
      const after = [];
      const load = [];
      let lost = 0;
      while (first.length + lost < Number(options.runs)) {
        await sleep(4_000 + Math.random() * 2_000);
        load.push(loadavg()[0]);
        const since = await outages[kind](school, seconds);
        const heard = await Promise.allSettled(pages.map((page) => page.hearsAgain(since, count - 1)));
        // Everybody is heard once the last of them is back: what counts for each is the attempt of the last.
        const attempt = Math.max(...heard.map((one) => one.value?.attempt ?? 0));
        for (const one of heard) {
          if (one.status === "fulfilled") {
            first.push(one.value.first);
            all.push(one.value.all);
            const { network } = one.value;
            if (network !== null) {
              knew.push(network);
              after.push(Math.max(0, one.value.all - network));
            }
            if (attempt > 0) own.push(Math.max(0, one.value.all - attempt));
          } else {
            lost += 1;
            console.error(`  ${kind} ${seconds} s: ${one.reason.message}`);
          }
        }
        process.stderr.write(`\r${kind} ${seconds} s: ${first.length + lost} of ${options.runs} `);
      }
      process.stderr.write("\r");
      console.log(row(kind, seconds, "somebody", first, lost, load));
      console.log(row(kind, seconds, "everybody", all, lost, load));
      if (kind === "address") {
        console.log(row(kind, seconds, "browser knows", knew, 0, load));
        console.log(row(kind, seconds, "since it knows", after, lost, load));
      }
      if (options.client === "stock") console.log(row(kind, seconds, "after attempt", own, lost, load));
    }
  }
} finally {
  await browser.close().catch(() => {});
  await school.closes();
  Network.remove();
}
