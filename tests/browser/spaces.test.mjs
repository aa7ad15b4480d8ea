// Groups with LiveKit's own browser SDK, unchanged and without our page: a bare page that does nothing but hold a Room.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { openBrowser } from "./people.mjs";
import { Server, accessToken } from "./server.mjs";
import { root, until } from "./until.mjs";

const room = "spaces";
const sdk = readFileSync(join(root, "web/node_modules/livekit-client/dist/livekit-client.umd.js"), "utf8");
let server, browser;
let teacher, amina, bo;

before(async () => {
  server = await Server.start();
  browser = await openBrowser();
  teacher = await Pupil.joins("teacher", 500);
  amina = await Pupil.joins("amina", 900);
  bo = await Pupil.joins("bo", 1400);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

it("holds a class in which everybody hears everybody", async () => {
  await amina.hears(teacher);
  await amina.hears(bo);
  await teacher.hears(bo);
});

it("takes two into a group: no connection is made anew, the teacher is silent, the mate is heard", async () => {
  const before = await amina.connections();
  await server.move(room, ["amina", "bo"], "group 1");
  await amina.until((page) => page.moved, ["spaces/group 1"]);
  await bo.until((page) => page.moved, ["spaces/group 1"]);
  await amina.until((page) => page.others, ["bo"]);
  await bo.until((page) => page.others, ["amina"]);
  await teacher.until((page) => page.others, []);
  await amina.hears(bo);
  await bo.hears(amina);
  await teacher.receivesNoMore();
  assert.equal(await amina.connections(), before, "peer connections of Amina");
});

it("keeps the chat of the group in the group", async () => {
  await amina.says("hello, group");
  await teacher.says("hello, empty room");
  await bo.until((page) => page.chat, ["amina: hello, group"]);
});

it("brings everybody back to sound, and to a chat without what was said elsewhere", async () => {
  const before = await bo.connections();
  await server.move(room, ["amina", "bo"], "main");
  await amina.until((page) => page.moved, ["spaces/group 1", "spaces"]);
  await teacher.until((page) => page.others, ["amina", "bo"]);
  await amina.hears(teacher);
  await amina.hears(bo);
  await bo.hears(teacher);
  await teacher.hears(amina);
  await teacher.says("welcome back");
  // The chat is in order: what had been said to them would have come before.
  await amina.until((page) => page.chat, ["teacher: welcome back"]);
  await bo.until((page) => page.chat, ["amina: hello, group", "teacher: welcome back"]);
  await teacher.until((page) => page.chat, []);
  assert.equal(await bo.connections(), before, "peer connections of Bo");
  for (const person of [teacher, amina, bo]) await person.until((page) => page.troubles, []);
});

/** Somebody in a page of their own, whose microphone says one tone. */
class Pupil {
  static async joins(identity, hz) {
    const pupil = new Pupil();
    Object.assign(pupil, { identity, hz });
    const context = await browser.newContext({ bypassCSP: true });
    pupil.page = await context.newPage();
    // A page of the server's, so that its socket is of the same origin; the SDK runs in it as it came from npm.
    await pupil.page.goto(`${server.url}/healthz`);
    await pupil.page.evaluate(countConnections);
    await pupil.page.addScriptTag({ content: sdk });
    const grants = { roomJoin: true, room };
    await pupil.page.evaluate(holdRoom, {
      url: server.url,
      token: accessToken({ identity, video: grants }),
      hz,
    });
    return pupil;
  }

  async until(look, wanted) {
    const found = async () => look(await this.page.evaluate(() => window.told()));
    await until(
      async () => JSON.stringify(await found()) === JSON.stringify(wanted),
      `${this.identity} is told ${JSON.stringify(wanted)}`,
      found,
    );
  }

  connections() {
    return this.page.evaluate(() => window.connections);
  }

  async hears(other) {
    const tone = () => this.page.evaluate((identity) => window.tone(identity), other.identity);
    const isTone = async () => Math.abs(((await tone()) ?? 0) - other.hz) < 15;
    await until(isTone, `${this.identity} hears ${other.identity}`, tone);
  }

  /** Waits until a whole second brings no packet. */
  async receivesNoMore() {
    let last;
    const isStill = async () => {
      const now = await this.page.evaluate(() => window.packets());
      const still = now === last;
      last = now;
      if (!still) await new Promise((done) => setTimeout(done, 1000));
      return still;
    };
    await until(isStill, `${this.identity} receives nothing`, () => last);
  }

  says(text) {
    return this.page.evaluate(
      (said) => window.room.localParticipant.sendText(said, { topic: "lk.chat" }),
      text,
    );
  }
}

function countConnections() {
  window.connections = 0;
  window.peers = [];
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(...args) {
      super(...args);
      window.connections += 1;
      window.peers.push(this);
    }
  };
}

async function holdRoom({ url, token, hz }) {
  const { Room, RoomEvent } = window.LivekitClient;
  const audio = new AudioContext();
  const room = new Room();
  window.room = room;
  const moved = [];
  const chat = [];
  const troubles = [];
  room.on(RoomEvent.Moved, (name) => moved.push(name));
  for (const event of [RoomEvent.Reconnecting, RoomEvent.Disconnected, RoomEvent.TrackSubscriptionFailed]) {
    room.on(event, () => troubles.push(event));
  }
  room.on(RoomEvent.TrackSubscribed, (track) => track.attach());
  room.registerTextStreamHandler("lk.chat", async (reader, { identity }) => {
    chat.push(`${identity}: ${await reader.readAll()}`);
  });
  window.told = () => ({ moved, chat, troubles, others: [...room.remoteParticipants.keys()].sort() });

  const analysers = new WeakMap();
  window.tone = async (identity) => {
    const publications = room.remoteParticipants.get(identity)?.audioTrackPublications.values() ?? [];
    const track = [...publications][0]?.track?.mediaStreamTrack;
    if (track === undefined) return null;
    await audio.resume();
    if (!analysers.has(track)) {
      const analyser = new AnalyserNode(audio, { fftSize: 8192, smoothingTimeConstant: 0 });
      audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
      analysers.set(track, analyser);
    }
    const analyser = analysers.get(track);
    const decibels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(decibels);
    const loudest = decibels.reduce((best, value, bin) => (value > decibels[best] ? bin : best), 0);
    return decibels[loudest] > -60 ? (loudest * audio.sampleRate) / analyser.fftSize : null;
  };
  window.packets = async () => {
    let packets = 0;
    for (const peer of window.peers) {
      for (const entry of (await peer.getStats()).values()) {
        if (entry.type === "inbound-rtp") packets += entry.packetsReceived;
      }
    }
    return packets;
  };

  await room.connect(url.replace("http", "ws"), token);
  const oscillator = new OscillatorNode(audio, { frequency: hz });
  const output = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
  oscillator.connect(new GainNode(audio, { gain: 0.3 })).connect(output);
  oscillator.start();
  await audio.resume();
  const [microphone] = output.stream.getAudioTracks();
  const source = window.LivekitClient.Track.Source.Microphone;
  await room.localParticipant.publishTrack(microphone, { source, name: "microphone" });
}
