/** Says aloud, for screen readers, what changed in the class and is worth an interruption. Joins are not. */
import type { ClassroomState } from "@lyceum/sdk";
import { useEffect, useRef } from "react";
import { announce } from "../lib/announcer";

export function useAnnouncements(state: ClassroomState): void {
  const before = useRef(state);
  useEffect(() => {
    const text = whatChanged(before.current, state);
    before.current = state;
    if (text !== null) announce(text);
  }, [state]);
}

export function whatChanged(before: ClassroomState, now: ClassroomState): string | null {
  const { phase } = now.connection;
  if (phase !== before.connection.phase) {
    if (phase === "reconnecting") return "Reconnecting. Your place is kept.";
    if (phase === "inside" && before.connection.phase === "reconnecting") return "You are back in the class.";
  }
  if (now.audioBlocked && !before.audioBlocked) return "Sound is held back. Press Start audio.";
  if (now.me.microphone.on !== before.me.microphone.on) {
    return now.me.microphone.on ? "Microphone on" : "Muted";
  }
  if (now.me.camera.on !== before.me.camera.on) return now.me.camera.on ? "Camera on" : "Camera off";
  if (now.me.screen.on !== before.me.screen.on) {
    return now.me.screen.on ? "Choose what to share" : "You no longer share your screen";
  }
  const wasSharing = new Set(
    before.people.filter((person) => person.sharesScreen).map((person) => person.identity),
  );
  const sharer = now.people.find((person) => person.sharesScreen && !wasSharing.has(person.identity));
  return sharer === undefined ? null : `${sharer.name} shares the screen`;
}
