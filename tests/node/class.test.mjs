// A class held by LiveKit's SDK for Node.js, against a real server.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  DisconnectReason,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  RpcError,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  VideoFrame,
  VideoSource,
  VideoStream,
  dispose,
} from "@livekit/rtc-node";
import { Server, accessToken } from "../browser/server.mjs";
import { until } from "../browser/until.mjs";

const samplesPerSecond = 48_000;
let server;
let here = [];
let classes = 0;

before(async () => {
  server = await Server.start("node-sdk");
});

afterEach(async () => {
  for (const person of here) await person.leaves();
  here = [];
});

after(async () => {
  await dispose();
  await server?.stop();
});

/** One connected client, and what its SDK told it. */
class Person {
  heard = [];
  #playing = true;

  static async joins(room, identity, video = {}, claims = {}) {
    const person = new Person();
    person.room = new Room();
    for (const event of [RoomEvent.ParticipantDisconnected, RoomEvent.Disconnected]) {
      person.room.on(event, (...what) => person.heard.push([event, ...what]));
    }
    person.data = [];
    person.room.on(RoomEvent.DataReceived, (bytes, from, _, topic) =>
      person.data.push({ text: new TextDecoder().decode(bytes), from: from?.identity, topic }),
    );
    person.tracks = new Map();
    person.room.on(RoomEvent.TrackSubscribed, (track, publication, from) =>
      person.tracks.set(`${from.identity} ${publication.source}`, track),
    );
    const token = accessToken({ identity, ...claims, video: { roomJoin: true, room, ...video } });
    await person.room.connect(server.signalUrl, token, { autoSubscribe: true, dynacast: false });
    here.push(person);
    return person;
  }

  get me() {
    return this.room.localParticipant;
  }

  async leaves() {
    this.#playing = false;
    await this.room.disconnect();
  }

  async plays(hz) {
    const source = new AudioSource(samplesPerSecond, 1);
    const track = LocalAudioTrack.createAudioTrack("voice", source);
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
    const publication = await this.me.publishTrack(track, options);
    void this.#plays(source, hz);
    return { track, publication };
  }

  async #plays(source, hz) {
    const count = samplesPerSecond / 100;
    for (let at = 0; this.#playing; at += count) {
      const wave = Int16Array.from({ length: count }, (_, n) =>
        Math.round(12_000 * Math.sin((2 * Math.PI * hz * (at + n)) / samplesPerSecond)),
      );
      // Waits while its queue is full, and so keeps real time.
      await source.captureFrame(new AudioFrame(wave, samplesPerSecond, 1, count)).catch(() => undefined);
    }
  }

  async shows(width, height) {
    const source = new VideoSource(width, height);
    const track = LocalVideoTrack.createVideoTrack("camera", source);
    await this.me.publishTrack(track, new TrackPublishOptions({ source: TrackSource.SOURCE_CAMERA }));
    const white = new VideoFrame(
      new Uint8Array(width * height * 4).fill(255),
      width,
      height,
      VideoBufferType.RGBA,
    );
    const showing = setInterval(() => {
      if (this.#playing) source.captureFrame(white);
      else clearInterval(showing);
    }, 66);
  }

  track(identity, source) {
    return until(() => this.tracks.get(`${identity} ${source}`), `the track of ${identity}`);
  }
}

/** Waits until a second of sound rises through zero as often as a tone of so many hertz does. */
async function hears(track, hz) {
  let risen = 0;
  let samples = 0;
  let last = 0;
  let loud = false;
  for await (const frame of new AudioStream(track, samplesPerSecond, 1)) {
    for (const sample of frame.data) {
      if (last < 0 && sample >= 0) risen += 1;
      if (Math.abs(sample) > 2_000) loud = true;
      last = sample;
    }
    samples += frame.samplesPerChannel;
    if (samples < samplesPerSecond) continue;
    if (loud && Math.abs(risen - hz) <= 3) return;
    risen = samples = 0;
    loud = false;
  }
  assert.fail(`the track ended before ${hz} Hz were heard`);
}

async function meet(...identities) {
  const room = `node-${++classes}`;
  const people = [];
  for (const identity of identities) people.push(await Person.joins(room, identity));
  for (const person of people) {
    await until(() => person.room.remoteParticipants.size === people.length - 1, "all are there");
  }
  return people;
}

