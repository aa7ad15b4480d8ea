import { DisconnectReason, RoomEvent, Track } from "livekit-client";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Classroom } from "./classroom.js";
import { giveUpAfterMs } from "./backoff.js";
import { recallTab } from "./memory.js";
import { FakeDevices, fakePerson, FakeServer, fakeStorage } from "./testing/fakes.js";

const amara = { invite: "invite", name: "Amara" };

function setUp(storage = fakeStorage()) {
  const server = new FakeServer();
  const devices = new FakeDevices();
  const networks: { changed: () => void } = { changed: () => undefined };
  const classroom = new Classroom({
    room: "physics",
    apiUrl: "http://server",
    storage,
    createRoom: server.createRoom,
    createStateSocket: server.createStateSocket,
    fetch: server.fetch,
    driver: devices,
    random: () => 0.5,
    watchNetworks: (changed) => {
      networks.changed = changed;
      return () => undefined;
    },
  });
  return { server, devices, classroom, storage, networks };
}

/** Lets everything happen that waits for nothing but itself. */
const settle = () => vi.advanceTimersByTimeAsync(0);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("joining", () => {
  it("brings the person in, with the devices that were on at the door", async () => {
    const { server, classroom } = setUp();
    await classroom.setMicrophone(true);
    await classroom.setCamera(true);
    expect(server.rooms).toHaveLength(0);

    await classroom.join(amara);
    await settle();

    expect(classroom.state.connection).toEqual({ phase: "inside" });
    expect(classroom.state.me.name).toBe("Amara");
    expect(classroom.state.shareInvite).toBe("share");
    expect(server.room.localParticipant.published(Track.Source.Microphone)?.isMuted).toBe(false);
    expect(server.room.localParticipant.published(Track.Source.Camera)).toBeDefined();
  });

  it("says why not, and stays at the door", async () => {
    const { server, classroom } = setUp();
    server.refusal = { status: 401, code: "invite_expired", message: "This invite ended." };
    await expect(classroom.join(amara)).rejects.toMatchObject({
      code: "invite_expired",
      message: "This invite ended.",
    });
    expect(classroom.state.connection.phase).toBe("outside");

    server.refusal = null;
    server.mediaBlocked = true;
    await expect(classroom.join(amara)).rejects.toMatchObject({ code: "no_connection" });
    expect(classroom.state.connection.phase).toBe("outside");

    server.mediaBlocked = false;
    await classroom.join(amara);
    expect(classroom.state.connection.phase).toBe("inside");
  });

  it("waits in the lobby before there is any media", async () => {
    const { server, classroom } = setUp();
    server.lobby = true;
    const joined = classroom.join(amara);
    await pass(60_000);
    expect(classroom.state.connection.phase).toBe("waiting");
    expect(server.rooms).toHaveLength(0);

    server.admits("Amara-1");
    await settle();
    await joined;
    expect(classroom.state.connection.phase).toBe("inside");
    expect(server.rooms).toHaveLength(1);
  });

  it("says who was not let in", async () => {
    const { server, classroom } = setUp();
    server.lobby = true;
    const joined = classroom.join(amara).catch((error: unknown) => error);
    await settle();
    server.saysBye("not_admitted", "The teacher did not let you in.");
    await settle();
    expect(await joined).toMatchObject({ code: "not_admitted", retryable: false });
    expect(classroom.state.connection.phase).toBe("outside");
  });

  it("says that a class is full", async () => {
    const { server, classroom } = setUp();
    server.stateAnswer = { t: "bye", code: "limit", message: "This class is full.", retry: true };
    const joined = classroom.join(amara).catch((error: unknown) => error);
    await settle();
    expect(await joined).toMatchObject({
      code: "room_full",
      message: "This class is full.",
      retryable: true,
    });
    server.stateAnswer = null;
    await classroom.join(amara);
    expect(classroom.state.connection.phase).toBe("inside");
  });

  it("can be given up in the lobby", async () => {
    const { server, classroom } = setUp();
    server.lobby = true;
    const joined = classroom.join(amara).catch(() => undefined);
    await settle();
    await classroom.leave();
    await joined;
    expect(server.said.slice(-2)).toEqual(["lobby.withdraw", "leave"]);
    expect(classroom.state.connection).toMatchObject({ phase: "ended", reason: "left" });
  });

  it("gives up on a class whose state cannot be had", async () => {
    const { server, classroom } = setUp();
    server.stateAnswer = { t: "silence" };
    const joined = classroom.join(amara).catch((error: unknown) => error);
    await pass(16_000);
    expect(await joined).toMatchObject({ code: "unreachable" });
    expect(classroom.state.connection.phase).toBe("outside");
  });

  it("shows the others in order of arrival, and keeps what has not changed", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.arrives(fakePerson("mateo", { name: "Mateo", joinedAtMs: 2000 }));
    server.room.arrives(fakePerson("ines", { name: "Ines", joinedAtMs: 1000, role: "instructor" }));
    await settle();
    expect(classroom.state.people.map((person) => [person.name, person.role])).toEqual([
      ["Ines", "instructor"],
      ["Mateo", null],
    ]);

    const before = classroom.state;
    server.room.emit(RoomEvent.ActiveSpeakersChanged, []);
    await settle();
    expect(classroom.state).toBe(before);
  });

  it("shows who has lost the network", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.arrives(fakePerson("grace", { presence: "reconnecting" }));
    await settle();
    expect(classroom.state.people[0]?.presence).toBe("reconnecting");
  });
});

