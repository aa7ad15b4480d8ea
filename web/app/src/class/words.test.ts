import type { ClassroomState, Person } from "@lyceum/sdk";
import { describe, expect, it } from "vitest";
import { whatChanged } from "./useAnnouncements";
import { describePerson, hueClass, initial } from "./words";

const quiet: Person = {
  identity: "ines",
  name: "Ines",
  role: "instructor",
  presence: "online",
  speaking: false,
  lastSpokeAtMs: 0,
  joinedAtMs: 0,
  microphone: "on",
  cameraOn: true,
  sharesScreen: false,
  network: "unknown",
  camera: null,
  screen: null,
};

describe("a person in words", () => {
  it("is name, role and what matters", () => {
    expect(describePerson(quiet)).toBe("Ines, Teacher");
    expect(
      describePerson({
        ...quiet,
        role: "learner",
        speaking: true,
        microphone: "muted",
        cameraOn: false,
        network: "weak",
      }),
    ).toBe("Ines, speaking, muted, camera off, slow network");
  });

  it("has an initial in any script", () => {
    expect(initial(" élodie")).toBe("É");
    expect(initial("ياسمين")).toBe("ي");
    expect(initial("👩‍🏫 Prof")).toBe("👩‍🏫");
    expect(initial("")).toBe("?");
  });

  it("keeps its hue", () => {
    expect(hueClass("ines")).toBe(hueClass("ines"));
    expect(hueClass("")).toMatch(/^hue-[1-6]$/);
  });
});

describe("what is said aloud", () => {
  const device = { on: true, starting: false, problem: null, deviceId: null, track: null };
  const inside: ClassroomState = {
    connection: { phase: "inside" },
    room: "physics",
    shareInvite: "",
    me: {
      identity: "amara",
      name: "Amara",
      role: "learner",
      speaking: false,
      network: "good",
      microphone: device,
      camera: device,
      screen: { ...device, on: false },
    },
    people: [quiet],
    audioBlocked: false,
    picturesPaused: false,
    speakerId: null,
  };

  it("is losing the class and coming back", () => {
    const lost: ClassroomState = { ...inside, connection: { phase: "reconnecting", sinceMs: 0, attempt: 0 } };
    expect(whatChanged(inside, lost)).toBe("Reconnecting. Your place is kept.");
    expect(
      whatChanged(lost, { ...lost, connection: { phase: "reconnecting", sinceMs: 0, attempt: 1 } }),
    ).toBeNull();
    expect(whatChanged(lost, inside)).toBe("You are back in the class.");
  });

  it("is your own mute, and who shares the screen", () => {
    const muted = { ...inside, me: { ...inside.me, microphone: { ...device, on: false } } };
    expect(whatChanged(inside, muted)).toBe("Muted");
    expect(whatChanged(inside, { ...inside, people: [{ ...quiet, sharesScreen: true }] })).toBe(
      "Ines shares the screen",
    );
  });

  it("is not that somebody came, or spoke", () => {
    expect(whatChanged(inside, { ...inside, people: [quiet, { ...quiet, identity: "mateo" }] })).toBeNull();
    expect(whatChanged(inside, { ...inside, people: [{ ...quiet, speaking: true }] })).toBeNull();
  });
});
