/**
 * Loudness of a microphone, measured in the browser. Reads a latest value when asked and queues nothing.
 */

export interface LoudnessMeter {
  /** Loudness now, 0 (silence) to 1 (as loud as it gets), on a scale that follows the ear. */
  read(): number;
  stop(): void;
}

/** Quietest level shown, in dBFS: about the noise of a quiet room. */
const floorDb = -60;

/** `null` where the browser has no Web Audio. */
export function measureLoudness(track: MediaStreamTrack): LoudnessMeter | null {
  if (typeof AudioContext === "undefined") return null;
  const context = new AudioContext();
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    read() {
      // Without a user's gesture the browser may hold audio back; every read asks again.
      if (context.state === "suspended") void context.resume();
      analyser.getFloatTimeDomainData(samples);
      return loudness(samples);
    },
    stop() {
      source.disconnect();
      void context.close();
    },
  };
}

export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const rms = Math.sqrt(sum / samples.length);
  if (rms === 0) return 0;
  const db = 20 * Math.log10(rms);
  return Math.min(1, Math.max(0, 1 - db / floorDb));
}