describe("the state of the class", () => {
  it("ends the media with it", async () => {
    for (const [code, reason] of [
      ["not_admitted", "removed"],
      ["session_ended", "class_over"],
      ["superseded", "elsewhere"],
    ] as const) {
      const { server, classroom } = setUp();
      await classroom.join(amara);
      server.saysBye(code, "A sentence.");
      await settle();
      expect(classroom.state.connection).toEqual({ phase: "ended", reason, message: "A sentence." });
      expect(server.room.state).toBe("disconnected");
    }
  });

  it("is said goodbye to as well", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    await classroom.leave();
    expect(server.said.at(-1)).toBe("leave");
    expect(classroom.class.status.phase).toBe("ended");
  });

  it("stays while the media comes back", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.givesUp();
    await pass(1_000);
    expect(classroom.state.connection.phase).toBe("inside");
    expect(server.rooms).toHaveLength(2);
    expect(server.stateSockets).toHaveLength(1);
  });

  it("asks for a token when its own has become too old", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.saysBye("unauthorized", "too old");
    await pass(5_000);
    expect(classroom.class.status.phase).toBe("inside");
    expect(server.accepted).toHaveLength(2);
    expect(classroom.class.store.you).toBe("Amara-1");
  });
});

describe("a short break", () => {
  it("is repaired by LiveKit, and nobody disappears meanwhile", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.arrives(fakePerson("ines"));
    await settle();

    vi.setSystemTime(50_000);
    server.room.losesConnection();
    server.room.remoteParticipants.clear();
    await settle();
    expect(classroom.state.connection).toEqual({ phase: "reconnecting", sinceMs: 50_000, attempt: 0 });
    expect(classroom.state.people.map((person) => person.identity)).toEqual(["ines"]);

    server.room.repairsConnection();
    await settle();
    expect(classroom.state.connection.phase).toBe("inside");
    expect(classroom.state.people).toEqual([]);
    expect(server.rooms).toHaveLength(1);
  });

  it("that takes too long is not waited for", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.losesConnection();
    await pass(20_000);
    expect(server.rooms).toHaveLength(2);
    expect(classroom.state.connection.phase).toBe("inside");
  });
});

describe("a way that is broken while the device has a network", () => {
  async function losesTheWay() {
    const setting = setUp();
    await setting.classroom.join(amara);
    let heard = 0;
    let open = true;
    const counter = setInterval(() => (heard += open ? 1 : 0), 20);
    setting.server.room.arrives(fakePerson("ines", { heard: () => heard }));
    await pass(5_000);
    expect(setting.server.room.resumes).toBe(0);
    open = false;
    await pass(2_600);
    return { ...setting, finds: () => (open = true), ends: () => clearInterval(counter) };
  }

  it("is resumed, and its ICE restarted again as soon as the browser has taken up another network", async () => {
    const { server, classroom, networks, finds, ends } = await losesTheWay();
    expect(server.room.resumes).toBe(1);
    expect(server.room.iceRestarts).toEqual({ own: 0, byServer: 0 });
    networks.changed();
    await settle();
    expect(server.room.iceRestarts).toEqual({ own: 1, byServer: 1 });
    finds();
    await pass(1_000);
    server.room.repairsConnection();
    await pass(20_000);
    expect(server.room.resumes).toBe(1);
    expect(server.room.iceRestarts).toEqual({ own: 1, byServer: 1 });
    expect(classroom.state.connection.phase).toBe("inside");
    expect(server.rooms).toHaveLength(1);
    ends();
  });

  it("and stays so is looked for again after a second, and joined afresh soon after", async () => {
    const { server, ends } = await losesTheWay();
    await pass(1_300);
    expect(server.room.iceRestarts).toEqual({ own: 1, byServer: 1 });
    await pass(2_600);
    expect(server.rooms).toHaveLength(2);
    ends();
  });
});

