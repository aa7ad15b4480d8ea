/** How loud your microphone is: drawn straight into the element, so that nothing else is drawn with it. */
import { measureLoudness } from "@lyceum/sdk";
import { useEffect, useRef, useState } from "react";

/** Drawing more often than this shows nothing more, in milliseconds. */
const frameMs = 80;

function useLoudness(track: MediaStreamTrack | null, onRead: (loudness: number) => void): void {
  const reader = useRef(onRead);
  useEffect(() => {
    reader.current = onRead;
  });
  useEffect(() => {
    if (track === null) return;
    const meter = measureLoudness(track);
    if (meter === null) return;
    const timer = setInterval(() => reader.current(meter.read()), frameMs);
    return () => {
      clearInterval(timer);
      meter.stop();
    };
  }, [track]);
}

/** The thin bar in the microphone key of the desk. */
export function LevelBar({ track }: { track: MediaStreamTrack }) {
  const bar = useRef<HTMLElement>(null);
  useLoudness(track, (loudness) => {
    bar.current?.style.setProperty("inline-size", `${Math.round(loudness * 100)}%`);
  });
  return (
    <span className="lvl" aria-hidden="true">
      <i ref={bar} />
    </span>
  );
}

const steps = 28;
/** Loud enough to be speech rather than the noise of a room. */
const heardAt = 0.35;

/** The meter at the door, with a word that says whether we hear you. */
export function LevelMeter({ track }: { track: MediaStreamTrack | null }) {
  const [lit, setLit] = useState(0);
  const [heard, setHeard] = useState(false);
  useLoudness(track, (loudness) => {
    setLit(Math.round(loudness * steps));
    if (loudness > heardAt) setHeard(true);
  });
  const shown = track === null ? 0 : lit;
  return (
    <div className="row meter-row">
      <div className="meter grow" aria-hidden="true" data-testid="mic-level" data-level={shown}>
        {Array.from({ length: steps }, (_, step) => (
          <i key={step} className={step < shown ? "on" : ""} />
        ))}
      </div>
      <span className={heard && track !== null ? "s13 b heard" : "s13 mut"} role="status">
        {track === null ? "Microphone off" : heard ? "We hear you" : "Say something"}
      </span>
    </div>
  );
}
