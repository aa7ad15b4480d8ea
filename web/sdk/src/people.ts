/**
 * The people in a class as values: what a page shows of each, read from LiveKit's participants. A person who has not
 * changed keeps the very same object, so that a page can tell cheaply what to draw anew.
 */
import {
  ConnectionQuality,
  Track,
  type Participant,
  type RemoteParticipant,
  type RemoteTrackPublication,
} from "livekit-client";
import { asRole, type Role } from "./invite.js";

/** `reconnecting`: the person has lost the network and keeps the place in the class. */
export type Presence = "online" | "reconnecting";
export type MicrophoneState = "on" | "muted" | "none";
export type Network = "good" | "weak" | "lost" | "unknown";

/** A picture that can be shown in video elements. */
export interface Picture {
  attach(element: HTMLMediaElement): HTMLMediaElement;
  detach(element: HTMLMediaElement): HTMLMediaElement;
}

export interface Person {
  readonly identity: string;
  readonly name: string;
  readonly role: Role | null;
  readonly presence: Presence;
  readonly speaking: boolean;
  /** When this person last began to speak, in ms since the epoch; 0 if not yet heard. */
  readonly lastSpokeAtMs: number;
  readonly joinedAtMs: number;
  readonly microphone: MicrophoneState;
  /** Whether the camera is on, even where its picture is not here (yet). */
  readonly cameraOn: boolean;
  readonly sharesScreen: boolean;
  readonly network: Network;
  /** `null` until it arrives, while it is off, and while pictures are paused. */
  readonly camera: Picture | null;
  readonly screen: Picture | null;
}

export function roleOf(participant: Participant): Role | null {
  return asRole(participant.attributes["lyceum.role"]);
}

export function networkOf(participant: Participant): Network {
  switch (participant.connectionQuality) {
    case ConnectionQuality.Excellent:
    case ConnectionQuality.Good:
      return "good";
    case ConnectionQuality.Poor:
      return "weak";
    case ConnectionQuality.Lost:
      return "lost";
    case ConnectionQuality.Unknown:
      return "unknown";
  }
}

export function personOf(participant: RemoteParticipant): Person {
  const camera = participant.getTrackPublication(Track.Source.Camera);
  const screen = participant.getTrackPublication(Track.Source.ScreenShare);
  const microphone = participant.getTrackPublication(Track.Source.Microphone);
  const online = participant.attributes["lyceum.presence"] !== "reconnecting";
  return {
    identity: participant.identity,
    name: participant.name === undefined || participant.name === "" ? participant.identity : participant.name,
    role: roleOf(participant),
    presence: online ? "online" : "reconnecting",
    speaking: online && participant.isSpeaking,
    lastSpokeAtMs: participant.lastSpokeAt?.getTime() ?? 0,
    joinedAtMs: participant.joinedAt?.getTime() ?? 0,
    microphone: microphone === undefined ? "none" : microphone.isMuted ? "muted" : "on",
    cameraOn: camera !== undefined && !camera.isMuted,
    sharesScreen: screen !== undefined && !screen.isMuted,
    network: networkOf(participant),
    camera: pictureOf(camera),
    screen: pictureOf(screen),
  };
}

function pictureOf(publication: RemoteTrackPublication | undefined): Picture | null {
  if (publication === undefined || publication.isMuted || !publication.isSubscribed) return null;
  return publication.videoTrack ?? null;
}

/** In order of arrival. `kept` are people known from before who stay listed while the class is lost. */
export function peopleOf(
  participants: Iterable<RemoteParticipant>,
  before: readonly Person[],
  keepAbsent: boolean,
): readonly Person[] {
  const known = new Map(before.map((person) => [person.identity, person]));
  const present = Array.from(participants, (participant) => {
    const person = personOf(participant);
    const old = known.get(person.identity);
    return old !== undefined && sameFields(old, person) ? old : person;
  });
  const here = new Set(present.map((person) => person.identity));
  const absent = keepAbsent ? before.filter((person) => !here.has(person.identity)).map(silenced) : [];
  const people = [...present, ...absent].sort(
    (a, b) => a.joinedAtMs - b.joinedAtMs || a.identity.localeCompare(b.identity),
  );
  const unchanged =
    people.length === before.length && people.every((person, index) => person === before[index]);
  return unchanged ? before : people;
}

/** Nobody is heard or seen through a lost connection; what was known otherwise stays. */
function silenced(person: Person): Person {
  if (!person.speaking && person.camera === null && person.screen === null) return person;
  return { ...person, speaking: false, camera: null, screen: null };
}

export function sameFields<T extends object>(a: T, b: T): boolean {
  const keys = Object.keys(a) as (keyof T)[];
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}