describe("a server that was killed", () => {
  it("finds everybody back: the same person, with the devices as they were", async () => {
    const { server, devices, classroom } = setUp();
    await classroom.setMicrophone(true);
    await classroom.setCamera(true);
    await classroom.join(amara);
    await settle();
    await classroom.setMicrophone(false);
    const devicesOpened = devices.opened.length;

    server.isDown = true;
    server.room.givesUp();
    await pass(60_000);
    expect(classroom.state.connection.phase).toBe("reconnecting");
    expect(server.rooms).toHaveLength(1);

    server.isDown = false;
    await pass(6_000);
    expect(classroom.state.connection.phase).toBe("inside");
    expect(server.accepted.at(-1)).toEqual({ ...amara, returning: "Amara-1" });
    expect(server.rooms).toHaveLength(2);
    expect(server.room.localParticipant.published(Track.Source.Microphone)?.isMuted).toBe(true);
    expect(server.room.localParticipant.published(Track.Source.Camera)?.isMuted).toBe(false);
    // The captures went on: rewrapped, not opened again.
    expect(devices.opened.length).toBe(devicesOpened + 2);
  });

  it("keeps a shared screen without asking for it again", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    await classroom.setScreenShare(true);
    server.room.givesUp();
    await settle();
    expect(server.rooms).toHaveLength(2);
    expect(server.room.localParticipant.published(Track.Source.ScreenShare)).toBeDefined();
  });

  it("is tried at once when the person asks", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.isDown = true;
    server.room.givesUp();
    await pass(30_000);
    server.isDown = false;
    classroom.tryNow();
    await settle();
    expect(classroom.state.connection.phase).toBe("inside");
  });

  it("is given up after a long while, and can be joined again", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.isDown = true;
    server.room.givesUp();
    await pass(giveUpAfterMs + 10_000);
    expect(classroom.state.connection).toMatchObject({ phase: "ended", reason: "gave_up" });
    server.isDown = false;
    await classroom.joinAgain();
    expect(classroom.state.connection.phase).toBe("inside");
  });

  it("that no longer takes the invite says so", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.refusal = { status: 401, code: "invite_expired", message: "This invite ended." };
    server.room.givesUp();
    await settle();
    expect(classroom.state.connection).toEqual({
      phase: "ended",
      reason: "refused",
      message: "This invite ended.",
    });
  });
});

describe("an end", () => {
  it.each([
    [DisconnectReason.DUPLICATE_IDENTITY, "elsewhere"],
    [DisconnectReason.PARTICIPANT_REMOVED, "removed"],
    [DisconnectReason.ROOM_DELETED, "class_over"],
  ])("for LiveKit's reason %i is %s, and is not undone", async (livekitReason, reason) => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.givesUp(livekitReason);
    await pass(60_000);
    expect(classroom.state.connection).toMatchObject({ phase: "ended", reason });
    expect(server.rooms).toHaveLength(1);
  });

  it("by leaving turns every device off", async () => {
    const { devices, classroom } = setUp();
    await classroom.setCamera(true);
    await classroom.join(amara);
    await settle();
    await classroom.leave();
    expect(classroom.state.connection).toMatchObject({ phase: "ended", reason: "left" });
    expect(devices.opened.map((track) => track.mediaStreamTrack.readyState)).not.toContain("live");
  });

  it("can be undone at once: joining again waits for the goodbye", async () => {
    const { server, devices, classroom } = setUp();
    await classroom.setMicrophone(true);
    await classroom.join(amara);
    await settle();
    let saysGoodbye: () => void = () => undefined;
    server.room.disconnect = () =>
      new Promise((resolve) => {
        saysGoodbye = resolve;
      });
    const left = classroom.leave();
    const again = classroom.joinAgain();
    await settle();
    saysGoodbye();
    await left;
    await again;
    await settle();
    expect(server.rooms).toHaveLength(2);
    expect(server.room.localParticipant.published(Track.Source.Microphone)).toBeDefined();
    expect(devices.opened.at(-1)?.mediaStreamTrack.readyState).toBe("live");
  });

  it("stops the coming back that is under way", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.isDown = true;
    server.room.givesUp();
    await pass(1_000);
    await classroom.leave();
    server.isDown = false;
    await pass(60_000);
    expect(classroom.state.connection).toMatchObject({ phase: "ended", reason: "left" });
    expect(server.rooms).toHaveLength(1);
  });
});