describe("people who use the SDK for Node.js", () => {
  it("hear and see each other", async () => {
    const [ada, bo] = await meet("ada", "bo");
    await ada.plays(440);
    await bo.plays(1_000);
    await ada.shows(320, 180);
    await hears(await bo.track("ada", TrackSource.SOURCE_MICROPHONE), 440);
    await hears(await ada.track("bo", TrackSource.SOURCE_MICROPHONE), 1_000);
    for await (const { frame } of new VideoStream(await bo.track("ada", TrackSource.SOURCE_CAMERA))) {
      assert.equal(frame.width * 9, frame.height * 16);
      break;
    }
  });

  it("send messages to all, and to some", async () => {
    const [ada, bo, cleo] = await meet("ada", "bo", "cleo");
    const sends = (text, how) =>
      ada.me.publishData(new TextEncoder().encode(text), { reliable: true, ...how });
    await sends("for Bo", { destination_identities: ["bo"] });
    await sends("for all", { topic: "news" });
    const texts = (person) => person.data.map(({ text }) => text).join();
    await until(
      () => texts(bo) === "for Bo,for all",
      "both reach Bo",
      () => texts(bo),
    );
    await until(
      () => texts(cleo) === "for all",
      "one reaches Cleo",
      () => texts(cleo),
    );
    assert.deepEqual(cleo.data[0], { text: "for all", from: "ada", topic: "news" });
  });

  it("call each other's methods", async () => {
    const [ada, bo] = await meet("ada", "bo");
    bo.me.registerRpcMethod("greet", async ({ payload, callerIdentity }) => `${payload}, ${callerIdentity}`);
    bo.me.registerRpcMethod("grade", async () => {
      throw new RpcError(107, "not yet graded");
    });
    const call = (method) => ada.me.performRpc({ destinationIdentity: "bo", method, payload: "hello" });
    assert.equal(await call("greet"), "hello, ada");
    await assert.rejects(call("grade"), { code: 107 });
    await assert.rejects(call("unheard-of"), { code: 1400 });
  });

  it("send texts and files", async () => {
    const [ada, bo] = await meet("ada", "bo");
    const got = {};
    bo.room.registerTextStreamHandler("essay", async (reader) => (got.text = await reader.readAll()));
    bo.room.registerByteStreamHandler(
      "homework",
      async (reader) => (got.bytes = Buffer.concat(await reader.readAll())),
    );
    const text = "the square of two ".repeat(3_000);
    await ada.me.sendText(text, { topic: "essay" });
    await until(() => got.text === text, "the essay");
    const bytes = Buffer.from(Array.from({ length: 60_000 }, (_, at) => (at * 31) % 251));
    const writer = await ada.me.streamBytes({ topic: "homework", name: "essay.pdf" });
    await writer.write(bytes);
    await writer.close();
    await until(() => got.bytes?.equals(bytes), "the file");
  });

  it("see the end of tracks, and goodbyes", async () => {
    const [ada, bo] = await meet("ada", "bo");
    const { publication } = await ada.plays(440);
    await hears(await bo.track("ada", TrackSource.SOURCE_MICROPHONE), 440);
    await ada.me.unpublishTrack(publication.sid);
    const seen = () => bo.room.remoteParticipants.get("ada");
    await until(() => seen().trackPublications.size === 0, "the end of the track");
    await ada.leaves();
    await until(() => bo.room.remoteParticipants.size === 0, "the goodbye");
  });

  it("show who they are, and change it if they may", async () => {
    const room = `node-${++classes}`;
    const ada = await Person.joins(
      room,
      "ada",
      { canUpdateOwnMetadata: true },
      { name: "Ada", attributes: { seat: "1" } },
    );
    const bo = await Person.joins(room, "bo");
    const seen = () => bo.room.remoteParticipants.get("ada");
    await until(() => seen()?.name === "Ada" && seen().attributes.seat === "1", "Ada");
    await ada.me.updateName("Ada L.");
    await until(() => seen().name === "Ada L.", "the new name");
    await ada.me.setAttributes({ hand: "up" });
    await until(() => seen().attributes.hand === "up", "the hand");
  });

  it("give way to a second connection of theirs", async () => {
    const [ada, bo] = await meet("ada", "bo");
    const again = await Person.joins(`node-${classes}`, "ada");
    await until(
      () =>
        ada.heard.some(
          ([event, reason]) =>
            event === RoomEvent.Disconnected && reason === DisconnectReason.DUPLICATE_IDENTITY,
        ),
      "the first is told",
    );
    await again.plays(440);
    await hears(await bo.track("ada", TrackSource.SOURCE_MICROPHONE), 440);
  });
});