describe("a reload", () => {
  it("leads back into the class as the same person, with devices as they were", async () => {
    const first = setUp();
    await first.classroom.setMicrophone(true);
    await first.classroom.join(amara);
    await settle();
    first.server.room.givesUp(DisconnectReason.CLIENT_INITIATED);
    await settle();
    expect(Classroom.wasInside("physics", "invite", first.storage)).toBe(true);

    const second = setUp(first.storage);
    second.classroom.comeBack();
    await settle();
    expect(second.classroom.state.connection.phase).toBe("inside");
    expect(second.server.accepted).toEqual([{ ...amara, returning: "Amara-1" }]);
    expect(second.server.room.localParticipant.published(Track.Source.Microphone)).toBeDefined();
    expect(second.server.room.localParticipant.published(Track.Source.Camera)).toBeUndefined();
  });

  it("does not rejoin from the page that goes away", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.givesUp(DisconnectReason.CLIENT_INITIATED);
    await pass(1_000);
    expect(server.rooms).toHaveLength(1);
  });

  it("does rejoin if the page was only asleep", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.givesUp(DisconnectReason.CLIENT_INITIATED);
    await pass(5_000);
    expect(server.rooms).toHaveLength(2);
    expect(classroom.state.connection.phase).toBe("inside");
  });

  it("after leaving, or with another invite, leads to the door", async () => {
    const { classroom, storage } = setUp();
    await classroom.join(amara);
    expect(Classroom.wasInside("physics", "another", storage)).toBe(false);
    expect(Classroom.wasInside("physics", null, storage)).toBe(true);
    await classroom.leave();
    expect(Classroom.wasInside("physics", "invite", storage)).toBe(false);
  });
});

describe("your devices", () => {
  it("are remembered with the class", async () => {
    const { classroom, storage } = setUp();
    await classroom.join(amara);
    await classroom.setCamera(true);
    await settle();
    expect(recallTab(storage, "physics")).toMatchObject({
      inside: true,
      cameraOn: true,
      microphoneOn: false,
    });
  });

  it("say what is wrong when they do not open", async () => {
    const { devices, classroom } = setUp();
    devices.failWith = Object.assign(new Error(), { name: "NotAllowedError" });
    await classroom.setCamera(true);
    await settle();
    expect(classroom.state.me.camera).toMatchObject({ on: false, problem: { code: "refused" } });

    devices.failWith = null;
    await classroom.setCamera(true);
    await settle();
    expect(classroom.state.me.camera).toMatchObject({ on: true, problem: null });
  });

  it("that open after the class has ended are closed again", async () => {
    const { devices, classroom } = setUp();
    await classroom.join(amara);
    let opens: () => void = () => undefined;
    devices.waitFor = new Promise((resolve) => {
      opens = resolve;
    });
    const camera = classroom.setCamera(true);
    await classroom.leave();
    opens();
    await camera;
    expect(devices.opened.map((track) => track.mediaStreamTrack.readyState)).toEqual(["ended"]);
  });

  it("follow the last press when pressed faster than they open", async () => {
    const { devices, server, classroom } = setUp();
    await classroom.join(amara);
    let opens: () => void = () => undefined;
    devices.waitFor = new Promise((resolve) => {
      opens = resolve;
    });
    void classroom.setMicrophone(true);
    const off = classroom.setMicrophone(false);
    opens();
    await off;
    expect(devices.opened.every((track) => track.isMuted)).toBe(true);
    expect(server.room.localParticipant.published(Track.Source.Microphone)?.isMuted ?? true).toBe(true);
  });

  it("tell when somebody else muted you", async () => {
    const { server, classroom } = setUp();
    await classroom.setMicrophone(true);
    await classroom.join(amara);
    await settle();
    await server.room.localParticipant.published(Track.Source.Microphone)?.mute();
    await settle();
    expect(classroom.state.me.microphone).toMatchObject({ on: false, problem: { code: "muted_for_you" } });
  });

  it("stay off where the class does not allow them", async () => {
    const { server, classroom } = setUp();
    await classroom.join(amara);
    server.room.localParticipant.permissions = { canPublish: false, canPublishSources: [] };
    await classroom.setMicrophone(true);
    await settle();
    expect(classroom.state.me.microphone).toMatchObject({ on: false, problem: { code: "not_allowed_here" } });
    expect(server.room.localParticipant.trackPublications.size).toBe(0);
  });
});
